"""The verdict: whether what the outside was promised has become true, once, and nothing is left behind."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import aiohttp
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.fleet import Fleet
from orderloom.chaos.outside import REPORTS, Promise
from orderloom.chaos.stories import Story
from orderloom.chaos.stuck import describe
from orderloom.chaos.victims import fallen
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.readmodels.tally import Tally, tally

_LEFT_BEHIND = {
    "active reservations": "SELECT count(*) FROM reservations WHERE status = 'active'",
    "open proposals": "SELECT count(*) FROM proposals WHERE status = 'open'",
    "routing schedules to come": "SELECT count(*) FROM routing_schedules WHERE status = 'scheduled'",
    "days with capacity that is held": "SELECT count(*) FROM location_capacity WHERE held > 0",
    "advisory locks beside the relay's": """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database =
            (SELECT oid FROM pg_database WHERE datname = current_database()) HAVING count(*) <> 1
    """,
    "transactions that stand open": """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND xact_start < now() - interval '5 s' AND pid <> pg_backend_pid()
    """,
    "prepared transactions": "SELECT count(*) FROM pg_prepared_xacts",
    "journal entries without a place in the feed": "SELECT count(*) FROM outbox WHERE position IS NULL",
}
"""What must not be there once all is quiet."""

_TOLD = (
    "order.placed",
    *(f"fulfillment.{kind}" for kind in REPORTS),
    "order.cancel.requested",
    "order.return.requested",
    "payment.updated",
)
"""What comes from outside: each stands in the journal as often as it was told, however often it was repeated."""


class Verdict:
    """Looks at a quiet deployment from the outside and from the inside."""

    def __init__(self, fleet: Fleet, engine: AsyncEngine, client: Client, http: aiohttp.ClientSession) -> None:
        """Take the deployment, and ways to look at it."""
        self._fleet = fleet
        self._engine = engine
        self._client = client
        self._http = http

    async def failures(
        self, promises: Sequence[Promise], earlier: Sequence[Promise] = (), *, dead: int = 0
    ) -> list[str]:
        """
        Return what is not as it must be, of the orders of *promises* and of the deployment as a whole.

        Args:
            earlier: orders that were judged before: the gateway must have done nothing more for them.
            dead: intake rows that were given up, as was intended.
        """
        books = {row["reference"]: row for row in (await self._get(f"{self._fleet.gateway_url}/books"))["rows"]}
        found = fallen(self._fleet)
        for promise in promises:
            found += [
                f"order {promise.number} ({promise.order.story}): {wrong}"
                for wrong in await self._order(promise, books)
            ]
        for promise in earlier:
            found += [f"order {promise.number}, later: {wrong}" for wrong in self._booked(promise, books)]
        async with snapshot(self._engine) as conn:
            ours = await tally(conn)
            found += await self._books(conn, ours, books)
            found += await self._left_behind(conn, ours, dead)
        if ours.orders != len(promises) + len(earlier):
            found.append(f"{ours.orders} orders, where {len(promises) + len(earlier)} were promised")
        return found

    async def _order(self, promise: Promise, books: dict[str, Any]) -> list[str]:
        """Compare one order as the API, the gateway and Temporal have it with what was promised."""
        found = await self._get(f"{self._fleet.api_url}/v1/orders?external_id={promise.order.external_id}")
        if [item["id"] for item in found["items"]] != [promise.number]:
            return [f"the channel's number {promise.order.external_id} leads to {found['items']}"]
        view = await self._get(f"{self._fleet.api_url}/v1/orders/{promise.number}")
        journal = await self._get(f"{self._fleet.api_url}/v1/orders/{promise.number}/journal?limit=200")
        happened = Counter(entry["type"] for entry in journal["items"])
        is_, must = _facts(view) | {type: happened[type] for type in _TOLD}, _promised(promise)
        wrong = [f"{name} is {is_[name]}, not {must[name]}" for name in must if is_[name] != must[name]]
        return [*wrong, *self._booked(promise, books), *await self._stuck(promise)]

    @staticmethod
    def _booked(promise: Promise, books: dict[str, Any]) -> list[str]:
        """Compare the gateway's books of one order with its story."""
        end = promise.order.end
        row = books.get(f"auth-{promise.order.external_id}")
        if promise.order.story is Story.DECLINED:
            return [] if row is None else ["the gateway holds money of a declined order"]
        if row is None:
            return ["the gateway knows nothing of it"]
        must = {
            "captured": end.captured,
            "captures": end.shipments,
            "refunded": end.refunded,
            "refunds": 1 if end.refunded else 0,
            "reversed": end.reversed,
        }
        return [f"at the gateway {name} is {row[name]}, not {must[name]}" for name in must if row[name] != must[name]]

    async def _stuck(self, promise: Promise) -> list[str]:
        """Look for a workflow task that fails again and again, and for calls that are still under way."""
        described = await describe(self._client, promise.number)
        attempt = described.pending_workflow_task.attempt
        wrong = [f"its workflow task is at attempt {attempt}"] if attempt > 1 else []
        return wrong + [f"{each.activity_type.name} is under way" for each in described.pending_activities]

    async def _books(self, conn: AsyncConnection, ours: Tally, books: dict[str, Any]) -> list[str]:
        """Let the doctor examine, and compare the totals with the gateway's."""
        examined = await examine(conn)
        found = [
            f"{each.check}: {each.order} {each.subject}: {each.found}, not {each.expected}"
            for each in examined.findings
        ]
        for name in ("captured", "refunded", "reversed"):
            theirs = sum(row[name] for row in books.values())
            if theirs != getattr(ours, name):
                found.append(f"{name}: ours {getattr(ours, name)}, the gateway's {theirs}")
        return found

    async def _left_behind(self, conn: AsyncConnection, ours: Tally, dead: int) -> list[str]:
        found = [
            f"{count} {what}"
            for what, count in (
                ("flows under way", ours.under_way),
                ("intents unsettled", ours.unsettled),
                ("intake rows undelivered", ours.undelivered),
            )
            if count
        ]
        for what, query in _LEFT_BEHIND.items():
            if count := await conn.scalar(text(query)):
                found.append(f"{count} {what}")
        given_up = await conn.scalar(text("SELECT count(*) FROM intake WHERE status = 'dead'"))
        if given_up != dead:
            found.append(f"{given_up} intake rows were given up, not {dead}")
        return found

    async def _get(self, url: str) -> Any:
        async with self._http.get(url) as response:
            response.raise_for_status()
            return await response.json()


def _promised(promise: Promise) -> dict[str, Any]:
    """Return what the order's documents and journal must hold, by its story and by what was answered."""
    end = promise.order.end
    shipped = sorted(promise.shipped)
    accepted = Counter(what for what, status in promise.answers.items() if status == 200)
    return {
        "status": end.status.value,
        "shipped": shipped,
        "invoices": shipped,
        "captured": end.captured,
        "refunded": end.refunded,
        "change orders": accepted["cancel-items"] + accepted["return-items"],
        "credit memos": accepted["return-items"],
        "intents unsettled": 0,
        "exceptions": sorted(end.exceptions),
        "order.placed": 1,
        **{f"fulfillment.{kind}": len(shipped) for kind in REPORTS},
        "order.cancel.requested": accepted["cancel-items"],
        "order.return.requested": accepted["return-items"],
        "payment.updated": end.notices,
    }


def _facts(view: dict[str, Any]) -> dict[str, Any]:
    """Return what the verdict compares of an order."""
    shipments = cast("list[dict[str, Any]]", view["fulfillment_orders"])
    payments = cast("list[dict[str, Any]]", view["payments"])
    intents = [intent for payment in payments for intent in payment["intents"]]
    return {
        "status": view["status"],
        "shipped": sorted(each["id"] for each in shipments if each["status"] == "fulfilled"),
        "invoices": sorted(each["fulfillment_order"] for each in view["invoices"]),
        "captured": sum(payment["captured"]["amount"] for payment in payments),
        "refunded": sum(payment["refunded"]["amount"] for payment in payments),
        "change orders": len(view["change_orders"]),
        "credit memos": len(view["credit_memos"]),
        "intents unsettled": sum(intent["outcome"] in {"requested", "unknown"} for intent in intents),
        "exceptions": sorted(each["code"] for each in view["exceptions"]),
    }

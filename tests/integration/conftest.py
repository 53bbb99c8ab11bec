"""A bench for the activities: a small world, orders placed through intake, actions run as the workflow runs them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities import registry, serving, transaction
from activities.header import header_of
from activities.record import record_delivery, record_directly
from activities.unit import Services
from orderloom.contracts.header import OrderHeader
from orderloom.contracts.messages import ActionDone, Context, Delivery, Recorded, ReleasePin, RunAction
from orderloom.domain.channel import ChannelPolicy
from orderloom.persistence.intake import Submission, Submitted, submit
from orderloom.persistence.journal import lock
from orderloom.persistence.standing import read_standing
from orderloom.persistence.vault import Vault
from orderloom.persistence.world import World, load_world
from orderloom.readmodels.doctor import examine

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PIN = ReleasePin(release="r1", subscriptions={})
MASTER_KEY = bytes(range(32))


@pytest.fixture
def vault(engine: AsyncEngine) -> Vault:
    """Return a vault whose keys stand in this test's own database."""
    return Vault(engine, MASTER_KEY)


@dataclass
class Bench:
    """What the tests of activities do, each in one call."""

    engine: AsyncEngine
    vault: Vault
    now: datetime = NOW
    pin: ReleasePin = PIN
    group: str = "all"
    keys: Any = field(default_factory=count)
    checking: bool = True
    """Look whether every header that is told is true."""

    @property
    def services(self) -> Services:
        return Services(engine=self.engine, vault=self.vault)

    def context(self, order: str, **changes: Any) -> Context:
        given = {"order_id": order, "now": self.now, "known_flows": [], "pin": self.pin, **changes}
        return Context(**given)

    async def load(
        self,
        stock: dict[str, dict[str, int]],
        *,
        groups: dict[str, list[str]] | None = None,
        at: dict[str, tuple[float, float]] | None = None,
        **policy: Any,
    ) -> None:
        """Load locations with their stock (SKU to quantity) into group ``all``, and channel ``web``."""
        skus = sorted({sku for held in stock.values() for sku in held})
        tax = {"rates": {"standard": "0.10"}}
        made = ChannelPolicy.model_validate(
            {"currency": "EUR", "location_group": self.group, "tax": tax, "price": "given", **policy}
        )
        world = World.model_validate(
            {
                "channels": [{"id": "web", "policy": made}],
                "products": [{"sku": sku} for sku in skus],
                "locations": [
                    {
                        "id": location,
                        "country": "GB",
                        "latitude": (at or {}).get(location, (0.0, 0.0))[0],
                        "longitude": (at or {}).get(location, (0.0, 0.0))[1],
                    }
                    for location in stock
                ],
                "groups": [
                    {"id": group, "locations": members}
                    for group, members in (groups or {self.group: list(stock)}).items()
                ],
                "stock": [
                    {"location": location, "sku": sku, "on_hand": quantity}
                    for location, held in stock.items()
                    for sku, quantity in held.items()
                ],
            }
        )
        async with self.engine.begin() as conn:
            await load_world(conn, world, self.now)

    def body(self, items: dict[str, int], **changes: Any) -> dict[str, Any]:
        """Return a placement of SKUs and quantities at 10.00 each, on one card authorised for all of it."""
        total = sum(items.values()) * 1100
        card = {
            "method": "card",
            "amount": {"amount": total, "currency": "EUR"},
            "authorization": {"reference": "auth-1", "amount": {"amount": total, "currency": "EUR"}},
        }
        return {
            "channel": "web",
            "external_id": f"ext-{next(self.keys)}",
            "currency": "EUR",
            "delivery_groups": [{"id": "1", "country": "GB", "position": {"latitude": 0.0, "longitude": 0.0}}],
            "lines": [
                {
                    "id": f"L{number}",
                    "sku": sku,
                    "quantity": quantity,
                    "unit_price": {"amount": 1000, "currency": "EUR"},
                }
                for number, (sku, quantity) in enumerate(items.items(), 1)
            ],
            "payments": [card],
            **changes,
        }

    def submission(self, type: str, body: dict[str, Any], **changes: Any) -> Submission:
        told = type.startswith(("fulfillment.", "payment.")) and not type.endswith(".requested")
        kind = "event" if told else "command"
        given = {"kind": kind, "type": type, "source": "web", "body": body, "received_at": self.now, **changes}
        return Submission.model_validate(given)

    async def submit(self, type: str, body: dict[str, Any], **changes: Any) -> Submitted:
        return await submit(self.engine, self.vault, self.submission(type, body, **changes))

    async def record(self, taken: Submitted, type: str, *, directly: bool = False) -> Recorded:
        delivery = Delivery(intake_id=taken.intake_id, type=type)
        if directly:
            return await record_directly(self.engine, self.vault, taken.order_id, delivery, now=self.now)
        recorded = await record_delivery(self.engine, self.vault, self.context(taken.order_id), delivery)
        if recorded.applied is not None:
            await self.header_is_true(taken.order_id, recorded.applied.order)
        return recorded

    async def header_is_true(self, order: str, told: dict[str, Any]) -> None:
        """Check that the header a transaction told, from what it did, is whole and the one that the tables tell."""
        if not self.checking:
            return
        async with self.engine.connect() as conn:
            locked = await lock(conn, order, "")
            standing = await read_standing(conn, order)
        assert locked is not None
        numbers = {"seq": locked.row.seq, "routing_attempts": locked.row.routing_attempts}
        assert told == header_of(transaction.order_row(locked), standing, **numbers)
        assert OrderHeader.model_validate(told).model_dump(mode="json") == told

    async def send(self, order: str, type: str, body: dict[str, Any], *, directly: bool = False) -> Recorded:
        """Submit and record something about an order."""
        return await self.record(await self.submit(type, body, order_id=order), type, directly=directly)

    async def place(self, items: dict[str, int], **changes: Any) -> str:
        """Place an order and return its id."""
        body = self.body(items, **changes)
        taken = await self.submit("order.placed", body, external_id=body["external_id"], person=body.get("customer"))
        recorded = await self.record(taken, "order.placed")
        assert recorded.receipt.status == "accepted", recorded.receipt
        return taken.order_id

    async def act(
        self, action: str, order: str, input: dict[str, Any] | None = None, *, key: str | None = None
    ) -> ActionDone:
        """Run a local action once more, with a key of its own unless given."""
        serving.activities(self.engine, self.vault)
        entry = registry.entries[f"{action}@1"]
        assert entry.run is not None
        request = RunAction(
            context=self.context(order), key=key or f"key-{next(self.keys)}", input=input or {}, cause="test:1.0.0/do/0"
        )
        done = await transaction.run(self.services, entry.contract, entry.run, request)
        await self.header_is_true(order, done.applied.order)
        return done

    async def route(self, order: str) -> ActionDone:
        """Schedule, find and execute a route."""
        planned = await self.act("schedule-routing", order, {"reason": "order.released"})
        found = await self.act("find-routes", order, {"schedule": planned.output["schedule"]})
        assert found.output["outcome"] == "ROUTED", found.output
        return await self.act("create-fulfillment-orders", order, {"attempt": found.output["attempt"]})

    async def allocated(self, items: dict[str, int], **changes: Any) -> str:
        """Place an order, reserve and route it; return its id."""
        order = await self.place(items, **changes)
        await self.act("create-reservation", order)
        await self.route(order)
        return order

    async def report(self, order: str, number: int, type: str, *, directly: bool = False, **more: Any) -> Recorded:
        """Report on the order's fulfillment order *number*."""
        body = {"fulfillment_order": f"{order}-F{number}", "id": f"e-{next(self.keys)}", "type": type, **more}
        return await self.send(order, f"fulfillment.{type}", body, directly=directly)

    async def ask(self, order: str, number: int, action: str, **body: Any) -> Recorded:
        """Ask for something to be done with the order's fulfillment order *number*."""
        body = {"fulfillment_order": f"{order}-F{number}", **body}
        return await self.send(order, f"fulfillment.{action}.requested", body)

    async def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        async with self.engine.connect() as conn:
            return [tuple(row) for row in await conn.execute(text(sql), values)]

    async def journal(self, order: str) -> list[str]:
        """Return the types of the order's events, in sequence."""
        found = await self.rows("SELECT type FROM journal WHERE order_id = :order ORDER BY seq", order=order)
        return [type for (type,) in found]

    async def reserved(self) -> dict[str, int]:
        """Return what is reserved, by ``place SKU``, where it is not zero."""
        found = await self.rows(
            "SELECT location_id || ' ' || sku, reserved FROM stock WHERE reserved <> 0 "
            "UNION ALL SELECT group_id || ' ' || sku, reserved FROM group_stock WHERE reserved <> 0"
        )
        return dict(sorted(found))

    async def counters_agree(self) -> bool:
        """Return whether the doctor finds counters to be what is reserved and held, and groups their members' sums."""
        async with self.engine.connect() as conn:
            examined = await examine(conn)
        return not [finding for finding in examined.findings if finding.check.startswith(("stock.", "groups."))]


@pytest.fixture
async def bench(engine: AsyncEngine, vault: Vault) -> Bench:
    """Return a bench on this test's own databases."""
    return Bench(engine, vault)


@pytest.fixture
async def scarce(bench: Bench) -> Bench:
    """Return a bench whose only location has nothing."""
    await bench.load({"A": {"X": 0, "Y": 0}}, routing={"backoff": 3600})
    return bench

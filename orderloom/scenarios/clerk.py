"""Plays everyone outside: sends what the steps say through the HTTP API, and remembers the orders by name."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any, cast

import httpx

from orderloom.domain.errors import OrderloomError
from orderloom.domain.ids import exception_id, fulfillment_order_id
from orderloom.domain.model import Frozen, JsonObject
from orderloom.scenarios.base import seconds
from orderloom.scenarios.commands import Checkout, Writer
from orderloom.scenarios.compare import Difference
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.steps import Abandon, Attend, Change, Gateway, Report, Reschedule, Resolve, Work
from orderloom.scenarios.world import Order

TIMEOUT = 60.0
"""Seconds that one call to the API may take."""


class StepFailed(OrderloomError):
    """A step of the scenario could not be carried out.

    See the detail; correct the scenario or the system.
    """

    code = "scenario.step_failed"


class Answer(Frozen):
    """What the API said: the code of a problem, or nothing when it accepted."""

    refused: str | None
    detail: str = ""
    body: JsonObject = {}

    def unlike(self, refused: str | None) -> list[Difference]:
        """Return a difference unless it was refused with the code *refused*; None: accepted."""
        if self.refused == refused:
            return []
        expected = "accepted" if refused is None else f"refused: {refused}"
        actual = "accepted" if self.refused is None else f"refused: {self.refused} ({self.detail})"
        return [Difference(path="answer", expected=expected, actual=actual)]


class Clerk:
    """Sends the commands and events of one case."""

    def __init__(self, api: httpx.AsyncClient, gateway: httpx.AsyncClient, writer: Writer, names: Namespace) -> None:
        self._api = api
        self._gateway = gateway
        self._writer = writer
        self._names = names
        self._numbers = count(1)
        self.orders: dict[str, str] = {}
        """Name in the scenario to order id, in the order of placing."""

    async def place(self, name: str, order: Order, currency: str, now: datetime) -> Answer:
        """Place *order* under *name*; its channel's part at the gateway comes first."""
        body, checkouts = self._writer.order(name, order)
        for checkout in checkouts:
            await self._give(checkout, currency, now)
        answer = await self._send("/v1/orders", body, expected=201)
        if answer.refused is None:
            self.orders[name] = str(answer.body["id"])
        return answer

    async def change(self, kind: str, change: Change) -> Answer:
        """Send a cancellation or return."""
        return await self._send(f"{self._order(change.order)}/{kind}-items", self._writer.change(kind, change))

    async def preview(self, kind: str, change: Change) -> Answer:
        """Ask what a cancellation or return would change."""
        path = f"{self._order(change.order)}/{kind}-items/preview"
        return _answer(await self._api.post(path, json=self._writer.change(kind, change), timeout=TIMEOUT), 200)

    async def route(self, order: str) -> Answer:
        """Ask for a routing attempt."""
        return await self._send(f"{self._order(order)}/route", {})

    async def reschedule(self, reschedule: Reschedule, start: datetime) -> Answer:
        """Give a planned routing attempt another date; *start* is when the scenario began."""
        at = start + timedelta(seconds=seconds(reschedule.after))
        path = f"{self._order(reschedule.order)}/routing-schedules/{reschedule.schedule}"
        return await self._send(path, {"scheduled_at": at.isoformat()})

    async def abandon(self, abandon: Abandon) -> Answer:
        """Give a planned routing attempt up."""
        return await self._send(f"{self._order(abandon.order)}/routing-schedules/{abandon.schedule}/abandon", {})

    async def resolve(self, resolve: Resolve) -> Answer:
        """Decide about a process exception."""
        id = exception_id(self.orders[resolve.order], resolve.exception)
        return await self._send(
            f"/v1/exceptions/{id}/resolve",
            resolve.model_dump(exclude={"order", "exception", "refused"}, exclude_none=True),
        )

    async def attend(self, attend: Attend) -> Answer:
        """Change the status, owner or urgency of a process exception."""
        id = exception_id(self.orders[attend.order], attend.exception)
        named = {"order", "exception", "refused"}
        return await self._send(f"/v1/exceptions/{id}/change", attend.model_dump(exclude=named, exclude_unset=True))

    async def report(self, report: Report) -> None:
        """Let a location report, and where the step says so the very same again."""
        id = fulfillment_order_id(self.orders[report.order], report.fulfillment)
        body = self._writer.report(self._names.inside(f"event-{next(self._numbers)}"), report)
        for _ in range(2 if report.twice else 1):
            answer = await self._send(f"/v1/fulfillment-orders/{id}/events", body, expected=202)
            if answer.refused is not None:
                raise StepFailed(f"the report was refused: {answer.refused}: {answer.detail}")

    async def work(self, work: Work) -> Answer:
        """Have something done with a fulfillment order."""
        order = self.orders[work.order]
        action, body = self._writer.work(work, order)
        return await self._send(
            f"/v1/fulfillment-orders/{fulfillment_order_id(order, work.fulfillment)}/{action}", body
        )

    def new_key(self) -> str:
        """Return an idempotency key that nothing was sent with."""
        return self._names.inside(f"step-{next(self._numbers)}")

    async def ask(self, path: str, body: Mapping[str, Any], key: str) -> Answer:
        """Ask for something about stock; it is answered at once."""
        headers = {"Idempotency-Key": key}
        return _answer(await self._api.post(path, json=body, headers=headers, timeout=TIMEOUT), 200)

    async def misbehave(self, gateway: Gateway, token: str | None = None) -> None:
        """Put a fault in force at the sandbox gateway."""
        fault = {"kind": gateway.fault.replace("-", "_"), "operation": gateway.operation, "times": gateway.times}
        response = await self._gateway.post("/faults", json=fault if token is None else {**fault, "token": token})
        response.raise_for_status()

    async def forgive(self) -> None:
        """Lift all faults of the gateway."""
        (await self._gateway.delete("/faults")).raise_for_status()

    async def operations(self) -> dict[str, int]:
        """Return how many captures and refunds the gateway made for the case."""
        response = await self._gateway.get("/books")
        response.raise_for_status()
        mine = [row for row in response.json()["rows"] if str(row["token"]).startswith(self._names.inside(""))]
        return {"capture": sum(row["captures"] for row in mine), "refund": sum(row["refunds"] for row in mine)}

    def _order(self, name: str) -> str:
        return f"/v1/orders/{self.orders[name]}"

    async def _give(self, checkout: Checkout, currency: str, now: datetime) -> None:
        given = {**checkout.model_dump(), "currency": currency, "now": now.isoformat()}
        (await self._gateway.post("/references", json=given)).raise_for_status()

    async def _send(self, path: str, body: Mapping[str, Any], expected: int = 200) -> Answer:
        key = self.new_key()
        response = await self._api.post(path, json=body, headers={"Idempotency-Key": key}, timeout=TIMEOUT)
        if response.status_code == 202 and expected != 202:
            raise StepFailed(f"no worker answered in time: {response.text}")
        return _answer(response, expected)


def _answer(response: httpx.Response, expected: int) -> Answer:
    try:
        body = cast("JsonObject", response.json())
    except ValueError:
        raise StepFailed(f"the API answered {response.status_code}: {response.text[:200]}") from None
    if response.status_code in {expected, 200, 201}:
        return Answer(refused=None, body=body)
    if "code" not in body:
        raise StepFailed(f"the API answered {response.status_code}: {response.text[:200]}")
    return Answer(refused=str(body["code"]), detail=str(body.get("detail", "")))

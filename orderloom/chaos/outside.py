"""Everyone outside a deployment that is being broken: the channel, its customers, and the locations."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from sqlalchemy import ARRAY, Integer, Text, bindparam, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.world import LOCATIONS
from orderloom.bootstrap.clock import Clock
from orderloom.chaos.asking import Answer, Asking
from orderloom.chaos.stories import ChaosOrder, Story
from orderloom.domain.model import JsonObject

REPORTS = ("accepted", "picked", "shipped")
"""What a location reports of each fulfillment order."""
GLANCE = 0.25
"""Seconds between two looks at something that is being waited for."""
DAWDLING = 1.5
"""Seconds that a location may take for a step, at most."""

_ENDED = text(
    """
    SELECT told.order_id FROM unnest(:orders, :notices) AS told(order_id, notices)
    WHERE (SELECT count(*) FROM journal j WHERE j.order_id = told.order_id AND j.type = 'payment.updated') >= notices
        AND NOT EXISTS (SELECT 1 FROM flow_instances f WHERE f.order_id = told.order_id AND f.status = 'running')
        AND NOT EXISTS (SELECT 1 FROM intake i WHERE i.order_id = told.order_id AND i.status = 'received')
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)), bindparam("notices", type_=ARRAY(Integer)))


@dataclass
class Promise:
    """What the outside was told about one order: from then on it must be kept."""

    order: ChaosOrder
    number: str = ""
    answers: dict[str, int] = field(default_factory=dict[str, int])
    """Status of every definite answer, by what was asked for."""
    shipped: set[str] = field(default_factory=set[str])
    """Fulfillment orders whose shipping was taken in."""
    over: bool = False
    """Nobody outside has anything more to do for it."""
    taken_at: float = 0.0
    """When the channel had its number."""
    ended_at: float | None = None

    @property
    def placed(self) -> bool:
        """Whether the channel has the order's number."""
        return bool(self.number)

    @property
    def ended(self) -> bool:
        """Whether it has come to its end."""
        return self.ended_at is not None


async def until(true: Callable[[], bool]) -> None:
    """Return once it is *true*."""
    while not true():  # noqa: ASYNC110  # nobody tells it
        await asyncio.sleep(GLANCE)


class Outside:
    """All parts together; ``work`` until cancelled."""

    def __init__(self, api_url: str, gateway_url: str, engine: AsyncEngine, asking: Asking) -> None:
        """Take where the deployment is, a view of its database, and how to ask."""
        self.promises: list[Promise] = []
        self.keep = 0
        """Orders that are held unfinished, whoever waits for them."""
        self._api = f"{api_url}/v1"
        self._gateway = gateway_url
        self._engine = engine
        self._asking = asking
        self._passed: set[str] = set()
        self._by_number: dict[str, Promise] = {}

    @property
    def unfinished(self) -> list[Promise]:
        """The orders that have a number and no end."""
        return [promise for promise in self.promises if promise.placed and not promise.ended]

    @property
    def repeated(self) -> int:
        """How many questions had to be asked again."""
        return self._asking.repeated

    def contradictions(self) -> list[str]:
        """Return, once, answers that differ from those to the same question before."""
        found, self._asking.contradictions = self._asking.contradictions, []
        return found

    async def work(self) -> None:
        """Let the locations work, and see which orders have ended."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            for location in LOCATIONS:
                group.create_task(self._work_at(location, group))

    def promised(self, order: ChaosOrder) -> Promise:
        """Begin the account of *order*: nothing was promised yet."""
        promise = Promise(order)
        self.promises.append(promise)
        return promise

    async def live(self, promise: Promise) -> None:
        """Place the order and do what its story wants until nobody has anything more to do for it."""
        await self._place(promise)
        await self._follow_up(promise)
        promise.over = True

    async def _place(self, promise: Promise) -> None:
        order = promise.order
        if order.checkout is not None:
            given = order.checkout | {"now": Clock().now().isoformat()}
            await self._asking.tell(f"{self._gateway}/references", given)
        answer = await self._asking.tell(f"{self._api}/orders", order.body, f"place-{order.external_id}")
        self._note(promise, "place", answer)
        # Of one that is only taken in it is the intake resource that comes back; it names the order too.
        number = str(answer.body["order"] if answer.status == 202 else answer.body["id"])
        self._by_number[number] = promise
        promise.number, promise.taken_at = number, monotonic()

    async def _follow_up(self, promise: Promise) -> None:
        match promise.order.story:
            case Story.CANCELLED:
                await self._until_journal(promise, "fulfillment.created")
                await self._pass(promise)
                await self._cancel(promise)
            case Story.DECLINED:
                await self._until_journal(promise, "exception.raised")
                await self._pass(promise)
                await self._cancel(promise)
            case Story.TOO_LATE:
                await self._until_shipped(promise)
                await self._until_journal(promise, "fulfillment.shipped")
                await self._cancel(promise)
            case Story.RETURNED:
                await self._until_shipped(promise)
                await self._until_journal(promise, "payment.captured")
                await self._return_one(promise)
            case _:
                await self._until_shipped(promise)

    async def _cancel(self, promise: Promise) -> None:
        items: list[JsonObject] = [{"line": line, "quantity": 1} for line in ("1", "2")]
        await self._command(promise, "cancel-items", {"items": [*items]})

    async def _return_one(self, promise: Promise) -> None:
        item: JsonObject = {"line": "1", "quantity": 1, "reason": "not_satisfied"}
        await self._command(promise, "return-items", {"items": [item]})

    async def _command(self, promise: Promise, what: str, body: JsonObject) -> None:
        url = f"{self._api}/orders/{promise.number}/{what}"
        self._note(promise, what, await self._asking.command(url, body, f"{what}-{promise.number}"))

    @staticmethod
    def _note(promise: Promise, what: str, answer: Answer) -> None:
        promise.answers[what] = answer.status

    async def _until_shipped(self, promise: Promise) -> None:
        await until(lambda: len(promise.shipped) == promise.order.end.shipments)

    async def _until_journal(self, promise: Promise, type: str) -> None:
        """Return once an event of *type* stands in the order's journal."""
        seen = 0
        while True:
            answer = await self._asking.get(f"{self._api}/orders/{promise.number}/journal?after={seen}&limit=100")
            # An order that is only taken in is not there yet.
            entries: list[dict[str, Any]] = answer.body["items"] if answer.status == 200 else []
            if any(entry["type"] == type for entry in entries):
                return
            seen = int(entries[-1]["seq"]) if entries else seen
            await asyncio.sleep(4 * GLANCE)

    async def _pass(self, promise: Promise) -> None:
        """Wait until the order may come to its end: so many others are kept unfinished."""
        while promise.number not in self._passed:
            if len(self.unfinished) - len(self._on_their_way()) > self.keep:
                self._passed.add(promise.number)
            else:
                await asyncio.sleep(GLANCE)

    def _on_their_way(self) -> list[Promise]:
        return [promise for promise in self.unfinished if promise.number in self._passed]

    async def _work_at(self, location: str, group: asyncio.TaskGroup) -> None:
        waiting = f"{self._api}/fulfillment-orders?location={location}&status=allocated&limit=200"
        begun: set[str] = set()
        while True:
            answer = await self._asking.get(waiting)
            for name, order in [(item["id"], item["order"]) for item in answer.body["items"]]:
                promise = self._by_number.get(order)
                if name not in begun and promise is not None and promise.order.story is not Story.CANCELLED:
                    begun.add(name)
                    group.create_task(self._ship(promise, name))
            await asyncio.sleep(2 * GLANCE)

    async def _ship(self, promise: Promise, fulfillment_order: str) -> None:
        for kind in REPORTS:
            await asyncio.sleep(self._asking.random.random() * DAWDLING)
            if kind == "shipped":
                await self._pass(promise)
            event: JsonObject = {"id": f"{fulfillment_order}.{kind}", "type": kind}
            answer = await self._asking.tell(f"{self._api}/fulfillment-orders/{fulfillment_order}/events", event)
            self._note(promise, f"{fulfillment_order}.{kind}", answer)
        promise.shipped.add(fulfillment_order)

    async def _watch(self) -> None:
        while True:
            open = [promise for promise in self.unfinished if promise.over]
            for number in await self._ended(open):
                self._by_number[number].ended_at = monotonic()
            await asyncio.sleep(GLANCE)

    async def _ended(self, promises: Iterable[Promise]) -> list[str]:
        told = {promise.number: promise.order.end.notices for promise in promises}
        try:
            async with self._engine.connect() as conn:
                return list(await conn.scalars(_ENDED, {"orders": list(told), "notices": list(told.values())}))
        except (DBAPIError, OSError):
            # It is down just now: that is what all this is about.
            return []

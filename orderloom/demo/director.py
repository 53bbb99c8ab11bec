"""Runs the demo on a stack: sets up the world, lets everyone play, waits until all is quiet, and looks at the books."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import Clock
from orderloom.demo.orders import CURRENCY, SEED, DemoOrder, Story, demo_orders
from orderloom.demo.players import GLANCE, Api, Customers, Locations
from orderloom.demo.report import Outcome
from orderloom.demo.world import demo_world
from orderloom.domain.errors import OrderloomError
from orderloom.domain.order import OrderStatus
from orderloom.persistence.flows import publish
from orderloom.persistence.world import change_stock, load_world
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.order_list import OrderSummary, orders_page
from orderloom.readmodels.snapshot import MAX_PAGE, snapshot
from orderloom.readmodels.tally import Tally, shipments_per_order, tally

AT_ONCE = 8
"""Orders that the channel places at the same time."""
TIME_LIMIT = 120.0
"""Seconds after which the demo gives up waiting for the last order."""
RESTOCK_AT = "DE-BERLIN"

ENDS: dict[Story, OrderStatus] = {
    Story.ONE_SHIPMENT: OrderStatus.FULFILLED,
    Story.FORCED_SPLIT: OrderStatus.FULFILLED,
    Story.RESTOCKED: OrderStatus.FULFILLED,
    Story.NEVER_ROUTABLE: OrderStatus.WAITING,
    Story.DECLINED: OrderStatus.WAITING,
    Story.GATEWAY_TIMEOUT: OrderStatus.FULFILLED,
    Story.CANCELLED_EARLY: OrderStatus.CANCELLED,
    Story.CANCELLED_LATE: OrderStatus.CANCELLED,
    Story.RETURNED: OrderStatus.FULFILLED,
}
"""How an order of each story must end; of a returned one only a part comes back."""


class DemoStuck(OrderloomError):
    """The demo's orders did not all come to their end in time.

    Look at the orders that are named; `orderloom doctor` and the Temporal Web UI tell more.
    """

    code = "demo.stuck"


class Director:
    """One run of the demo."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, *, api_url: str, gateway_url: str, progress: Callable[[Tally], None]
    ) -> None:
        """Take where things are; *progress* is told several times a second how far the orders are."""
        self._engine = engine
        self._clock = clock
        self._api_url = api_url
        self._gateway_url = gateway_url
        self._progress = progress
        self._told: dict[str, Story] = {}

    async def run(self, orders: Sequence[DemoOrder] | None = None) -> Outcome:
        """
        Play the demo to its end.

        Raises:
            DemoStuck: some order did not come to its end in time.
        """
        await self._set_up()
        started = monotonic()
        async with (
            httpx.AsyncClient(base_url=self._api_url, timeout=30) as client,
            httpx.AsyncClient(base_url=self._gateway_url, timeout=30) as gateway,
        ):
            await self._play(Api(client, gateway, self._clock), demo_orders() if orders is None else orders)
            seconds = monotonic() - started
            books = (await gateway.get("/books")).json()["totals"].get(CURRENCY, {})
        return await self._outcome(books, seconds)

    async def _set_up(self) -> None:
        async with self._engine.begin() as conn:
            pin = await publish(conn, pack(prebuilt.documents()), self._clock.now())
            await load_world(conn, demo_world(SEED, pin.release))

    async def _play(self, api: Api, orders: Sequence[DemoOrder]) -> None:
        locations = Locations(api)
        customers = Customers(api, locations, self._restock)
        places = asyncio.Semaphore(AT_ONCE)

        async def live(order: DemoOrder) -> None:
            async with places:
                order_id = await customers.place(order)
            self._told[order_id] = order.story
            await customers.follow_up(order, order_id)

        try:
            async with asyncio.timeout(TIME_LIMIT), asyncio.TaskGroup() as group:
                working = group.create_task(locations.work())
                lives = [group.create_task(live(order)) for order in orders]
                await self._until_all_have_ended(lives)
                working.cancel()
        except TimeoutError:
            astray = ", ".join((await self._astray())[:10])
            raise DemoStuck(f"after {TIME_LIMIT:.0f} s these had not ended: {astray}") from None

    async def _until_all_have_ended(self, lives: Sequence[asyncio.Task[None]]) -> None:
        while True:
            async with snapshot(self._engine) as conn:
                counts = await tally(conn)
            self._progress(counts)
            if counts.quiet and counts.unshipped == 0 and all(life.done() for life in lives):
                return
            await asyncio.sleep(GLANCE)

    async def _restock(self, sku: str) -> None:
        async with self._engine.begin() as conn:
            await change_stock(conn, RESTOCK_AT, sku, 100, "restock", self._clock.now())

    async def _summaries(self) -> list[OrderSummary]:
        found: list[OrderSummary] = []
        async with snapshot(self._engine) as conn:
            while True:
                after = found[-1].id if found else None
                page = await orders_page(conn, channel=None, external_id=None, after=after, limit=MAX_PAGE)
                found += page
                if len(page) < MAX_PAGE:
                    return found

    async def _astray(self) -> list[str]:
        return [
            f"order {each.id} ({self._told[each.id]}) ended as {each.status}"
            for each in await self._summaries()
            if each.status != ENDS[self._told[each.id]]
        ]

    async def _outcome(self, books: dict[str, int], seconds: float) -> Outcome:
        statuses: dict[str, Counter[str]] = {}
        for each in await self._summaries():
            statuses.setdefault(self._told[each.id], Counter())[each.status] += 1
        async with snapshot(self._engine) as conn:
            counts = await tally(conn)
            shipments = await shipments_per_order(conn)
            examined = await examine(conn)
        return Outcome(
            tally=counts,
            statuses=statuses,
            shipments=shipments,
            findings=tuple(f"{each.check}: {each.order} {each.subject}" for each in examined.findings),
            gateway={"captured": books.get("captured", 0), "refunded": books.get("refunded", 0)},
            astray=tuple(await self._astray()),
            seconds=seconds,
        )

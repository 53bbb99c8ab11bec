"""Directs the demo: sets up the world, lets everyone play, waits until all is quiet, and looks at the books."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import monotonic

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
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
PROGRESS_GLANCE = 1.0
"""Seconds between two looks at how far the orders are."""
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


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where the demo plays; it can be handed to another process."""

    database_url: str
    api_url: str
    gateway_url: str


async def direct(stage: Stage, progress: Callable[[Tally], None]) -> Outcome:
    """
    Set up the world, let everyone outside play in a process of their own, and look at how it ended.

    Args:
        progress: is told every second how far the orders are.

    Raises:
        DemoStuck: some order did not come to its end in time.
    """
    engine = create_engine(stage.database_url)
    try:
        await _set_up(engine)
        started = monotonic()
        with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
            playing = asyncio.wrap_future(pool.submit(play, stage))
            while not playing.done():
                progress(await _count(engine))
                await asyncio.wait([playing], timeout=PROGRESS_GLANCE)
            told = await playing
        seconds = monotonic() - started
        progress(await _count(engine))
        return await _Books(engine, told).outcome(await _gateway_books(stage.gateway_url), seconds)
    finally:
        await engine.dispose()


def play(stage: Stage) -> dict[str, Story]:
    """Play everyone's part until all orders have come to their end; return each order's story by its number."""
    return asyncio.run(_Play(stage).run())


async def _set_up(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        pin = await publish(conn, pack(prebuilt.documents()), Clock().now())
        await load_world(conn, demo_world(SEED, pin.release))


async def _count(engine: AsyncEngine) -> Tally:
    async with snapshot(engine) as conn:
        return await tally(conn)


async def _gateway_books(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as gateway:
        totals = (await gateway.get("/books")).json()["totals"].get(CURRENCY, {})
    return {"captured": totals.get("captured", 0), "refunded": totals.get("refunded", 0)}


class _Play:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._engine = create_engine(stage.database_url)
        self._clock = Clock()
        self._told: dict[str, Story] = {}

    async def run(self) -> dict[str, Story]:
        try:
            async with (
                httpx.AsyncClient(base_url=self._stage.api_url, timeout=30) as client,
                httpx.AsyncClient(base_url=self._stage.gateway_url, timeout=30) as gateway,
                asyncio.timeout(TIME_LIMIT),
            ):
                await self._play(Api(client, gateway, self._clock))
        except TimeoutError:
            counts = await _count(self._engine)
            raise DemoStuck(f"after {TIME_LIMIT:.0f} s the orders had come this far: {counts}") from None
        finally:
            await self._engine.dispose()
        return self._told

    async def _play(self, api: Api) -> None:
        locations = Locations(api)
        customers = Customers(api, locations, self._restock)
        places = asyncio.Semaphore(AT_ONCE)

        async def live(order: DemoOrder) -> None:
            async with places:
                order_id = await customers.place(order)
            self._told[order_id] = order.story
            await customers.follow_up(order, order_id)

        async with asyncio.TaskGroup() as group:
            working = group.create_task(locations.work())
            lives = [group.create_task(live(order)) for order in demo_orders()]
            await asyncio.gather(*lives)
            await self._all_at_rest()
            working.cancel()

    async def _all_at_rest(self) -> None:
        while True:
            counts = await _count(self._engine)
            if counts.quiet and counts.unshipped == 0:
                return
            await asyncio.sleep(GLANCE)

    async def _restock(self, sku: str) -> None:
        async with self._engine.begin() as conn:
            await change_stock(conn, RESTOCK_AT, sku, 100, "restock", self._clock.now())


class _Books:
    """The end of a run, from the database."""

    def __init__(self, engine: AsyncEngine, told: Mapping[str, Story]) -> None:
        self._engine = engine
        self._told = told

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

    async def outcome(self, gateway: dict[str, int], seconds: float) -> Outcome:
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
            gateway=gateway,
            astray=tuple(await self._astray()),
            seconds=seconds,
        )

"""Directs the demo: sets up the world, lets everyone play, waits until all is quiet, and looks at the books."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import Callable, Mapping
from time import monotonic

import httpx
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.demo.orders import CURRENCY, SEED, Story
from orderloom.demo.play import Stage
from orderloom.demo.report import Outcome
from orderloom.demo.world import demo_world
from orderloom.domain.errors import OrderloomError
from orderloom.domain.order import OrderStatus
from orderloom.persistence.flows import publish
from orderloom.persistence.world import load_world
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.order_list import OrderFilter, OrderSummary, orders_page
from orderloom.readmodels.snapshot import MAX_PAGE, snapshot
from orderloom.readmodels.tally import Tally, shipments_per_order, tally

PROGRESS_GLANCE = 1.0
"""Seconds between two looks at how far the orders are."""

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
        told = await _watch(stage, progress, engine)
        seconds = monotonic() - started
        progress(await _count(engine))
        return await _Books(engine, told).outcome(await _gateway_books(stage.gateway_url), seconds)
    finally:
        await engine.dispose()


async def _watch(stage: Stage, progress: Callable[[Tally], None], engine: AsyncEngine) -> dict[str, Story]:
    """Let everyone play in a process of their own, and tell how far they are; it never outlives this call."""
    command = (sys.executable, "-m", "orderloom.demo.play", stage.database_url, stage.api_url, stage.gateway_url)
    playing = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, start_new_session=True)
    ending = asyncio.create_task(playing.communicate())
    try:
        while not ending.done():
            progress(await _count(engine))
            await asyncio.wait([ending], timeout=PROGRESS_GLANCE)
        told, trouble = await ending
    finally:
        if playing.returncode is None:
            playing.kill()
            await playing.wait()
    if playing.returncode:
        last = trouble.decode().strip().splitlines()[-1:] or ["nothing was said"]
        raise DemoStuck(f"the players gave up: {last[0]}")
    return {order: Story(story) for order, story in json.loads(told).items()}


async def _set_up(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        now = Clock().now()
        pin = await publish(conn, pack(prebuilt.documents()), now)
        await load_world(conn, demo_world(SEED, pin.release), now)


async def _count(engine: AsyncEngine) -> Tally:
    async with snapshot(engine) as conn:
        return await tally(conn)


async def _gateway_books(url: str) -> dict[str, int]:
    async with httpx.AsyncClient(base_url=url, timeout=30) as gateway:
        totals = (await gateway.get("/books")).json()["totals"].get(CURRENCY, {})
    return {"captured": totals.get("captured", 0), "refunded": totals.get("refunded", 0)}


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
                page = await orders_page(conn, OrderFilter(), after=after, limit=MAX_PAGE)
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

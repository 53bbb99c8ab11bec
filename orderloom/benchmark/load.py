"""
The load generator, a process of its own: ``python -m orderloom.benchmark.load ORDER``, with *ORDER* a `LoadOrder`.

It keeps a number of standard orders on their way: a closed loop, in which the next one is placed when one has ended.
"""

import asyncio
from time import monotonic, process_time

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.generator import perform, tell
from orderloom.benchmark.outside import GLANCE, Addresses, Outside, connected, ended
from orderloom.benchmark.world import standard_orders
from orderloom.domain.model import Frozen, JsonObject

PATIENCE = 120.0
"""Seconds without any order's end after which the run is given up."""


class LoadOrder(Addresses):
    """What is to be run, and where."""

    seed: int
    series: str
    count: int
    at_once: int
    """Orders that are on their way at the same time."""


class LoadReport(Frozen):
    """What was run. Durations in seconds, one per order, in the order of their ends."""

    orders: list[str]
    placing: list[float]
    whole: list[float]
    seconds: float
    """From the first order's placing to the last one's end."""
    placed_seconds: float
    """From the first order's placing to the answer to the last one's."""
    cpu_seconds: float
    """Of this process."""


class Load:
    """One run of the load generator."""

    def __init__(self, order: LoadOrder, engine: AsyncEngine, outside: Outside) -> None:
        """Take what is to be run, a connection to the database, and everyone outside."""
        self._order = order
        self._engine = engine
        self._outside = outside
        self._running = asyncio.Semaphore(order.at_once)
        self._began: dict[str, float] = {}
        self._ended: list[str] = []
        self._placing: list[float] = []
        self._whole: list[float] = []

    async def run(self) -> LoadReport:
        """Place all orders, ship them, and return when each has come to its end."""
        orders = list(standard_orders(self._order.seed, self._order.series, self._order.count))
        await self._outside.check_out(orders)
        tell(0)
        begun, cpu = monotonic(), process_time()
        async with asyncio.TaskGroup() as group:
            shipping = group.create_task(self._outside.ship())
            watching = group.create_task(self._watch(len(orders)))
            await self._place_all(orders)
            placed = monotonic()
            await watching
            shipping.cancel()
        return LoadReport(
            orders=self._ended,
            placing=self._placing,
            whole=self._whole,
            seconds=monotonic() - begun,
            placed_seconds=placed - begun,
            cpu_seconds=process_time() - cpu,
        )

    async def _place_all(self, orders: list[JsonObject]) -> None:
        async with asyncio.TaskGroup() as group:
            for order in orders:
                await self._running.acquire()
                group.create_task(self._place(order))

    async def _place(self, order: JsonObject) -> None:
        began = monotonic()
        number, _ = await self._outside.place(order)
        self._placing.append(monotonic() - began)
        self._began[number] = began

    async def _watch(self, count: int) -> None:
        last = monotonic()
        while len(self._ended) < count:
            await asyncio.sleep(GLANCE)
            found = await ended(self._engine, self._began)
            now = monotonic()
            for order in found:
                self._whole.append(now - self._began.pop(order))
                self._ended.append(order)
                self._running.release()
            if found:
                last = now
                tell(len(self._ended))
            if now - last > PATIENCE:
                raise TimeoutError(f"{len(self._began)} orders do not end, such as {next(iter(self._began), None)}")


async def _run(order: LoadOrder) -> LoadReport:
    async with connected(order, order.at_once) as (engine, outside):
        return await Load(order, engine, outside).run()


if __name__ == "__main__":
    perform(LoadOrder, _run)

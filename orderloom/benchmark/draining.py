"""
Watches a backlog drain, in a process of its own: ``python -m orderloom.benchmark.draining ORDER``, a `DrainOrder`.

The locations ship, a probe looks and places, and every order's end is noted.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.generator import perform, tell
from orderloom.benchmark.outside import Addresses, Outside, connected, ended
from orderloom.benchmark.probe import Probe
from orderloom.bootstrap.clock import Clock
from orderloom.domain.model import Frozen
from orderloom.persistence.intake import ORDER_PLACED
from orderloom.persistence.tables.intake import intake

GLANCE = 0.5
"""Seconds between two looks at what has ended."""
PATIENCE = 120.0
"""Seconds without any order's end after which the run is given up."""
AT_ONCE = 64
"""Requests."""


class DrainOrder(Addresses):
    """What is to be watched, and where."""

    seed: int


class Drained(Frozen):
    """How the backlog drained. Times in seconds since it began to."""

    ends: list[float]
    """When each order came to its end, in the order in which they were taken in."""
    waited: list[float]
    """How long each had waited by then already."""
    looks: list[float]
    """How long the probe waited for the list of orders."""
    placings: list[float]
    """How long it waited for each answer to a placement."""
    asked: int
    """How often it asked for both."""
    errors: list[str]
    """What it got instead of an answer."""


class Drain:
    """One drain."""

    def __init__(self, order: DrainOrder, engine: AsyncEngine, outside: Outside) -> None:
        """Take what is to be watched, a connection to the database, and everyone outside."""
        self._engine = engine
        self._outside = outside
        self._probe = Probe(outside, order.seed, "probe")
        self._ends: dict[str, float] = {}
        self._begun = 0.0

    async def run(self) -> Drained:
        """Return when all orders that were taken in, and those of the probe, have come to their end."""
        backlog = await self._backlog()
        tell(0)
        self._begun, now = monotonic(), Clock().now()
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            shipping = group.create_task(self._outside.ship())
            probing = group.create_task(self._probe.run(stopping))
            await self._until_ended(backlog)
            stopping.set()
            await probing
            await self._until_ended(self._probe.placed)
            shipping.cancel()
        return Drained(
            ends=[self._ends[order] for order in backlog],
            waited=[(now - taken_in).total_seconds() for taken_in in backlog.values()],
            looks=self._probe.looks,
            placings=self._probe.placings,
            asked=self._probe.asked,
            errors=self._probe.errors,
        )

    async def _backlog(self) -> dict[str, datetime]:
        """Return when each order was taken in, in that order."""
        query = select(intake.c.order_id, intake.c.received_at).where(intake.c.type == ORDER_PLACED)
        async with self._engine.connect() as conn:
            rows = await conn.execute(query.order_by(intake.c.position))
            return {row.order_id: row.received_at for row in rows}

    async def _until_ended(self, orders: Iterable[str]) -> None:
        waiting, last = set(orders) - self._ends.keys(), monotonic()
        while waiting:
            await asyncio.sleep(GLANCE)
            found, now = await ended(self._engine, waiting), monotonic()
            if found:
                last = now
                waiting.difference_update(found)
                self._ends.update(dict.fromkeys(found, now - self._begun))
                tell(len(self._ends))
            if now - last > PATIENCE:
                raise TimeoutError(f"{len(waiting)} orders do not end, such as {min(waiting)}")


async def _run(order: DrainOrder) -> Drained:
    async with connected(order, AT_ONCE) as (engine, outside):
        return await Drain(order, engine, outside).run()


if __name__ == "__main__":
    perform(DrainOrder, _run)

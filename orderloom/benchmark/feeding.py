"""What it costs to take in a feed of stock: a file of counts, then the same shelves as changes, on PostgreSQL alone."""

import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.generator import Begins
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.server import postgres
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.domain.model import Frozen
from orderloom.inventory.feed_lines import BadRow, FeedOptions
from orderloom.inventory.feed_progress import FeedProgress
from orderloom.inventory.feeds import load_feed
from orderloom.persistence.stock_merge import Mode
from orderloom.persistence.tables.inventory import group_stock, stock
from orderloom.persistence.world import Group, Location, World, load_world

LEAST = 20_000
"""Records a second that a feed must be taken in at."""
_LOCATIONS = 100
_FEEDS: tuple[tuple[str, Mode], ...] = (("full feed", "full"), ("delta feed", "delta"), ("delta feed again", "delta"))
_EACH = 5
"""Units that a count puts on each shelf, and a change adds."""


class FeedPlan(Frozen):
    """What is measured."""

    records: int = 1_000_000


class FeedReport(Frozen):
    """How many records a second were taken in."""

    kind: Literal["inventory"] = "inventory"
    command: str
    origin: Origin
    plan: FeedPlan
    full: float
    """Counts of shelves that had no stock before: all of them are entered."""
    delta: float
    """Changes of the same shelves."""
    again: float
    """The changes once more: all were merged, and nothing may be merged twice."""
    peak: int
    """Bytes of memory that the process held at most."""
    on_hand: int
    """Units on hand at the end, at locations and at their group."""
    in_group: int

    @property
    def passed(self) -> bool:
        """Whether it was fast enough, and every unit is where it belongs."""
        wanted = 2 * _EACH * self.plan.records
        return min(self.full, self.delta) >= LEAST and self.on_hand == self.in_group == wanted


async def measure_feed(
    directory: Path, plan: FeedPlan, tell: Callable[[str], None], begins: Begins, about: tuple[str, Origin]
) -> FeedReport:
    """Start PostgreSQL on *directory*, take in a full feed and a delta of as many records, and the delta again."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres(directory, tell))
        url = await server.ensure_database("orderloom")
        await migrate(url, await server.ensure_database("orderloom_keys"))
        engine = create_engine(url)
        stack.push_async_callback(engine.dispose)
        await _prepare(engine, plan)
        rates = [await _feed(engine, plan, mode, begins(name, plan.records)) for name, mode in _FEEDS]
        async with engine.connect() as conn:
            on_hand = int(await conn.scalar(select(func.sum(stock.c.on_hand))) or 0)
            in_group = int(await conn.scalar(select(func.sum(group_stock.c.on_hand))) or 0)
    full, delta, again = rates
    return FeedReport(
        command=about[0],
        origin=about[1],
        plan=plan,
        full=full,
        delta=delta,
        again=again,
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        on_hand=on_hand,
        in_group=in_group,
    )


async def _prepare(engine: AsyncEngine, plan: FeedPlan) -> None:
    places = [Location(id=_location(number), country="DE") for number in range(_LOCATIONS)]
    async with engine.begin() as conn:
        group = Group(id="all", locations=[place.id for place in places])
        await load_world(conn, World(locations=places, groups=[group]), Clock().now())
        await conn.execute(
            text("INSERT INTO products (sku, name) SELECT 'SKU-' || n, '' FROM generate_series(0, :last) n"),
            {"last": (plan.records - 1) // _LOCATIONS},
        )


async def _feed(engine: AsyncEngine, plan: FeedPlan, mode: Mode, done: Callable[[int], None]) -> float:
    def tell(progress: FeedProgress, bad: Sequence[BadRow]) -> None:
        assert not bad, f"no line is refused: {bad[:3]}"
        done(progress.lines)

    options = FeedOptions(id=f"measured-{mode}", mode=mode, format="csv")
    began = perf_counter()
    await load_feed(engine, options, _lines(plan.records), Clock().now, tell)
    return plan.records / (perf_counter() - began)


async def _lines(records: int) -> AsyncIterator[bytes]:
    yield b"location,sku,quantity\n"
    for number in range(records):
        yield f"{_location(number % _LOCATIONS)},SKU-{number // _LOCATIONS},{_EACH}\n".encode()


def _location(number: int) -> str:
    return f"L{number:03}"

"""The benchmark: standard orders, the raw twin and the floor by turns, on servers of its own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.contenders import Contender, Floor, Orders
from orderloom.benchmark.errors import MeasuredSomethingElse
from orderloom.benchmark.generator import Begins
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.replaying import replayed
from orderloom.benchmark.report import Plan, Report, Run, Series
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.fleet import Fleet

TWIN = "twin"
"""The twin's namespace and database."""
TWIN_WORKER = "benchmark twin-worker"
"""The command of its workers."""
FLOOR_SHARE = 4
"""Empty workflows for each order, so that runs take about as long."""


@dataclass(kw_only=True)
class Lane:
    """One contender and its runs."""

    name: str
    contender: Contender
    share: int = 1
    """How many of it stand for one order."""
    runs: list[Run] = field(default_factory=list[Run])

    async def turn(self, series: str, orders: int, begins: Begins) -> Run:
        """Run it once."""
        count = orders * self.share
        return await self.contender.run(series, count, begins(f"{series}: {self.name}", count))


class Benchmark:
    """One benchmark over two fleets on the same servers."""

    def __init__(self, plan: Plan, orders: Orders, twin: Orders, floor: Floor, begins: Begins) -> None:
        """Take the plan, who is measured, and who is told how far it is."""
        self._plan = plan
        self._begins = begins
        self._both = orders, twin
        self._lanes = (
            Lane(name="standard orders", contender=orders),
            Lane(name="raw twin", contender=twin),
            Lane(name="floor", contender=floor, share=FLOOR_SHARE),
        )

    async def run(self, command: str, origin: Origin) -> Report:
        """
        Warm up, run all by turns, and look at what was done.

        Raises:
            LoadFailed: a load generator gave up.
            MeasuredSomethingElse: the books are not right, or the twin did not do what the orders did.
        """
        await self._warm_up()
        for number in range(1, self._plan.runs + 1):
            for lane in self._lanes:
                lane.runs.append(await lane.turn(f"run-{number}", self._plan.orders, self._begins))
        await self._compare()
        (orders, twin), lanes = self._both, self._lanes
        return Report(
            command=command,
            origin=origin,
            plan=self._plan,
            orders=await orders.series(lanes[0].runs),
            twin=await twin.series(lanes[1].runs),
            floor=Series(runs=tuple(lanes[2].runs)),
            replay=await replayed(await orders.recorded(), await twin.recorded()),
        )

    async def _warm_up(self) -> None:
        for orders in self._both:
            await orders.open()
        for lane in self._lanes:
            await lane.turn("warm-up", self._plan.orders, self._begins)
        for orders in self._both:
            orders.settle()

    async def _compare(self) -> None:
        ours, twins = [await orders.journals() for orders in self._both]
        if ours != twins or len(ours) != 1:
            detail = f"The journals of orders say {sorted(ours)}, those of the twin {sorted(twins)}."
            raise MeasuredSomethingElse(detail)
        for orders in self._both:
            if findings := await orders.findings():
                raise MeasuredSomethingElse(f"The books are not right: {findings[0]}.", findings=len(findings))


@asynccontextmanager
async def prepared(fleet: Fleet, plan: Plan, begins: Begins) -> AsyncGenerator[Benchmark]:
    """
    Start the twin's fleet beside *fleet*, which knows its namespace `TWIN`, and stop it at the end.

    Raises:
        StartRefused: one of its subclasses says what is in the way; nothing is left running.
    """
    async with fleet.beside(TWIN, TWIN_WORKER) as twin, connection(fleet) as engine, connection(twin) as twins_engine:
        yield Benchmark(
            plan,
            Orders(fleet, engine, seed=plan.seed, at_once=plan.at_once, namespace="default"),
            Orders(twin, twins_engine, seed=plan.seed, at_once=plan.at_once, namespace=TWIN),
            Floor(twin, at_once=plan.at_once, namespace=TWIN),
            begins,
        )


@asynccontextmanager
async def connection(fleet: Fleet) -> AsyncGenerator[AsyncEngine]:
    """Connect to a fleet's database."""
    engine = create_engine(fleet.servers.addresses.database_url)
    yield engine
    await engine.dispose()

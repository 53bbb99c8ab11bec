"""A backlog: orders are placed while no worker runs; then workers start, and it must drain."""

import asyncio

from orderloom.benchmark import draining, taking_in
from orderloom.benchmark.backlog_report import (
    API_BOUND,
    CACHED_BOUND,
    WORKER_BOUND,
    BacklogPlan,
    BacklogReport,
    Memory,
    lateness,
    longest_pause,
)
from orderloom.benchmark.contenders import findings_in, open_world
from orderloom.benchmark.draining import Drained, DrainOrder
from orderloom.benchmark.generator import Begins, generate
from orderloom.benchmark.load import LoadOrder
from orderloom.benchmark.meters import most_resident
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.spread import Percentiles
from orderloom.benchmark.taking_in import TakenIn
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.fleet import Fleet
from orderloom.settings import Settings


class Backlog:
    """One backlog of a running fleet that has no orders yet."""

    def __init__(self, fleet: Fleet, plan: BacklogPlan, begins: Begins) -> None:
        """Take the fleet, the plan, and who is told how far it is."""
        self._fleet = fleet
        self._plan = plan
        self._begins = begins
        self._where = {
            "api_url": fleet.api_url,
            "gateway_url": fleet.gateway_url,
            "database_url": fleet.servers.addresses.database_url,
        }

    async def run(self, command: str, origin: Origin) -> BacklogReport:
        """
        Stop the workers, let orders come in, start the workers, and watch until every order has come to its end.

        Raises:
            LoadFailed: an order was refused, or does not end.
        """
        engine = create_engine(self._where["database_url"])
        try:
            await open_world(engine)
            taken_in = await self._take_in()
            drained, memory = await self._drain()
            findings = await findings_in(engine)
        finally:
            await engine.dispose()
        return BacklogReport(
            command=command,
            origin=origin,
            plan=self._plan,
            answers=taken_in.answers,
            placed=self._plan.orders / taken_in.seconds,
            drain=max(drained.ends),
            longest_wait=max(before + end for before, end in zip(drained.waited, drained.ends, strict=True)),
            latest=lateness(drained.ends),
            longest_pause=longest_pause(drained.ends),
            memory=memory,
            looks=Percentiles.of(drained.looks),
            placings=Percentiles.of(drained.placings),
            asked=drained.asked,
            errors=tuple(drained.errors),
            findings=tuple(map(str, findings)),
        )

    async def _take_in(self) -> TakenIn:
        for worker in self._fleet.workers:
            await worker.stop()
        plan = self._plan
        order = LoadOrder(**self._where, seed=plan.seed, series="backlog", count=plan.orders, at_once=plan.at_once)
        return await generate(taking_in.__name__, order, TakenIn, self._begins("orders taken in", plan.orders))

    async def _drain(self) -> tuple[Drained, dict[str, Memory]]:
        order = DrainOrder(**self._where, seed=self._plan.seed)
        told = self._begins("orders ended", self._plan.orders)
        drained = asyncio.create_task(generate(draining.__name__, order, Drained, told))
        try:
            for worker in self._fleet.workers:
                await worker.start()
            pids = {"worker": [worker.pid for worker in self._fleet.workers], "API": [self._fleet.api.pid]}
            async with most_resident(pids) as most:
                await drained
        finally:
            drained.cancel()
            await asyncio.gather(drained, return_exceptions=True)
        bounds = {"worker": self._worker_bound(), "API": API_BOUND}
        return drained.result(), {name: Memory(most=most[name], bound=bound) for name, bound in bounds.items()}

    def _worker_bound(self) -> int:
        return len(self._fleet.workers) * (WORKER_BOUND + CACHED_BOUND * Settings().workflow_cache)

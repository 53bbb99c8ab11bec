"""Directs a run: lets orders come, strikes while enough of them are under way, and judges when all have ended."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from random import Random
from time import monotonic

import aiohttp

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.fleet import Fleet
from orderloom.bootstrap.temporal_client import connect
from orderloom.chaos.asking import Asking
from orderloom.chaos.outside import Outside, Promise, until
from orderloom.chaos.plan import Blow, Plan
from orderloom.chaos.report import UNFINISHED, Act, Report, Strike
from orderloom.chaos.stories import chaos_orders, chaos_world
from orderloom.chaos.verdict import Verdict
from orderloom.chaos.victims import bring_back, lives, strike
from orderloom.persistence.flows import publish
from orderloom.persistence.world import load_world

MARGIN = 4
"""Orders that are kept unfinished beyond those that must be."""
MOMENT = 1.0
"""A blow falls at a random moment within so many seconds."""
PATIENCE = 120.0
"""Seconds after the last blow within which every order must have ended."""


class Run:
    """One run against a running fleet."""

    def __init__(
        self, plan: Plan, fleet: Fleet, outside: Outside, verdict: Verdict, tell: Callable[[str], None]
    ) -> None:
        """Take what is to be done to whom, who plays the outside, who judges, and who is told of every blow."""
        self._plan = plan
        self._outside = outside
        self._verdict = verdict
        self._tell = tell
        self._random = Random(f"{plan.seed} blows")
        self._orders = chaos_orders(Random(f"{plan.seed} orders"), plan.orders)
        self._lives = lives(fleet)
        self._began = monotonic()
        self._report = Report(seed=plan.seed, kills=plan.kills)

    async def run(self) -> Report:
        """Play every act; one that does not come to its end is the last."""
        for name, blows in self._plan.acts:
            orders = self._plan.orders_of(name)
            act = Act(name=name, orders=orders)
            self._report.acts.append(act)
            await self._play(act, blows)
            self._tell(f"{name}: {orders} orders ended {act.recovery:.1f} s after the last blow")
            if any(not promise.ended for promise in self._outside.promises):
                break
        self._report.repeated = self._outside.repeated
        self._report.seconds = monotonic() - self._began
        return self._report

    async def _play(self, act: Act, blows: Sequence[Blow]) -> None:
        first = len(self._outside.promises)
        self._outside.keep = UNFINISHED + MARGIN
        async with asyncio.TaskGroup() as group:
            living = [group.create_task(self._outside.live(order)) for order in islice(self._orders, act.orders)]
            for blow in blows[:-1]:
                act.strikes.append(await self._strike(blow))
            # The last one meets all of them in motion.
            self._outside.keep = 0
            act.strikes.append(await self._strike(blows[-1]))
            last = monotonic()
            try:
                async with asyncio.timeout(PATIENCE):
                    await until(lambda: all(task.done() for task in living) and not self._outside.unfinished)
            except TimeoutError:
                for task in living:
                    task.cancel()
        promises = self._outside.promises[first:]
        act.recovery = max((promise.ended_at or monotonic()) for promise in promises) - last
        act.failures += self._outside.contradictions()
        act.failures += [_where(promise) for promise in promises if not promise.ended]
        act.failures += await self._verdict.failures([promise for promise in promises if promise.ended])

    async def _strike(self, blow: Blow) -> Strike:
        async with asyncio.timeout(PATIENCE):
            await until(lambda: len(self._outside.unfinished) >= UNFINISHED)
        await asyncio.sleep(self._random.random() * MOMENT)
        began, unfinished = monotonic(), len(self._outside.unfinished)
        await strike(self._lives, blow.victims)
        await asyncio.sleep(blow.absence)
        await bring_back(self._lives, blow.victims)
        done = Strike(
            kind=blow.kind,
            detail=", ".join(blow.victims),
            at=began - self._began,
            unfinished=unfinished,
            back=monotonic() - began,
        )
        self._tell(f"{done.at:7.1f} s  killed {done.detail}, {unfinished} unfinished, back after {done.back:.1f} s")
        return done


def _where(promise: Promise) -> str:
    """Say how far an order has come that does not end."""
    return (
        f"order {promise.number or promise.order.external_id} ({promise.order.story}) does not end; "
        f"over for the outside: {promise.over}, shipped {sorted(promise.shipped)}, answers {promise.answers}"
    )


@asynccontextmanager
async def prepared(fleet: Fleet, plan: Plan, tell: Callable[[str], None]) -> AsyncGenerator[Run]:
    """Set up the world in *fleet* and let everyone outside work."""
    engine = create_engine(fleet.servers.addresses.database_url, pooled=False)
    async with engine.begin() as conn:
        pin = await publish(conn, pack(prebuilt.documents()), Clock().now())
        await load_world(conn, chaos_world(pin.release))
    client = await connect(fleet.servers.addresses.temporal_address)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        asking = Asking(http, Random(f"{plan.seed} outside"))
        outside = Outside(fleet.api_url, fleet.gateway_url, engine, asking)
        working = asyncio.create_task(outside.work())
        try:
            yield Run(plan, fleet, outside, Verdict(fleet, engine, client, http), tell)
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            await engine.dispose()

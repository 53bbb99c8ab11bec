"""Directs a run: lets orders come, strikes while enough of them are under way, and judges when all have ended."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import islice
from random import Random
from time import monotonic

import aiohttp
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.fleet import Fleet
from orderloom.bootstrap.master_key import master_key
from orderloom.bootstrap.temporal_client import connect
from orderloom.chaos.asking import Asking
from orderloom.chaos.errors import BlowMissed
from orderloom.chaos.outside import Outside, Promise, until
from orderloom.chaos.passes import all_waves, under_way
from orderloom.chaos.plan import Part, Plan
from orderloom.chaos.report import UNFINISHED, Act, Report, Strike
from orderloom.chaos.scene import Blow, Scene
from orderloom.chaos.stories import chaos_orders, chaos_world
from orderloom.chaos.verdict import Verdict
from orderloom.chaos.victims import lives
from orderloom.chaos.wire import Wire
from orderloom.persistence.flows import publish
from orderloom.persistence.vault import Vault
from orderloom.persistence.world import load_world
from orderloom.settings import Settings

MOMENT = 0.4
"""A blow falls at a random moment within so many seconds."""
RUSH = 0.4
"""The last blow of an act falls so many seconds after all orders may come to their end, at most."""
PATIENCE = 90.0
"""Seconds within which orders must come, and must end after the last blow."""


class Run:
    """One run against a running fleet."""

    def __init__(self, plan: Plan, scene: Scene, verdict: Verdict, tell: Callable[[str], None]) -> None:
        """Take what is to be done, where, who judges, and who is told of every blow."""
        self._plan = plan
        self._scene = scene
        self._outside = scene.outside
        self._verdict = verdict
        self._tell = tell
        self._orders = chaos_orders(Random(f"{plan.seed} orders"), plan.orders)
        self._began = monotonic()
        self._report = Report(seed=plan.seed, kills=plan.kills)

    async def run(self) -> Report:
        """Play every act; one that does not come to its end is the last."""
        for part in self._plan.parts:
            act = Act(name=part.name, orders=part.orders)
            self._report.acts.append(act)
            await self._play(part, act)
            self._tell(f"{part.name}: {part.orders} orders ended {act.recovery:.1f} s after the last blow")
            if not all(promise.ended for promise in self._outside.promises):
                break
        self._report.waves = await all_waves(self._scene.engine)
        self._report.repeated = self._outside.repeated
        self._report.seconds = monotonic() - self._began
        return self._report

    async def _play(self, part: Part, act: Act) -> None:
        self._outside.keep = part.keep
        earlier, promises = list(self._outside.promises), list[Promise]()
        async with asyncio.TaskGroup() as group:
            living: list[asyncio.Task[None]] = []
            newcomers: list[list[Promise]] = []

            def come(count: int) -> list[Promise]:
                """Let so many orders come, and return what is promised to them."""
                coming = [self._outside.promised(order) for order in islice(self._orders, count)]
                living.extend(group.create_task(self._outside.live(promise)) for promise in coming)
                promises.extend(coming)
                return coming

            come(part.keep)
            for number, blow in enumerate(part.blows):
                left = len(part.blows) - number
                if not await self._crowd(part, last=left == 1):
                    act.failures.append(f"{len(self._outside.unfinished)} orders are under way, too few to go on")
                    break
                newcomers.append(come((part.orders - len(promises)) // left))
                act.strikes.append(await self._fall(blow, act))
            fallen = monotonic()
            await self._all_ended(living)
        for strike, came in zip(act.strikes, newcomers, strict=True):
            taken = (promise.taken_at or monotonic() for promise in came)
            strike.taken = max(taken, default=self._began + strike.at) - self._began - strike.at
        act.recovery = max((promise.ended_at or monotonic()) for promise in promises) - fallen
        act.failures += [_where(promise) for promise in promises if not promise.ended]
        act.failures += self._outside.contradictions()
        ended = [promise for promise in promises if promise.ended]
        act.failures += await self._verdict.failures(ended, earlier, dead=self._scene.dead)

    async def _all_ended(self, living: Sequence[asyncio.Task[None]]) -> None:
        """Wait for the ends of all orders; give up those that do not come to one."""
        self._outside.keep = 0
        if not await _patiently(lambda: all(task.done() for task in living) and not self._outside.unfinished):
            for task in living:
                task.cancel()

    async def _crowd(self, part: Part, *, last: bool) -> bool:
        """Wait until enough orders are under way, and then for a random moment. False when they do not come."""
        if not await _patiently(lambda: len(self._outside.unfinished) >= min(part.keep, UNFINISHED)):
            return False
        if last:
            # It meets all of them in motion.
            self._outside.keep = 0
        await asyncio.sleep(self._scene.random.random() * (RUSH if last else MOMENT))
        return True

    async def _fall(self, blow: Blow, act: Act) -> Strike:
        waves = await under_way(self._scene.engine)
        began, unfinished = monotonic(), len(self._outside.unfinished)
        try:
            await blow.fall(self._scene)
        except BlowMissed as missed:
            act.failures.append(missed.detail)
        back, at = monotonic() - began, began - self._began
        self._tell(f"{at:7.1f} s  {blow.detail}; {unfinished} unfinished, over after {back:.1f} s")
        return Strike(kind=blow.kind, detail=blow.detail, at=at, unfinished=unfinished, back=back, waves=waves)


async def _patiently(true: Callable[[], bool]) -> bool:
    """Wait until it is *true*, and return whether it ever was."""
    try:
        async with asyncio.timeout(PATIENCE):
            await until(true)
    except TimeoutError:
        return False
    return True


def _where(promise: Promise) -> str:
    """Say how far an order has come that does not end."""
    return (
        f"order {promise.number or promise.order.external_id} ({promise.order.story}) does not end; "
        f"over for the outside: {promise.over}, shipped {sorted(promise.shipped)}, answers {promise.answers}"
    )


@asynccontextmanager
async def prepared(fleet: Fleet, plan: Plan, tell: Callable[[str], None]) -> AsyncGenerator[Run]:
    """Set up the world in *fleet* and let everyone outside work."""
    addresses, directory = fleet.servers.addresses, fleet.servers.directory
    async with AsyncExitStack() as stack:
        engine, keys = (create_engine(url, pooled=False) for url in (addresses.database_url, addresses.keys_url))
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(keys.dispose)
        await _set_up(engine)
        client = await connect(addresses.temporal_address)
        connector = aiohttp.TCPConnector(limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        wire = Wire(directory.path / "wire", directory.socket_directory())
        await stack.enter_async_context(wire.laid())
        outside = Outside(fleet.api_url, fleet.gateway_url, engine, Asking(http, Random(f"{plan.seed} outside")))
        scene = Scene(
            fleet=fleet,
            lives=lives(fleet),
            outside=outside,
            engine=engine,
            vault=Vault(keys, master_key(Settings(data_dir=directory.path))),
            client=client,
            http=http,
            wire=wire,
            random=Random(f"{plan.seed} moments"),
        )
        async with _working(outside):
            yield Run(plan, scene, Verdict(fleet, engine, client, http), tell)


async def _set_up(engine: AsyncEngine) -> None:
    async with engine.begin() as conn:
        now = Clock().now()
        pin = await publish(conn, pack(prebuilt.documents()), now)
        await load_world(conn, chaos_world(pin.release), now)


@asynccontextmanager
async def _working(outside: Outside) -> AsyncGenerator[None]:
    """Let the outside work within the block; if it cannot go on, neither can the block."""
    async with asyncio.TaskGroup() as group:
        working = group.create_task(outside.work())
        yield
        working.cancel()

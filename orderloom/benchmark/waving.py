"""
The due orders of a pool on PostgreSQL alone, routed one by one and in a wave, from the same database.

Orders are placed once for each run; then the database is copied, and only their routing policy is another one. One by
one, each order's actions run as its worker runs them, in the order of placing. In the other copy all join the pool,
the wave is routed, and each order's actions accept. One thing happens at a time in both, so that what comes out is
exact, and seconds compare work, not how much of it is done at once.
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from sqlalchemy import event, func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities import transaction
from activities.allocating import create_fulfillment_orders
from activities.processors import Processors
from activities.routing import find_routes
from activities.scheduling import schedule_routing
from activities.unit import Services
from activities.waves import Waves
from orderloom.benchmark.contenders import findings_in
from orderloom.benchmark.generator import Begins
from orderloom.benchmark.meters import cpu
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.placing import context, place
from orderloom.benchmark.server import MASTER_KEY, postgres
from orderloom.benchmark.waves_report import SCENES, Came, Scene, WavesPlan, WavesReport, WavesRun
from orderloom.benchmark.waves_world import POOL, URGENT, waves_orders, waves_world
from orderloom.bootstrap.clock import Clock, VirtualClock
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.contracts import actions
from orderloom.contracts.contract import ActionContract
from orderloom.contracts.messages import ReleasePin, RunAction
from orderloom.domain.model import JsonObject
from orderloom.domain.route_figures import Figures, figures
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.orders import orders as orders_table
from orderloom.persistence.vault import Vault
from orderloom.persistence.world import load_world
from orderloom.readmodels.attempts import attempt_of

PIN = ReleasePin(release="benchmark", subscriptions={})
EMPTY = "empty"
"""The database that all others are copies of."""

_ACTIONS: Mapping[str, tuple[ActionContract[Any, Any], Callable[..., Any]]] = {
    "schedule-routing": (actions.schedule_routing, schedule_routing),
    "find-routes": (actions.find_routes, find_routes),
    "create-fulfillment-orders": (actions.create_fulfillment_orders, create_fulfillment_orders),
}
_IN_WAVES = text(
    "UPDATE orders SET policy = jsonb_set(policy, '{routing,wave}', jsonb_build_object('pool', CAST(:pool AS text)))"
)


class Here(Processors):
    """Routes in this process, whose CPU time is measured."""

    async def run[**P, R](self, function: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """Return what *function* returns."""
        return function(*args, **named)


@dataclass(frozen=True)
class Waving:
    """The two ways, on one server."""

    server: EmbeddedPostgres
    vault: Vault
    plan: WavesPlan
    begins: Begins

    async def run(self, command: str, origin: Origin) -> WavesReport:
        """Route the orders of every run in both ways, after a small run for what a process does only once."""
        await self._turn(SCENES[0], self.plan.model_copy(update={"orders": min(30, self.plan.orders)}), 0)
        runs = [
            await self._turn(scene, self.plan, number) for scene in SCENES for number in range(1, self.plan.runs + 1)
        ]
        return WavesReport(command=command, origin=origin, plan=self.plan, runs=tuple(runs))

    async def _turn(self, scene: Scene, plan: WavesPlan, number: int) -> WavesRun:
        name, seed = f"{scene.name}, {f'run {number}' if number else 'warm-up'}", plan.seed + number
        told = self.begins(f"{name}: orders placed", plan.orders)
        async with self._database(name, EMPTY) as engine:
            async with engine.begin() as conn:
                await load_world(conn, waves_world(plan, scene, seed), Clock().now())
            services = Services(engine=engine, vault=self.vault)
            for placed, body in enumerate(waves_orders(plan, seed), 1):
                await place(services, PIN, body)
                told(placed)
        came: list[Came] = []
        findings: list[str] = []
        for way in (_OneByOne, _InAWave):
            async with self._database(f"{name}, {way.said}", name) as engine:
                work = way(Services(engine=engine, vault=self.vault))
                told = self.begins(f"{name}: {way.said}", plan.orders)
                came.append(await _measured(work, self.server.pid, told))
                findings += [f"{way.said}: {found}" for found in await findings_in(engine)]
        alone, waves = came
        urgent = sum(body["priority"] == URGENT for body in waves_orders(plan, seed))
        return WavesRun(scene=scene.name, alone=alone, waves=waves, urgent=urgent, findings=tuple(findings))

    @asynccontextmanager
    async def _database(self, name: str, template: str) -> AsyncGenerator[AsyncEngine]:
        engine = create_engine(await self.server.ensure_database(name, template=template))
        try:
            yield engine
        finally:
            await engine.dispose()


class _Way(ABC):
    """How due orders are routed."""

    said = ""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._keys = count()

    @abstractmethod
    async def route(self, orders: Sequence[str], told: Callable[[int], None]) -> None:
        """Route all *orders*, and tell of each that is."""

    async def act(self, order: str, action: str, clock: Clock, **input: Any) -> JsonObject:
        """Run one of an order's actions as its worker does, and return what it answers."""
        contract, function = _ACTIONS[action]
        request = RunAction(
            context=context(order, PIN, clock), key=f"{order}/{next(self._keys)}", input=input, cause="benchmark"
        )
        return (await transaction.run(self.services, contract, function, request)).output

    async def answer(self, order: str, clock: Clock, schedule: object) -> None:
        """Let an order find its route, or take the wave's, and carry it out."""
        found = await self.act(order, "find-routes", clock, schedule=schedule)
        if str(found["outcome"]).endswith("ROUTED"):
            await self.act(order, "create-fulfillment-orders", clock, attempt=found["attempt"])


class _OneByOne(_Way):
    said = "one by one"

    async def route(self, orders: Sequence[str], told: Callable[[int], None]) -> None:
        for number, order in enumerate(orders, 1):
            planned = await self.act(order, "schedule-routing", Clock(), reason="order.released")
            await self.answer(order, Clock(), planned["schedule"])
            told(number)


class _InAWave(_Way):
    said = "in a wave"

    async def route(self, orders: Sequence[str], told: Callable[[int], None]) -> None:
        async with self.services.engine.begin() as conn:
            await conn.execute(_IN_WAVES, {"pool": POOL})
        for order in orders:
            await self.act(order, "schedule-routing", Clock(), reason="order.released")
        later = VirtualClock(timedelta(seconds=61))
        waves = Waves(self.services.engine, Here())
        while (await waves.route(POOL, later)).more:
            continue
        for number, order in enumerate(orders, 1):
            planned = await self.act(order, "schedule-routing", later, reason="order.released")
            await self.answer(order, later, planned["schedule"])
            told(number)


async def _measured(way: _Way, server: int, told: Callable[[int], None]) -> Came:
    """Route all orders, and return what that came to."""
    engine = way.services.engine
    ids = await _orders(engine)
    statements = [0]

    def counted(*_: object) -> None:
        statements[0] += 1

    event.listen(engine.sync_engine, "before_cursor_execute", counted)
    spent, worked, began = cpu({"PostgreSQL": [server]}), process_time(), perf_counter()
    await way.route([order for order, _ in ids], told)
    seconds, worker = perf_counter() - began, process_time() - worked
    postgres = cpu({"PostgreSQL": [server]})["PostgreSQL"] - spent["PostgreSQL"]
    event.remove(engine.sync_engine, "before_cursor_execute", counted)
    async with engine.connect() as conn:
        shipments = await conn.scalar(select(func.count()).select_from(fulfillment_orders)) or 0
    found = [(await _figures(engine, order), priority) for order, priority in ids]
    whole = [priority for each, priority in found if each.units and not each.missing]
    return Came(
        whole=len(whole),
        urgent=whole.count(URGENT),
        units=sum(each.units for each, _ in found),
        shipments=shipments,
        splits=sum(each.splits for each, _ in found),
        km=round(sum(each.km for each, _ in found), 1),
        statements=statements[0],
        seconds=seconds,
        worker=worker,
        postgres=postgres,
    )


async def _orders(engine: AsyncEngine) -> list[tuple[str, int]]:
    """Return the orders and their priorities, the oldest first."""
    table = orders_table.c
    query = select(table.id, table.priority).order_by(func.length(table.id), table.id)
    async with engine.connect() as conn:
        return [(row.id, row.priority) for row in await conn.execute(query)]


async def _figures(engine: AsyncEngine, order: str) -> Figures:
    async with engine.connect() as conn:
        made = await attempt_of(conn, order, 1)
    assert made is not None, f"order {order} has had its turn"
    return figures(made.situation, made.routing)


@asynccontextmanager
async def waving(
    directory: Path, plan: WavesPlan, tell: Callable[[str], None], begins: Begins
) -> AsyncGenerator[Waving]:
    """
    Start PostgreSQL on *directory* at full durability, and stop it at the end.

    Raises:
        StartRefused: one of its subclasses says what is in the way; nothing is left running.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres(directory, tell))
        keys_url = await server.ensure_database("keys")
        await migrate(await server.ensure_database(EMPTY), keys_url)
        keys = create_engine(keys_url)
        stack.push_async_callback(keys.dispose)
        yield Waving(server, Vault(keys, MASTER_KEY), plan, begins)

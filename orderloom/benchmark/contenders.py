"""Who is measured: each runs when it is its turn, and says what that took."""

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import WorkflowHistory

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.benchmark import floor, load
from orderloom.benchmark.floor import FloorOrder, FloorReport
from orderloom.benchmark.generator import Told, generate
from orderloom.benchmark.histories import histories_of
from orderloom.benchmark.load import LoadOrder, LoadReport
from orderloom.benchmark.meters import CpuMeter, resident
from orderloom.benchmark.report import Run, Series
from orderloom.benchmark.spread import Percentiles
from orderloom.benchmark.world import benchmark_world
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.fleet import Fleet
from orderloom.bootstrap.temporal_client import connect
from orderloom.contracts.messages import ReleasePin
from orderloom.contracts.queues import workflow_id
from orderloom.persistence.flows import publish
from orderloom.persistence.tables.orders import journal
from orderloom.persistence.world import load_world
from orderloom.readmodels.doctor import Finding, examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.settings import Settings

SAMPLE = 20
"""Orders whose histories are looked at."""


class Contender(Protocol):
    """Something that can be measured again and again."""

    async def run(self, series: str, count: int, told: Told) -> Run:
        """Do it *count* times; *series* keeps the names apart from those of other runs."""
        ...


class Orders:
    """Standard orders through the API of one fleet."""

    def __init__(self, fleet: Fleet, engine: AsyncEngine, *, seed: int, at_once: int, namespace: str) -> None:
        """Take the fleet, a connection to its database, and its namespace."""
        self._fleet = fleet
        self._engine = engine
        self._seed = seed
        self._at_once = at_once
        self._namespace = namespace
        self._last: list[str] = []
        self._run = 0
        self._settled = (0, 0)
        """Orders that were run, and bytes that the workers held, when it began to count."""

    async def open(self) -> None:
        """Load the world that orders are placed in, with the flows that ship in force."""
        await open_world(self._engine)

    async def run(self, series: str, count: int, told: Told) -> Run:
        """Place and ship *count* orders."""
        meter = CpuMeter(self._fleet, told)
        order = LoadOrder(
            api_url=self._fleet.api_url,
            gateway_url=self._fleet.gateway_url,
            database_url=self._fleet.servers.addresses.database_url,
            seed=self._seed,
            series=series,
            count=count,
            at_once=self._at_once,
        )
        report = await generate(load.__name__, order, LoadReport, meter.told)
        self._last = report.orders
        self._run += count
        return Run(
            orders=count,
            completed=count / report.seconds,
            placed=count / report.placed_seconds,
            placing=Percentiles.of(report.placing),
            whole=Percentiles.of(report.whole),
            cpu={name: seconds / count for name, seconds in meter.spent(report.cpu_seconds).items()},
        )

    def settle(self) -> None:
        """Count from here on: what came before was to warm up."""
        self._settled = self._run, self._held()

    async def series(self, runs: Sequence[Run]) -> Series:
        """Return *runs* with what the orders have left behind since it counts."""
        client = await connect(self._fleet.servers.addresses.temporal_address, namespace=self._namespace)
        histories = await histories_of(client, self._last[-SAMPLE:])
        return Series(runs=tuple(runs), histories=histories, memory=self._memory())

    async def recorded(self) -> list[WorkflowHistory]:
        """Return the histories of a sample of the last run's orders."""
        client = await connect(self._fleet.servers.addresses.temporal_address, namespace=self._namespace)
        handles = [client.get_workflow_handle(workflow_id(order)) for order in self._last[-SAMPLE:]]
        return [await handle.fetch_history() for handle in handles]

    async def journals(self) -> set[str]:
        """Return what the journals of all orders say, sorted within each: for standard orders that is one thing."""
        types = func.string_agg(journal.c.type, aggregate_order_by(text("', '"), journal.c.type))
        async with self._engine.connect() as conn:
            return set(await conn.scalars(select(types).group_by(journal.c.order_id)))

    async def findings(self) -> Sequence[Finding]:
        """Return what is wrong with the books."""
        return await findings_in(self._engine)

    def _memory(self) -> float | None:
        orders, held = self._settled
        all_cached = self._run <= Settings().workflow_cache * len(self._fleet.workers)
        return (self._held() - held) / (self._run - orders) if all_cached else None

    def _held(self) -> int:
        return resident(worker.pid for worker in self._fleet.workers)


class Floor:
    """Empty workflows on the workers of one fleet."""

    def __init__(self, fleet: Fleet, *, at_once: int, namespace: str) -> None:
        """Take the fleet and its namespace."""
        self._fleet = fleet
        self._at_once = at_once
        self._namespace = namespace

    async def run(self, series: str, count: int, told: Told) -> Run:
        """Start *count* workflows, and wait for each to end."""
        meter = CpuMeter(self._fleet, told)
        order = FloorOrder(
            temporal_address=self._fleet.servers.addresses.temporal_address,
            namespace=self._namespace,
            series=series,
            count=count,
            at_once=self._at_once,
        )
        report = await generate(floor.__name__, order, FloorReport, meter.told)
        return Run(
            orders=count,
            completed=count / report.seconds,
            whole=Percentiles.of(report.whole),
            cpu={name: seconds / count for name, seconds in meter.spent(report.cpu_seconds).items()},
        )


async def open_world(engine: AsyncEngine) -> ReleasePin:
    """Load the benchmark's world with the flows that ship in force; return their pin."""
    async with engine.begin() as conn:
        now = Clock().now()
        pin = await publish(conn, pack(prebuilt.documents()), now)
        await load_world(conn, benchmark_world(pin.release), now)
    return pin


async def findings_in(engine: AsyncEngine) -> Sequence[Finding]:
    """Return what is wrong with the books in a database."""
    async with snapshot(engine) as conn:
        return (await examine(conn)).findings

"""
The reserve transaction on PostgreSQL alone: called as a worker calls it, on one SKU that everyone wants at once.

A transaction for each order, then as workers do it: orders that come at the same time share one. Beside both, on the
same row and by turns, the least that a reservation could be: one conditional update, committed.
"""

from asyncio import TaskGroup
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

from sqlalchemy import bindparam, select, update

from activities import transaction
from activities.registry import Entry
from activities.reservations import create_reservation, create_reservations
from activities.serving import runner
from activities.unit import Services
from orderloom.benchmark.contenders import findings_in, open_world
from orderloom.benchmark.generator import Begins
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.placing import context, place
from orderloom.benchmark.reserve_report import ReservePlan, ReserveReport, ReserveRun
from orderloom.benchmark.server import MASTER_KEY, postgres
from orderloom.benchmark.world import GROUP, HOT, HOT_QUANTITY, hot_orders
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.contracts import actions
from orderloom.contracts.messages import ActionDone, ReleasePin, RunAction
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.inventory import group_stock
from orderloom.persistence.vault import Vault
from orderloom.settings import Settings

type Job = Callable[[], Awaitable[None]]
type Run = Callable[[RunAction], Awaitable[ActionDone]]

_row = group_stock.c
_HOT_ROW = (_row.group_id == GROUP) & (_row.sku == HOT)
_BARE = (
    update(group_stock)
    .where(_HOT_ROW, _row.on_hand - _row.reserved - _row.safety >= bindparam("quantity"))
    .values(reserved=_row.reserved + bindparam("quantity"))
)
_UNDO = update(group_stock).where(_HOT_ROW).values(reserved=_row.reserved - bindparam("quantity"))


@dataclass(frozen=True)
class Reserving:
    """The transactions that are measured, over one database."""

    services: Services
    pin: ReleasePin
    plan: ReservePlan
    begins: Begins

    async def run(self, command: str, origin: Origin) -> ReserveReport:
        """Prepare orders, then reserve for them and update bare by turns."""
        await self._turn("warm-up")
        runs = tuple([await self._turn(f"run-{number}") for number in range(1, self.plan.runs + 1)])
        async with self.services.engine.connect() as conn:
            reserved = await conn.scalar(select(_row.reserved).where(_HOT_ROW))
        return ReserveReport(
            command=command,
            origin=origin,
            plan=self.plan,
            runs=runs,
            reserved=reserved or 0,
            wanted=HOT_QUANTITY * self.plan.orders * (1 + self.plan.runs) * (1 + len(self.plan.at_once)),
            findings=tuple(map(str, await findings_in(self.services.engine))),
        )

    async def _turn(self, series: str) -> ReserveRun:
        """Reserve for orders in every way, update the row as often, and undo that. Placing orders is not measured."""
        alone = await self._reservations(f"{series}-alone", self._alone, self.plan.connections)
        grouped = [await self._reservations(f"{series}-{many}", self._grouped(), many) for many in self.plan.at_once]
        bare = await self._rate([self._update] * self.plan.orders, self.plan.connections)
        async with self.services.engine.begin() as conn:
            await conn.execute(_UNDO, {"quantity": HOT_QUANTITY * self.plan.orders})
        return ReserveRun(alone=alone, grouped=tuple(grouped), bare=bare)

    async def _reservations(self, series: str, run: Run, at_once: int) -> float:
        orders = await self._placed(series)
        return await self._rate([partial(self._reserve, run, order) for order in orders], at_once)

    async def _rate(self, jobs: Sequence[Job], at_once: int) -> float:
        """Do all *jobs*, at most so many *at_once*, and return how many a second that was."""
        waiting = iter(jobs)

        async def one_after_another() -> None:
            for job in waiting:
                await job()

        began = perf_counter()
        async with TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(one_after_another())
        return len(jobs) / (perf_counter() - began)

    async def _placed(self, series: str) -> list[str]:
        told, orders = self.begins(f"{series}: orders placed", self.plan.orders), list[str]()

        async def one(body: JsonObject) -> None:
            orders.append(await place(self.services, self.pin, body))
            told(len(orders))

        bodies = hot_orders(self.plan.seed, series, self.plan.orders)
        await self._rate([partial(one, body) for body in bodies], self.plan.connections)
        return orders

    async def _alone(self, request: RunAction) -> ActionDone:
        return await transaction.run(self.services, actions.create_reservation, create_reservation, request)

    def _grouped(self) -> Run:
        entry = Entry(actions.create_reservation, run=create_reservation, together=create_reservations)
        return runner(self.services, entry)

    async def _reserve(self, run: Run, order: str) -> None:
        request = RunAction(
            context=context(order, self.pin, Clock()), key=f"{order}/reserve", input={}, cause="benchmark/reserve"
        )
        done = await run(request)
        assert done.output["outcome"] == "reserved", f"order {order}: {done.output}"

    async def _update(self) -> None:
        async with self.services.engine.begin() as conn:
            await conn.execute(_BARE, {"quantity": HOT_QUANTITY})


@asynccontextmanager
async def reserving(
    directory: Path, plan: ReservePlan, tell: Callable[[str], None], begins: Begins
) -> AsyncGenerator[Reserving]:
    """
    Start PostgreSQL on *directory* at full durability with the benchmark's world in it, and stop it at the end.

    Raises:
        StartRefused: one of its subclasses says what is in the way; nothing is left running.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres(directory, tell))
        urls = await server.ensure_database("orderloom"), await server.ensure_database("orderloom_keys")
        await migrate(*urls)
        engine, keys = (create_engine(url, pool_size=max(plan.connections, Settings().pool_size)) for url in urls)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(keys.dispose)
        services = Services(engine=engine, vault=Vault(keys, MASTER_KEY))
        yield Reserving(services, await open_world(engine), plan, begins)

"""
The reserve transaction on PostgreSQL alone: called as a worker calls it, on one SKU that everyone wants at once.

Beside it, on the same row and by turns, the least that a reservation could be: one conditional update, committed.
"""

from asyncio import TaskGroup
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import cast

from sqlalchemy import bindparam, select, update

from activities import transaction
from activities.record import record_delivery
from activities.reservations import create_reservation
from activities.unit import Services
from orderloom.benchmark.contenders import findings_in, open_world
from orderloom.benchmark.generator import Begins
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.reserve_report import ReservePlan, ReserveReport, ReserveRun
from orderloom.benchmark.world import CHANNEL, GROUP, HOT, HOT_QUANTITY, hot_orders
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.contracts import actions
from orderloom.contracts.messages import Context, Delivery, ReleasePin, RunAction
from orderloom.domain.model import JsonObject
from orderloom.persistence.intake import ORDER_PLACED, Submission, submit
from orderloom.persistence.tables.inventory import group_stock
from orderloom.persistence.vault import Vault

MASTER_KEY = bytes(32)
"""Nobody's: the data is made up and gone afterwards."""

type Job = Callable[[], Awaitable[None]]

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
            wanted=HOT_QUANTITY * self.plan.orders * (1 + self.plan.runs),
            findings=tuple(map(str, await findings_in(self.services.engine))),
        )

    async def _turn(self, series: str) -> ReserveRun:
        """Place the orders, which is not measured; reserve for all of them; update the row as often, and undo that."""
        count = self.plan.orders
        orders = await self._placed(series)
        reserved = await self._seconds(partial(self._reserve, order) for order in orders)
        bare = await self._seconds(self._update for _ in orders)
        async with self.services.engine.begin() as conn:
            await conn.execute(_UNDO, {"quantity": HOT_QUANTITY * count})
        return ReserveRun(reservations=count / reserved, bare=count / bare)

    async def _seconds(self, jobs: Iterable[Job]) -> float:
        """Do all *jobs*, one after another on each connection, and return how long it took."""
        waiting = iter(jobs)

        async def one_after_another() -> None:
            for job in waiting:
                await job()

        began = perf_counter()
        async with TaskGroup() as group:
            for _ in range(self.plan.connections):
                group.create_task(one_after_another())
        return perf_counter() - began

    async def _placed(self, series: str) -> list[str]:
        told, orders = self.begins(f"{series}: orders placed", self.plan.orders), list[str]()

        async def place(body: JsonObject) -> None:
            orders.append(await self._place(body))
            told(len(orders))

        await self._seconds(partial(place, body) for body in hot_orders(self.plan.seed, series, self.plan.orders))
        return orders

    async def _place(self, body: JsonObject) -> str:
        engine, vault = self.services.engine, self.services.vault
        submission = Submission(
            kind="command",
            type=ORDER_PLACED,
            source=CHANNEL,
            external_id=str(body["external_id"]),
            body=body,
            person=cast("JsonObject", body["customer"]),
            received_at=Clock().now(),
        )
        taken = await submit(engine, vault, submission)
        delivery = Delivery(intake_id=taken.intake_id, type=ORDER_PLACED)
        await record_delivery(engine, vault, self._context(taken.order_id), delivery)
        return taken.order_id

    async def _reserve(self, order: str) -> None:
        request = RunAction(context=self._context(order), key=f"{order}/reserve", input={}, cause="benchmark/reserve")
        done = await transaction.run(self.services, actions.create_reservation, create_reservation, request)
        assert done.output["outcome"] == "reserved", f"order {order}: {done.output}"

    async def _update(self) -> None:
        async with self.services.engine.begin() as conn:
            await conn.execute(_BARE, {"quantity": HOT_QUANTITY})

    def _context(self, order: str) -> Context:
        return Context(order_id=order, now=Clock().now(), known_flows=[], pin=self.pin)


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
        data = DataDirectory(directory)
        stack.callback(data.release)
        tell("starting PostgreSQL")
        server = await EmbeddedPostgres.start(data)
        stack.push_async_callback(server.stop)
        urls = await server.ensure_database("orderloom"), await server.ensure_database("orderloom_keys")
        await migrate(*urls)
        engine, keys = (create_engine(url, pool_size=plan.connections) for url in urls)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(keys.dispose)
        services = Services(engine=engine, vault=Vault(keys, MASTER_KEY))
        yield Reserving(services, await open_world(engine), plan, begins)

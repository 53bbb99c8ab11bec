"""Business time of a case: waits until nothing happens any more, and jumps from deadline to deadline."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import func, select, union_all
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orderloom.bootstrap.clock import VirtualClock
from orderloom.contracts.pools import pool_workflow_id
from orderloom.contracts.queues import workflow_id
from orderloom.domain.exception_status import ACTIVE
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.inventory import reservation_requests
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders
from orderloom.persistence.tables.waiting import proposals
from orderloom.scenarios.clerk import StepFailed
from worker.pooling import RoutingPools
from worker.proposing import Proposals
from worker.timers import Timers

POLL = 0.02
"""Seconds between two looks at what is under way."""

PATIENCE = 60.0
"""Seconds of real time after which a case that does not come to rest has failed."""

IN_FLIGHT = 16
"""Orders that are told of the time at once."""

_held = reservation_requests.c
_PAST = timedelta(milliseconds=1)


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What the relay looks at by itself, and a case at its own deadlines."""

    timers: Timers
    proposals: Proposals
    pools: RoutingPools


class Timeline:
    """The clock that all orders of a case share."""

    def __init__(self, client: Client, engine: AsyncEngine, clock: VirtualClock, beside: Beside) -> None:
        """Take the system that it keeps time for."""
        self._client = client
        self._engine = engine
        self._clock = clock
        self._timers = beside.timers
        self._proposals = beside.proposals
        self._pools = beside.pools
        self._slots = asyncio.Semaphore(IN_FLIGHT)

    def now(self) -> datetime:
        """Return business time."""
        return self._clock.now()

    async def settle(self, order_ids: Sequence[str]) -> None:
        """
        Return when all that was taken in is answered and every order waits.

        Raises:
            StepFailed: that is not so after `PATIENCE` seconds.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                # An order rests from what it had been given when it was asked; later intake is asked about anew.
                while True:
                    await self._route_waves()
                    await self._proposals.turn()
                    while await self._undelivered(order_ids):  # noqa: ASYNC110  # it changes in the database
                        await asyncio.sleep(POLL)
                    await self._rest(order_ids)
                    if not await self._proposals.turn() and not await self._undelivered(order_ids):
                        return
        except TimeoutError:
            raise StepFailed(f"the orders do not come to rest in {PATIENCE:.0f} s") from None

    async def _route_waves(self) -> None:
        """Have the waves routed that are due, and wait until they have been."""
        for pool in await self._pools.turn():
            handle: Any = self._client.get_workflow_handle(pool_workflow_id(pool))
            await handle.result()

    async def advance(self, order_ids: Sequence[str], seconds: float) -> None:
        """Let *seconds* pass for all orders together, and meet every deadline on the way in its order."""
        target = self.now() + timedelta(seconds=seconds)
        while (due := await self._next_due(order_ids, target)) is not None:
            await self._come_to(due + _PAST, order_ids)
        await self._come_to(target, order_ids)

    async def _come_to(self, instant: datetime, order_ids: Sequence[str]) -> None:
        """Let it be *instant*; the timers beside the orders are looked at then, not whenever the relay does."""
        self._clock.advance_to(instant)
        await self._timers.turn()
        await self.settle(order_ids)

    async def _rest(self, order_ids: Sequence[str]) -> None:
        """Tell every order that is not closed what time it is; each answers when it has come to rest."""
        await asyncio.gather(*(self._tell(order_id) for order_id in await self._open(order_ids)))

    async def _tell(self, order_id: str) -> None:
        handle = cast("Any", self._client.get_workflow_handle(workflow_id(order_id)))
        async with self._slots:
            try:
                await handle.execute_update("advance", self._clock.offset.total_seconds())
            except RPCError as error:
                # Closed since it was read: nothing can be under way in it.
                if error.status is not RPCStatusCode.NOT_FOUND:
                    raise

    async def _open(self, order_ids: Sequence[str]) -> list[str]:
        not_closed = orders.c.id.in_(order_ids), orders.c.closed_at.is_(None)
        query = select(orders.c.id).where(*not_closed).order_by(orders.c.id)
        async with self._engine.connect() as conn:
            return list((await conn.execute(query)).scalars())

    async def _next_due(self, order_ids: Sequence[str], until: datetime) -> datetime | None:
        exception = process_exceptions.c
        due = union_all(
            select(orders.c.next_due_at.label("due")).where(orders.c.id.in_(order_ids), orders.c.closed_at.is_(None)),
            select(exception.deadline).where(
                exception.order_id.in_(order_ids), exception.status.in_(ACTIVE), exception.escalated_at.is_(None)
            ),
            select(_held.expires_at).where(_held.status == "active"),
            select(routing_schedules.c.wave_by).where(
                routing_schedules.c.order_id.in_(order_ids),
                routing_schedules.c.status == "scheduled",
                routing_schedules.c.wave_by > self.now(),
            ),
            select(proposals.c.expires_at).where(proposals.c.order_id.in_(order_ids), proposals.c.status == "open"),
        ).subquery()
        async with self._engine.connect() as conn:
            return await conn.scalar(select(func.min(due.c.due)).where(due.c.due <= until))

    async def _undelivered(self, order_ids: Sequence[str]) -> int:
        query = select(func.count()).where(intake.c.order_id.in_(order_ids), intake.c.status == "received")
        async with self._engine.connect() as conn:
            return int((await conn.execute(query)).scalar_one())

"""
The relay: delivers intake that nobody has delivered, and gives journal entries their place in the global feed.

Any number of processes may run it; the one that holds an advisory lock works, the others wait for it to go.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import takewhile
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import DateTime, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.record import WorkflowWanted, record_directly
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.messages import Delivery
from orderloom.domain.errors import OrderloomError
from orderloom.persistence.intake import ORDER_PLACED, Undelivered, mark, postpone, undelivered
from orderloom.persistence.locks import RELAY_LEADER
from orderloom.persistence.vault import Vault
from orderloom.readmodels.backlog import Examined
from orderloom.telemetry.logs import bind_order
from worker.examining import Examinations
from worker.pooling import RoutingPools
from worker.proposing import Proposals
from worker.timers import Timers

LOOK, FOLLOWING = 0.25, 2.0
"""Seconds between looks: at what is due, and at whether there is a leader."""
GRACE = 3.0
"""Seconds that what wakes a workflow is left to whoever took it in."""
STALLED = 60.0
"""Seconds without a look after which something has gone wrong."""
WITHIN = 10.0
"""Seconds that a delivery may take."""
AT_ONCE = 8
"""Orders that something is recorded for at once."""
WOKEN_AT_ONCE = 16
"""Workflows that are waited for at once: while no worker answers, each takes its time."""
LONGEST = timedelta(minutes=5)
"""Between two attempts at a row that its order refuses to record."""
UNANSWERED = timedelta(seconds=15)
"""Between two attempts at a row that nobody answers: after an outage nobody waits much longer than that."""
GIVE_UP_AFTER = 20
"""Attempts at a row that its order refuses to record; a server that does not answer is tried for ever."""

LATELY = timedelta(minutes=10)
SETTLED = timedelta(seconds=5)
"""Age at which a delivery whose flows still run is repeated; most have ended by then."""
REPEATING = 2.0
"""Seconds between two looks at what is to be repeated."""
_UNFINISHED = text(
    """
    SELECT DISTINCT i.id, i.type, i.order_id, i.business_at, i.position
    FROM flow_instances f JOIN orders o ON o.id = f.order_id JOIN intake i ON i.order_id = f.order_id
    WHERE f.status = 'running' AND i.status = 'accepted' AND i.received_at > :since AND i.received_at <= :until
        AND (i.id = split_part(f.instance, '@', 1)
             OR i.type = ANY(o.wanted) AND NOT jsonb_exists(o.pin -> 'subscriptions', i.type))
    ORDER BY i.position
    """
).columns(business_at=DateTime(timezone=True))
"""What started a flow that runs, or may be what a flow that runs listens for."""
_POSITION = text(
    """
    WITH last AS (SELECT COALESCE(MAX(position), 0) AS position FROM outbox),
         next AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id) AS number
                  FROM (SELECT id FROM outbox WHERE position IS NULL ORDER BY id LIMIT 1000) unpublished)
    UPDATE outbox SET position = last.position + next.number FROM last, next WHERE outbox.id = next.id
    """
)

_log = structlog.get_logger(__name__)


class Relay:
    """One relay. ``run`` until ``stop``."""

    def __init__(
        self, engine: AsyncEngine, vault: Vault, courier: Courier, clock: Clock, *, examine_every: float | None = None
    ) -> None:
        """Take the database, the keys, who delivers to workflows, and the seconds between two looks of the doctor."""
        self._engine = engine
        self._vault = vault
        self._courier = courier
        self._clock = clock
        self._timers = Timers(engine, vault, clock)
        self._proposals = Proposals(engine, vault, clock)
        self._pools = RoutingPools(engine, courier, clock)
        self._examinations = Examinations(engine, vault, clock, examine_every)
        self._stopping = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._repeating = asyncio.Semaphore(AT_ONCE)
        self._repeated: set[str] = set()
        """Deliveries that were repeated and answered."""
        self._waking: dict[str, asyncio.Task[None]] = {}
        """Orders whose workflow is being woken: nobody waits for that but what stands behind it."""
        self._left: dict[str, float] = {}
        """Rows that wake a workflow, and since when they are left to whoever took them in."""
        self._looked = monotonic()
        self.leading = False
        """Whether this relay is the one that works."""

    async def run(self) -> None:
        """Work whenever this relay is the leader, until told to stop. An outage of PostgreSQL is waited for."""
        while not self._stopping.is_set():
            try:
                async with self._leading() as leader:
                    if leader is not None:
                        await self._lead(leader)
            except (OSError, DBAPIError) as error:
                _log.warning("the relay has lost PostgreSQL", error=str(error))
            await self._pause(FOLLOWING)

    @property
    def examined(self) -> Examined | None:
        """Return what the doctor found last, if this relay asked it."""
        return self._examinations.last

    def stop(self) -> None:
        """Let ``run`` end after the look that is under way."""
        self._stopping.set()

    async def turning(self) -> None:
        """
        Return if this relay looks at its work, or at whether there is a leader, as often as it should.

        Raises:
            TimeoutError: it does not.
        """
        if monotonic() - self._looked > STALLED:
            raise TimeoutError("the relay stands still")

    async def _turn(self, leader: AsyncConnection) -> None:
        """
        Look once: record what is due, begin to wake workflows, give places in the feed.

        The last is done on the *leader*'s connection: it fails when the lock is lost with it.
        """
        rows = await undelivered(self._engine, self._clock.now())
        still_there = {row.delivery.intake_id for row in rows}
        self._left = {intake: since for intake, since in self._left.items() if intake in still_there}
        by_order: dict[str, list[Undelivered]] = defaultdict(list)
        for row in rows:
            if row.order_id not in self._waking:
                by_order[row.order_id].append(row)
        await asyncio.gather(*(self._deliver_in_turn(rows) for rows in by_order.values()))
        await leader.execute(_POSITION)

    async def repeat_lately(self, settled: timedelta = timedelta(0)) -> int:
        """
        Deliver once more what came in lately, was recorded, and has flows that run; return how many deliveries.

        A delivery is committed before history has it: when the server went down in between, nobody else would ask
        again. For all others it changes nothing. What was answered is not asked of again by this relay.

        Args:
            settled: the age of what is repeated, at least.
        """
        now = self._clock.now()
        async with self._engine.connect() as conn:
            rows = (await conn.execute(_UNFINISHED, {"since": now - LATELY, "until": now - settled})).all()
        self._repeated &= {row.id for row in rows}
        lost = [
            (row.order_id, Delivery(intake_id=row.id, type=row.type, business_at=row.business_at))
            for row in rows
            if row.id not in self._repeated
        ]
        await asyncio.gather(*(self._repeat(*one) for one in lost))
        return len(lost)

    async def _repeat(self, order_id: str, delivery: Delivery) -> None:
        async with self._repeating:
            try:
                if await self._courier(order_id, delivery, within=WITHIN) is not None:
                    self._repeated.add(delivery.intake_id)
            except (OrderloomError, RPCError, WorkflowUpdateFailedError) as error:
                _log.warning("repeating a delivery failed", intake=delivery.intake_id, order=order_id, error=str(error))

    async def _keep_repeating(self) -> None:
        """Repeat what this relay may have missed, and then whatever has settled; an outage is waited for."""
        settled = timedelta(0)
        while True:
            try:
                await self.repeat_lately(settled)
                settled = SETTLED
            except (OSError, DBAPIError) as error:
                _log.warning("nothing can be repeated", error=str(error))
            await asyncio.sleep(REPEATING)

    def _works(self) -> tuple[Coroutine[Any, Any, None], ...]:
        """Return what the leader does beside delivering."""
        parts = (self._timers, self._proposals, self._pools, self._examinations)
        return self._keep_repeating(), *(part.run() for part in parts)

    async def _lead(self, leader: AsyncConnection) -> None:
        beside = [asyncio.create_task(each) for each in self._works()]
        try:
            while not self._stopping.is_set():
                await self._turn(leader)
                await self._pause(LOOK)
        finally:
            ending: list[asyncio.Task[Any]] = [*beside, *self._waking.values()]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    @asynccontextmanager
    async def _leading(self) -> AsyncGenerator[AsyncConnection | None]:
        """Hold the lock on a connection of its own: it goes when the connection goes, however that happens."""
        async with self._engine.connect() as conn:
            await conn.execution_options(isolation_level="AUTOCOMMIT")
            if not await conn.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": RELAY_LEADER}):
                yield None
                return
            self.leading = True
            try:
                yield conn
            finally:
                self.leading = False
                if not conn.invalidated:  # the lock went with a connection that is lost
                    await conn.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": RELAY_LEADER})

    async def _pause(self, seconds: float) -> None:
        self._looked = monotonic()
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def _deliver_in_turn(self, rows: Sequence[Undelivered]) -> None:
        """
        Record one order's rows by position; what stands behind one that has to wait, waits too.

        What stands before one that is left to whoever took it in is recorded with that one.
        """
        async with self._slots:
            if any(map(self._is_left, rows)):
                return
            done = await self._record_together(rows)
            if any(map(self._is_left, rows)):
                return
            for row in rows[done:]:
                if not await self._deliver(row):
                    return

    async def _record_together(self, rows: Sequence[Undelivered]) -> int:
        """Record the events that *rows* begin with in one transaction, if nothing hinders; return how many."""
        events = [*takewhile(lambda row: row.event and row.delivery.intake_id not in self._left, rows)]
        if len(events) < 2:
            return 0
        last = events[-1]
        try:
            await record_directly(self._engine, self._vault, last.order_id, last.delivery, now=self._clock.now())
        except WorkflowWanted as found:
            for row in events:
                if row.delivery.type in found.types:
                    self._left[row.delivery.intake_id] = monotonic()
            return 0
        except Exception as error:  # noqa: BLE001  # each is recorded by itself, where its own failure is minded
            _log.info("events are not recorded together", order=last.order_id, error=str(error))
            return 0
        return len(events)

    async def _deliver(self, row: Undelivered) -> bool:
        async with self._minding(row):
            if await self._record(row):
                return True
            self._begin_to_wake(row)
        return False

    @asynccontextmanager
    async def _minding(self, row: Undelivered) -> AsyncGenerator[None]:
        """Put off what cannot be delivered now: one row stops no other order's."""
        bind_order(row.order_id)
        try:
            yield
        except (OrderloomError, WorkflowUpdateFailedError) as error:
            await self._refused(row, error)
        except (RPCError, DBAPIError, OSError) as error:
            _log.warning("delivery failed", intake=row.delivery.intake_id, error=str(error))
            await self._later(row, UNANSWERED)
        except Exception as error:  # noqa: BLE001  # a mistake of ours with one row must not end the relay
            await self._refused(row, error)

    async def _record(self, row: Undelivered) -> bool:
        """Journal what no flow of the order waits for, without waking its workflow. False when one does."""
        if row.delivery.type == ORDER_PLACED or row.delivery.intake_id in self._left:
            return False
        try:
            await record_directly(self._engine, self._vault, row.order_id, row.delivery, now=self._clock.now())
        except WorkflowWanted:
            return False
        return True

    def _begin_to_wake(self, row: Undelivered) -> None:
        """Wake the order's workflow beside all else, if it is not left to whoever took the row in, and can be now."""
        self._left.setdefault(row.delivery.intake_id, monotonic())
        if self._is_left(row) or len(self._waking) >= WOKEN_AT_ONCE:
            return
        task = asyncio.create_task(self._wake(row))
        self._waking[row.order_id] = task
        task.add_done_callback(lambda _: self._waking.pop(row.order_id))

    def _is_left(self, row: Undelivered) -> bool:
        """Return whether it wakes a workflow and whoever took it in is still at it."""
        since = self._left.get(row.delivery.intake_id)
        return since is not None and row.attempts == 0 and monotonic() - since < GRACE

    async def _wake(self, row: Undelivered) -> None:
        try:
            async with self._minding(row):
                if await self._courier(row.order_id, row.delivery, within=WITHIN) is None:
                    await self._later(row, UNANSWERED)
        except (DBAPIError, OSError) as error:
            _log.warning("a failed delivery is not noted", intake=row.delivery.intake_id, error=str(error))

    async def _refused(self, row: Undelivered, error: Exception) -> None:
        cause = error.cause if isinstance(error, WorkflowUpdateFailedError) else error
        _log.error("an order could not record a delivery", intake=row.delivery.intake_id, error=str(cause))
        if row.attempts >= GIVE_UP_AFTER:
            await mark(self._engine, row.delivery.intake_id, "dead")
        else:
            await self._later(row, LONGEST)

    async def _later(self, row: Undelivered, longest: timedelta) -> None:
        wait = min(timedelta(seconds=2.0 ** min(row.attempts, 10)), longest)
        await postpone(self._engine, row.delivery.intake_id, self._clock.now() + wait)

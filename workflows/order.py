"""The order: a durable workflow with an inbox. What happens to it is in flows; nothing of it is here."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.workflow import ContinueAsNewVersioningBehavior

from orderloom.contracts.messages import (
    Context,
    Delivery,
    Event,
    OrderInput,
    Park,
    Parked,
    Rebuild,
    Rebuilt,
    Receipt,
    RecordDelivery,
    Recorded,
)
from orderloom.contracts.moving import RELEASE_REQUESTED, Whereabouts
from orderloom.contracts.queues import ORDER_WORKFLOW, PARK, REBUILD, RECORD
from orderloom.domain.model import Message
from workflows.deadlines import Deadlines
from workflows.decisions import Decisions
from workflows.inbox import CAPACITY, Inbox, InboxFull
from workflows.instances import MOST_DEPTH, Instances, too_deep
from workflows.moves import Moves
from workflows.state import Carried, Start
from workflows.transactions import Transactions
from workflows.troubles import Troubles

MOST_EVENTS = 3_000
"""Above so many events no instance starts until the order has continued as new."""
TRY_AGAIN = timedelta(seconds=60)
LAST_MOMENT = timedelta(seconds=10)
"""How long an order that was about to complete waits for what is on its way to it."""
REMEMBERED = 100
"""Receipts that are kept; older ones are asked of PostgreSQL again."""


@workflow.defn(name=ORDER_WORKFLOW)
class OrderWorkflow:
    """One order. Updates bring it what happened; instances of its flows do what follows from it."""

    @workflow.init
    def __init__(self, start: OrderInput) -> None:
        """Set up an order without history; a delivery may come before ``run`` begins."""
        self.deadlines = Deadlines(self.now)
        self.inbox = Inbox()
        self.transactions = Transactions(start.order_id, start.pin, self.now, self._told, self._wanted)
        self.instances = Instances(self)
        self.asked: set[str] = set()
        self.calls = 0
        self.certain = not start.revived
        self._start = start
        self._offset = timedelta(0)
        self._receipts: dict[str, Receipt] = {}
        self.decisions = Decisions()
        self._parked: tuple[list[str], datetime | None] | None = ([], None)
        self._settled_at: datetime | None = None
        self._closing: asyncio.Future[None] | None = None
        self._ready = False
        self._handling = 0
        self._troubles = Troubles()
        self._moves = Moves()

    @workflow.run
    async def run(self, start: OrderInput) -> None:
        """Go on until nothing is open and nobody can ask for anything any more."""
        await self._begin(start)
        while True:
            await workflow.wait_condition(self._something_to_do)
            if self.instances.crash is not None:
                raise self.instances.crash
            if self._troubles:
                await self._troubles.raise_all(self._surely)
            elif self._must_park():
                await self._park()
            elif self._moves:
                await self._park()
                if self._quiet() and not self._must_park():
                    await self._moves.carry_out(self)
            elif self._must_settle():
                self._settle()
            elif self._should_continue():
                self._continue()
            elif await self._close():
                return

    @workflow.update
    async def deliver(self, delivery: Delivery) -> Receipt:
        """Journal a delivery, once, and let its flows begin; answer what became of it."""
        self._handling += 1
        try:
            await workflow.wait_condition(lambda: self._ready)
            if delivery.type == RELEASE_REQUESTED and delivery.intake_id not in self._receipts:
                self._remember(delivery.intake_id, await self._moves.ask(delivery))
            return self._receipts.get(delivery.intake_id) or await self._record(delivery)
        finally:
            self._handling -= 1

    @workflow.update
    async def advance(self, offset: float) -> None:
        """Set business time ahead of workflow time by *offset* seconds, and return when the order is quiet again."""
        self._offset = max(self._offset, timedelta(seconds=offset))
        self.deadlines.turn()
        self._handling += 1
        try:
            await workflow.wait_condition(lambda: self._quiet() and not (self._must_park() or self._troubles))
        finally:
            self._handling -= 1

    @workflow.query
    def quiet(self) -> bool:
        """Tell whether nothing will happen without a new delivery or the clock, and PostgreSQL knows that."""
        return self._quiet() and not (self._handling or self._troubles or self._must_park())

    @workflow.query
    def whereabouts(self) -> list[Whereabouts]:
        """Tell where every instance stands."""
        return self.instances.whereabouts()

    @advance.validator
    def _refuse_in_production(self, offset: float) -> None:
        del offset
        if not self._start.virtual_time:
            raise ApplicationError("Business time of this order is real time.", type="time.real")

    def now(self) -> datetime:
        """Return business time."""
        return workflow.now() + self._offset

    def resolution(self, exception: str) -> asyncio.Future[Event]:
        """Return a future of the operator's decision about a process exception."""
        return self.decisions.about(exception)

    def turn(self) -> None:
        """See whether an instance that waits may start now."""
        self.instances.turn()

    async def _begin(self, start: OrderInput) -> None:
        if start.carried is not None:
            self._take_over(Carried.model_validate(start.carried))
        elif start.revived:
            rebuilt = await self._surely(REBUILD, lambda context: Rebuild(context=context), Rebuilt)
            self._parked = None
            self.transactions.checked, self.transactions.moved_at = (
                max(self.transactions.checked, rebuilt.seq),
                rebuilt.moved_at,
            )
            self.instances.go_on(Whereabouts.model_validate(one) for one in rebuilt.moved)
            for event in rebuilt.unfinished:
                self._subscribe(event, depth=0)
        if start.first is not None and start.carried is None and start.first.type != RELEASE_REQUESTED:
            await self._record_first(start.first)
        self._ready = True

    async def _record_first(self, delivery: Delivery) -> None:
        """Journal what the workflow was started for: nobody else would before the relay, if the update was lost."""
        try:
            await self._record(delivery)
        except FailureError as failure:
            # Whoever brings it once more is told.
            workflow.logger.warning("order %s: %s", self._start.order_id, failure)

    async def _record(self, delivery: Delivery) -> Receipt:
        self._jump(delivery.business_at)
        recorded = await self.transactions.run(
            RECORD,
            lambda context: RecordDelivery(context=context, delivery=delivery),
            Recorded,
            stands=self.instances.stands,
        )
        self._remember(delivery.intake_id, recorded.receipt)
        return recorded.receipt

    def _told(self, events: list[Event], depth: int) -> None:
        """Hand journaled events to whom they concern: operators' decisions, listens, subscriptions."""
        self._settled_at = None
        for event in events:
            self.decisions.take(event)
            if not self.inbox.add(event, self.instances.wanted()):
                full = InboxFull(f"{event.type} {event.id} found {CAPACITY} events before it.").problem()
                self._troubles.add(full, event.id)
            self.instances.ring(event)
            self._subscribe(event, depth)

    def _subscribe(self, event: Event, depth: int) -> None:
        flows = self.transactions.starts(event)
        if flows and depth >= MOST_DEPTH:
            self._troubles.add(too_deep(event), event.id)
            return
        self.instances.held = self._too_long()
        for flow in flows:
            self.instances.request(Start(flow=flow, event=event, depth=depth + 1))

    def _remember(self, intake_id: str, receipt: Receipt) -> None:
        self._receipts[intake_id] = receipt
        while len(self._receipts) > REMEMBERED:
            del self._receipts[next(iter(self._receipts))]

    def _jump(self, instant: datetime | None) -> None:
        if instant is None or not self._start.virtual_time:
            return
        offset = instant - workflow.now()
        # An import's first delivery lies in the past; from there on time only moves forward.
        self._offset = max(self._offset, offset) if self._receipts or self.transactions.header else offset
        self.deadlines.turn()

    def _quiet(self) -> bool:
        return self._ready and not (self.transactions.running or self.calls)

    def _something_to_do(self) -> bool:
        if self.instances.crash is not None:
            return True
        if not self._quiet():
            return False
        return bool(
            self._troubles
            or self._must_park()
            or self._moves
            or self._must_settle()
            or self._should_continue()
            or self._may_close()
            or self._never_was()
        )

    def _wanted(self) -> list[str]:
        return sorted(self.instances.listening() | self.decisions.wanted)

    def _must_park(self) -> bool:
        """Whether PostgreSQL knows less than this run, or has journaled what nobody told this run of."""
        seq = cast("int", self.transactions.header.get("seq", 0))
        ended = bool(self.transactions.finished or self.decisions.left)
        untold = ended or self._parked != (self._wanted(), self.deadlines.next)
        return seq > 0 and (untold or seq > self.transactions.checked)

    async def _park(self) -> None:
        told, left = (self._wanted(), self.deadlines.next), self.decisions.left
        seq = cast("int", self.transactions.header["seq"])
        parked = await self._tell(*told, closing=False, left=left)
        self._parked = told
        self.decisions.forget(left)
        await self._catch_up(parked.events, seq)

    async def _tell(self, wanted: list[str], due: datetime | None, *, closing: bool, left: list[str]) -> Parked:
        since = self.instances.since()
        after = self.transactions.checked if since is None else min(since, self.transactions.checked)

        def park(context: Context) -> Park:
            return Park(context=context, wanted=wanted, next_due_at=due, after=after, closing=closing, left=left)

        return await self._surely(PARK, park, Parked)

    async def _catch_up(self, events: list[Event], seq: int) -> None:
        """
        Take in events that were journaled while nobody was seen to want them.

        One that starts a flow is among them only when its delivery was committed but the server and the worker lost
        it together; the flow's body then comes with a rebuild.
        """
        self.transactions.checked = max(self.transactions.checked, seq, *(event.seq for event in events))
        for event in events:
            self.decisions.take(event)
            self.inbox.add(event, self.instances.wanted())
            self.instances.ring(event)
        missed = [
            event
            for event in events
            for flow in self.transactions.starts(event)
            if not self.instances.knows(Start(flow=flow, event=event))
        ]
        if missed:
            rebuilt = await self._surely(REBUILD, lambda context: Rebuild(context=context), Rebuilt)
            unfinished = {event.seq for event in rebuilt.unfinished}
            for event in missed:
                if event.seq in unfinished:
                    self._subscribe(event, depth=0)

    async def _surely[A: Message](self, activity: str, request: Callable[[Context], Message], answer: type[A]) -> A:
        """Run a transaction that nobody stands behind to be told of an error: try again until it is mended."""
        while True:
            try:
                return await self.transactions.run(activity, request, answer)
            except FailureError as failure:
                workflow.logger.error("order %s: %s failed: %s", self._start.order_id, activity, failure)
                await workflow.sleep(TRY_AGAIN)

    def _never_was(self) -> bool:
        """Whether the placement was refused: there is no order."""
        return not self.transactions.header and not self._handling

    def _nothing_open(self) -> bool:
        units = self.transactions.header.get("units")
        if not isinstance(units, dict) or len(self.instances):
            return False
        return not any(units.get(state) for state in ("open", "reserved", "allocated"))

    def _must_settle(self) -> bool:
        return self._settled_at is None and self._nothing_open()

    def _settle(self) -> None:
        """Begin the service window: nothing is open."""
        self._settled_at = self.now()
        if self._closing is not None:
            self._closing.cancel()
        self._closing = self.deadlines.at(self._window_ends(), told=False)

    def _window_ends(self) -> datetime:
        if self._settled_at is None:
            raise ValueError("the service window has not begun")
        return self._settled_at + timedelta(seconds=self._start.service_window)

    def _may_close(self) -> bool:
        return (
            self._settled_at is not None
            and self._nothing_open()
            and not self._handling
            and self.now() >= self._window_ends()
        )

    async def _close(self) -> bool:
        """Complete, unless something comes at the last moment; False then."""
        if self._never_was():
            return True
        parked = await self._tell([], None, closing=True, left=[])
        if not parked.pending and self._may_close() and self._quiet():
            return True
        self._parked = None
        try:
            await workflow.wait_condition(lambda: self._handling > 0, timeout=LAST_MOMENT)
        except TimeoutError:
            workflow.logger.warning("order %s: what was to come has not come", self._start.order_id)
        return False

    def _too_long(self) -> bool:
        return workflow.info().get_current_history_length() > (self._start.max_events or MOST_EVENTS)

    def _should_continue(self) -> bool:
        info = workflow.info()
        due = (
            self._too_long()
            or info.is_continue_as_new_suggested()
            or info.is_target_worker_deployment_version_changed()
        )
        return due and not self._handling and bool(self.transactions.header)

    def _continue(self) -> None:
        changed = workflow.info().is_target_worker_deployment_version_changed()
        kept = {"carried": self._carried().model_dump(mode="json"), "pin": self.transactions.pin}
        workflow.continue_as_new(
            self._start.model_copy(update=kept),
            initial_versioning_behavior=ContinueAsNewVersioningBehavior.AUTO_UPGRADE if changed else None,
        )

    def _carried(self) -> Carried:
        return Carried(
            order=self.transactions.header,
            checked=self.transactions.checked,
            offset=self._offset.total_seconds(),
            flows=self.transactions.flows,
            instances=self.instances.carried(),
            queued=self.instances.waiting(),
            finished=self.transactions.finished,
            ended=list(self.instances.ended),
            receipts=self._receipts,
            events=self.inbox.events(),
            asked=sorted(self.asked),
            parked=self._parked,
            moved_at=self.transactions.moved_at,
            settled_at=self._settled_at,
        )

    def _take_over(self, carried: Carried) -> None:
        self.transactions.header = carried.order
        self.transactions.flows = dict(carried.flows)
        self.transactions.finished = list(carried.finished)
        self.inbox = Inbox(carried.events)
        self.asked = set(carried.asked)
        self.transactions.checked = carried.checked
        self._offset = timedelta(seconds=carried.offset)
        self._receipts = dict(carried.receipts)
        self._parked = carried.parked
        self._settled_at, self.transactions.moved_at = carried.settled_at, carried.moved_at
        if carried.settled_at is not None:
            self._closing = self.deadlines.at(self._window_ends(), told=False)
        self.instances.ended = dict.fromkeys(carried.ended)
        self.instances.resume(carried.instances)
        self.instances.queued = list(carried.queued)
        self.instances.turn()

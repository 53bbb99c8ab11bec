"""The order: a durable workflow with an inbox. What happens to it is in flows; nothing of it is here."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.workflow import ContinueAsNewVersioningBehavior

from orderloom.contracts.actions import raise_exception
from orderloom.contracts.messages import (
    ActionDone,
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
    RunAction,
)
from orderloom.contracts.queues import ORDER_WORKFLOW, PARK, REBUILD, RECORD
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject
from workflows.deadlines import Deadlines
from workflows.failures import category_of
from workflows.inbox import CAPACITY, Inbox, InboxFull
from workflows.instances import MOST_DEPTH, Instances, too_deep
from workflows.runner import RESOLVE_REQUESTED
from workflows.state import Carried, Start
from workflows.transactions import Transactions

MOST_EVENTS = 3_000
"""Above so many events no instance starts until the order has continued as new."""
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
        self.transactions = Transactions(start.order_id, start.pin, self.now, self._told)
        self.instances = Instances(self)
        self.asked: set[str] = set()
        self.calls = 0
        self.certain = not start.revived
        self._start = start
        self._offset = timedelta(0)
        self._seq = 0
        self._receipts: dict[str, Receipt] = {}
        self._resolutions: dict[str, asyncio.Future[Event]] = {}
        self._parked: tuple[list[str], datetime | None] | None = ([], None)
        self._settled_at: datetime | None = None
        self._closing: asyncio.Future[None] | None = None
        self._ready = False
        self._handling = 0
        self._troubles: list[tuple[Problem, str]] = []

    @workflow.run
    async def run(self, start: OrderInput) -> None:
        """Go on until nothing is open and nobody can ask for anything any more."""
        await self._begin()
        while True:
            await workflow.wait_condition(self._something_to_do)
            if self.instances.crash is not None:
                raise self.instances.crash
            if self._troubles:
                await self._raise_troubles()
            elif self._must_park():
                await self._park()
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
            if (known := self._receipts.get(delivery.intake_id)) is not None:
                return known
            self._jump(delivery.business_at)
            recorded = await self.transactions.run(
                RECORD, lambda context: RecordDelivery(context=context, delivery=delivery), Recorded
            )
            self._remember(delivery.intake_id, recorded.receipt)
            return recorded.receipt
        finally:
            self._handling -= 1

    @workflow.update
    async def advance(self, offset: float) -> None:
        """Set business time ahead of workflow time by *offset* seconds, and return when the order is quiet again."""
        self._offset = max(self._offset, timedelta(seconds=offset))
        self.deadlines.turn()
        await workflow.wait_condition(lambda: self._quiet() and not self._must_park())

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
        return self._resolutions.setdefault(exception, asyncio.get_running_loop().create_future())

    async def _begin(self) -> None:
        if self._start.carried is not None:
            self._take_over(Carried.model_validate(self._start.carried))
        elif self._start.revived:
            rebuilt = await self.transactions.run(REBUILD, lambda context: Rebuild(context=context), Rebuilt)
            self._parked = None
            self._seq = max(self._seq, rebuilt.seq)
            for event in rebuilt.unfinished:
                self._subscribe(event, depth=0)
        self._ready = True

    def _told(self, events: list[Event], depth: int) -> None:
        """Hand journaled events to whom they concern: operators' decisions, listens, subscriptions."""
        for event in events:
            self._seq = max(self._seq, event.seq)
            self._settled_at = None
            if event.type == RESOLVE_REQUESTED:
                self._resolve(event)
            if not self.inbox.add(event, self.instances.wanted()):
                full = InboxFull(f"{event.type} {event.id} found {CAPACITY} events before it.").problem()
                self._troubles.append((full, event.id))
            self.instances.ring(event)
            self._subscribe(event, depth)

    def _subscribe(self, event: Event, depth: int) -> None:
        flows = self._start.pin.subscriptions.get(event.type, [])
        if flows and depth >= MOST_DEPTH:
            self._troubles.append((too_deep(event), event.id))
            return
        self.instances.held = self._too_long()
        for flow in flows:
            self.instances.request(Start(flow=flow, event=event, depth=depth + 1))

    def _resolve(self, event: Event) -> None:
        decision = self.resolution(cast("str", event.data.get("exception")))
        if not decision.done():
            decision.set_result(event)

    def _remember(self, intake_id: str, receipt: Receipt) -> None:
        self._receipts[intake_id] = receipt
        while len(self._receipts) > REMEMBERED:
            del self._receipts[next(iter(self._receipts))]

    def _jump(self, instant: datetime | None) -> None:
        if instant is not None and self._start.virtual_time:
            self._offset = max(self._offset, instant - workflow.now())
            self.deadlines.turn()

    def _quiet(self) -> bool:
        return self._ready and not (self.transactions.running or self.calls or self._troubles)

    def _something_to_do(self) -> bool:
        if self.instances.crash is not None:
            return True
        return self._quiet() and (self._must_park() or self._should_continue() or self._may_close()) or (
            self._ready and bool(self._troubles)
        )

"""An order's transactions: local activities, one at a time, and what they say of the order."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from orderloom.contracts.messages import (
    ActionDone,
    Ahead,
    Applied,
    Context,
    Event,
    FlowFinished,
    Rebuilt,
    Recorded,
    ReleasePin,
    Standpoint,
)
from orderloom.contracts.moving import Moved
from orderloom.domain.model import JsonObject, Message
from workflows.failures import applied_of

ATTEMPT = timedelta(seconds=5)
THRESHOLD = timedelta(seconds=2)
"""A longer wait between attempts becomes a timer, so that an outage holds no workflow task."""
RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=30))


class Transactions:
    """
    The order as PostgreSQL knows it, changed by one local activity at a time.

    Attributes:
        header: the order's header, as of the last transaction.
        flows: packed bodies of the flows that this run's history holds, by hash.
        finished: instances that ended since the last transaction; the next one reports them.
        pin: the flows in force for the order.
        moved_at: number of the event at which it came to them; 0 when it was placed with them.
        checked: up to this number of the journal nothing that anybody wants can have been missed.
        running: transactions that run or wait for their turn.

    A transaction may run ahead (``activities.ahead``). What it did beyond what it was asked for is kept until the flows
    come to it; what they never come to is answered from its idempotency row if they do so later.
    """

    def __init__(
        self,
        order_id: str,
        pin: ReleasePin,
        now: Callable[[], datetime],
        told: Callable[[list[Event], int], None],
        wanted: Callable[[], list[str]],
    ) -> None:
        """
        Take the order's clock, whom to tell of journaled events, and what returns the types that are waited for.

        With events is told the depth of the flow that caused them.
        """
        self.header: JsonObject = {}
        self.flows: dict[str, str] = {}
        self.finished: list[FlowFinished] = []
        self.running = 0
        self._order_id = order_id
        self.pin = pin
        self.moved_at = 0
        self.checked = 0
        self._now = now
        self._told = told
        self._wanted = wanted
        self._lock = asyncio.Lock()
        self._ahead: dict[tuple[str, str], tuple[Ahead, JsonObject]] = {}
        self._ended: list[FlowFinished] = []
        self._as_of: tuple[datetime, datetime] | None = None

    def starts(self, event: Event) -> list[str]:
        """Return the flows that *event* starts; what one of before the order's latest move started is known."""
        return self.pin.subscriptions.get(event.type, []) if event.seq > self.moved_at else []

    def time(self) -> datetime:
        """Return business time for flows: when a transaction that ran ahead is back, the time that it was told."""
        now = self._now()
        return self._as_of[1] if self._as_of is not None and self._as_of[0] == now else now

    def end(self, instance: FlowFinished) -> None:
        """Note that an instance has ended, unless a transaction that ran ahead has noted it."""
        if instance in self._ended:
            self._ended.remove(instance)
        else:
            self.finished.append(instance)

    def ahead(self, activity: str, key: str, depth: int) -> Ahead | None:
        """Return what was done of this call ahead of it, and take over what it says of the order."""
        found = self._ahead.pop((activity, key), None)
        if found is None:
            return None
        ahead, header = found
        self._apply(ahead.done.applied, header, depth)
        return ahead

    async def let_pass(self, activity: str, key: str) -> None:
        """Let other instances come to what was done ahead before this call of *activity*, if it was done ahead."""
        while (activity, key) in self._ahead and next(iter(self._ahead)) != (activity, key):
            left = len(self._ahead)
            await asyncio.sleep(0)
            if len(self._ahead) == left:
                return

    async def run[A: Message](
        self,
        activity: str,
        request: Callable[[Context], Message],
        answer: type[A],
        depth: int = 0,
        stands: Callable[[], Standpoint | None] | None = None,
    ) -> A:
        """
        Run local activity *activity* when it is its turn, and take over what it says of the order.

        An outage is waited for; what is typed as an error of ours is raised at once.

        Args:
            stands: returns where the flows stand, or None while it must not run ahead.

        Raises:
            FailureError: the transaction refused. What it committed all the same has been taken over.
        """
        self.running += 1
        try:
            async with self._lock:
                return await self._run(activity, request, answer, depth, stands)
        finally:
            self.running -= 1

    async def _run[A: Message](
        self,
        activity: str,
        request: Callable[[Context], Message],
        answer: type[A],
        depth: int,
        stands: Callable[[], Standpoint | None] | None,
    ) -> A:
        reported = list(self.finished)
        context = Context(
            order_id=self._order_id,
            now=self._now(),
            known_flows=sorted(self.flows),
            pin=self.pin,
            finished=reported,
            checked=self.checked,
            wanted=self._wanted(),
            seen=self.header,
            stands=stands() if stands is not None and self.running == 1 and not self._ahead else None,
        )
        try:
            done: A = await workflow.execute_local_activity(
                activity,
                request(context),
                result_type=answer,
                start_to_close_timeout=ATTEMPT,
                local_retry_threshold=THRESHOLD,
                retry_policy=RETRY,
            )
        except FailureError as failure:
            if (kept := applied_of(failure)) is not None:
                self._apply(kept, {**context.seen, **kept.order}, depth)
            raise
        self.finished = [one for one in self.finished if one not in reported]
        self._ahead, self._ended = {}, []
        told: Message = done
        if isinstance(told, ActionDone | Recorded | Rebuilt | Moved) and told.applied is not None:
            header = {**context.seen, **told.applied.order}
            self._go_on_from(told.applied, header, context.now)
            self._apply(told.applied, header, depth)
        return done

    def _go_on_from(self, applied: Applied, header: JsonObject, now: datetime) -> None:
        """Keep what was done ahead. What flows do until they come to the end of it, they do at the same time."""
        for each in applied.ahead:
            header = {**header, **each.done.applied.order}
            self._ahead[each.activity, each.key] = each, header
        self._ended = list(applied.ended)
        self._as_of = (self._now(), now) if applied.ahead or applied.ended else None

    def _apply(self, applied: Applied, header: JsonObject, depth: int) -> None:
        self.header = header
        self.flows.update(applied.flows)
        self.checked = applied.checked(self.checked)
        if applied.events:
            self._told(applied.events, depth)

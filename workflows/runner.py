"""What a flow asks for, done with Temporal: the interpreter's StepRunner inside an order's workflow."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from flows_dsl.outside_calls import OUTSIDE_CALLS
from flows_dsl.runner import Fault, FlowFailure, Resolution, Retry, Step
from orderloom.contracts.actions import CORE_ACTIONS, Runs, raise_exception
from orderloom.contracts.messages import (
    ActionDone,
    CompensationPlanned,
    Context,
    Event,
    FaultFound,
    FindFault,
    RaiseFault,
    RecordAnswer,
    RunAction,
    SettleAction,
    Standpoint,
)
from orderloom.contracts.outside import (
    PERFORM_GATEWAY_REQUEST,
    GatewayOutcome,
    GatewayRequest,
    Outcome,
    OutsideAnswer,
    OutsideCall,
)
from orderloom.contracts.queues import EMIT_EVENT, FIND_FAULT, OUTSIDE, RAISE_FAULT, RECORD_ANSWER
from orderloom.contracts.searching import SearchRoutes
from orderloom.domain.exceptions import Decision, category_of
from orderloom.domain.model import Json, JsonObject, Message
from workflows import outside_calls, searching
from workflows.deadlines import Deadlines
from workflows.failures import problem_of
from workflows.inbox import Inbox
from workflows.state import Start
from workflows.transactions import Transactions

OUTSIDE_ACTIONS = frozenset(action.activity for action in CORE_ACTIONS if action.runs is Runs.OUTSIDE)
FAULTS_TOLD = "faults-told"
"""Runs before this patch recorded an uncaught error as any other exception."""
FAULTS_FOUND = "faults-found"
"""Runs before this patch did not ask how a call had ended before the order was revived."""
GATEWAY_ATTEMPT = timedelta(seconds=30)
GATEWAY_SILENCE = timedelta(seconds=5)
"""Without a heartbeat for so long the worker has died: another one asks what became of the intent."""
GATEWAY_IN_ALL = timedelta(minutes=10)
"""An outside call is bounded, then waits with the order's deadlines: so quiet points come."""
GATEWAY_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))
ASK_AGAIN = timedelta(seconds=60)
"""Between asking a gateway what became of an intent, and asking again."""


class Order(Protocol):
    """What an instance shares with its order."""

    transactions: Transactions
    deadlines: Deadlines
    inbox: Inbox
    asked: set[str]
    """Intents that a gateway may have seen and whose outcome is unknown."""
    calls: int
    """Calls to the outside that are under way."""
    certain: bool
    """False in a revived order: any intent may have been sent by the run that was lost."""

    def now(self) -> datetime:
        """Return business time."""
        ...

    def resolution(self, exception: str) -> asyncio.Future[Event]:
        """Return a future of the operator's decision about a process exception."""
        ...

    def turn(self) -> None:
        """See whether an instance that waits may start now."""
        ...


class InstanceRunner:
    """Runs the steps of one instance of a flow."""

    def __init__(
        self, order: Order, start: Start, flow: str, consumed: set[int], stands: Callable[[], Standpoint | None]
    ) -> None:
        """
        Take the order, what started the instance, the flow's label for people, and the events taken already.

        *stands* returns where the order's flows stand, if nothing but a call of the instance is under way.
        """
        self._order = order
        self._start = start
        self._flow = flow
        self._stands = stands
        self.consumed = consumed
        """Numbers of the events that its listens took."""
        self.listening: dict[str, frozenset[str]] = {}
        """Event types of its live listens, by the step that listens."""
        self.calling = 0
        """Calls that must come to their end before the instance may be cancelled."""
        self._bells: dict[str, asyncio.Future[None]] = {}

    def now(self) -> datetime:
        """Return business time."""
        return self._order.transactions.time()

    def order(self) -> Mapping[str, Json]:
        """Return the order's header, as of the last transaction."""
        return self._order.transactions.header

    def ring(self, type: str) -> None:
        """
        Wake the instance's listens: an event of *type* has come.

        Of several listens that want it, the one whose step comes first gets it: not the one that began first, which
        another run of the workflow could not know.
        """
        for key in sorted(self._bells):
            if type in self.listening[key] and not self._bells[key].done():
                self._bells[key].set_result(None)

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Run an action; between attempts that the author asked for, wait with the order's deadlines."""
        await self._fail_as_before(step)
        attempts = retry.attempts if retry else 1
        for attempt in range(attempts):
            # An attempt that failed left no idempotency row, but an outside one left intents that stay as they are.
            key = f"{step.key}!{attempt}" if attempt else step.key
            try:
                return await self._attempt(step, action, arguments, key)
            except FlowFailure as failure:
                failure.attempts = attempt + 1
                if retry is None or attempt == attempts - 1:
                    raise
                delay = min(retry.delay * retry.factor**attempt, retry.limit)
                await self._order.deadlines.wait(self.now() + timedelta(seconds=delay))
        raise AssertionError("a call has at least one attempt")

    async def _fail_as_before(self, step: Step) -> None:
        """
        In a revived order, let a call fail again that failed before and that an operator has decided about.

        It left no row that it could be answered from: done once more it might succeed, beside what was decided.
        """
        if self._order.certain or not workflow.patched(FAULTS_FOUND):
            return
        found = await self._order.transactions.run(
            FIND_FAULT, lambda context: FindFault(context=context, call=step.key), FaultFound
        )
        if found.error is not None:
            raise FlowFailure(found.error)

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Journal an event of the order."""
        await self._transact(EMIT_EVENT, step, {"type": type, "data": data}, step.key)

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the first event that the instance has not taken and that matches; None at the deadline."""
        due = self._order.deadlines.at(deadline) if deadline is not None else None
        self.listening[step.key] = types
        try:
            while True:
                event = self._order.inbox.first(self._start.event.seq, types, frozenset(self.consumed), matches)
                if event is not None:
                    self.consumed.add(event.seq)
                    return event
                if due is not None and due.done():
                    return None
                await self._bell_or(step.key, due)
        finally:
            del self.listening[step.key]
            if due is not None:
                due.cancel()

    async def _bell_or(self, key: str, due: asyncio.Future[None] | None) -> None:
        bell = self._bells[key] = asyncio.get_running_loop().create_future()
        try:
            await workflow.wait([bell] if due is None else [bell, due], return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._bells[key]

    async def wait(self, step: Step, until: datetime) -> None:
        """Return when business time has reached *until*."""
        del step
        await self._order.deadlines.wait(until)

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Raise a process exception and wait for an operator."""
        raised = await self._surely_raise(step, fault)
        exception, decided = cast("str", raised["exception"]), raised.get("decision")
        if not isinstance(decided, dict):
            decided = (await self._order.resolution(exception)).data
        return _resolution(exception, decided)

    async def _surely_raise(self, step: Step, fault: Fault) -> JsonObject:
        while True:
            try:
                return (await self._raise(step, fault)).output
            except FlowFailure:
                await self._order.deadlines.wait(self.now() + ASK_AGAIN)

    async def _raise(self, step: Step, fault: Fault) -> ActionDone:
        problem = fault.problem
        if not workflow.patched(FAULTS_TOLD):
            arguments: JsonObject = {
                "category": category_of(problem.code),
                "code": problem.code,
                "detail": problem.detail,
                "attached_to": f"{step.instance}{step.path}",
            }
            return await self._transact(raise_exception.activity, step, arguments, f"{step.key}!fault")

        def message(context: Context) -> RaiseFault:
            return RaiseFault(
                context=context,
                key=f"{step.key}!waits",
                cause=f"{self._flow}{step.path}",
                category=category_of(problem.code),
                error=problem,
                flow=fault.flow,
                flow_hash=fault.flow_hash,
                instance=self._start.instance,
                attached_to=f"{step.instance}{step.path}",
                task=fault.task,
                input=fault.input,
                attempts=fault.attempts,
                action=fault.action,
                call=fault.call,
                finished=fault.finished,
                within=list(fault.within),
                undoing=fault.undoing,
                compensations=[CompensationPlanned(**each.model_dump()) for each in fault.compensations],
            )

        return await self._local(RAISE_FAULT, step, message)

    async def _attempt(self, step: Step, action: str, arguments: JsonObject, key: str) -> Json:
        if action in OUTSIDE_CALLS:
            return await self._call_outside(step, action, arguments, key)
        if action not in OUTSIDE_ACTIONS:
            done = await self._transact(action, step, arguments, key)
            while done.search is not None:
                await self._search(done.search)
                done = await self._transact(action, step, arguments, key)
            return done.output
        done = await self._transact(f"{action}.prepare", step, arguments, key)
        while done.requests:
            done = await self._ask_and_settle(action, step, arguments, key, done.requests)
            if done.requests:
                await self._order.deadlines.wait(self.now() + ASK_AGAIN)
        return done.output

    async def _search(self, search: SearchRoutes) -> None:
        """Have a question answered elsewhere; when no worker does, ask again later."""
        with self._outside():
            found = await searching.search(search)
        if not found:
            await self._order.deadlines.wait(self.now() + ASK_AGAIN)

    async def _call_outside(self, step: Step, call: str, arguments: JsonObject, key: str) -> Json:
        """Make a call to the outside and keep the answer; in a revived order what was kept is the answer."""
        kept: JsonObject = {}
        if not self._order.certain:
            kept = await self._keep(step, call, arguments, key, None)
        if not kept:
            with self._outside():
                answer = await outside_calls.ask(OutsideCall(call=call, key=step.key, arguments=arguments))
            kept = await self._keep(step, call, arguments, key, answer)
        answer = OutsideAnswer.model_validate(kept)
        if answer.error is not None:
            raise FlowFailure(answer.error.model_copy(update={"instance": step.path}))
        return answer.answer

    async def _keep(
        self, step: Step, call: str, arguments: JsonObject, key: str, answer: OutsideAnswer | None
    ) -> JsonObject:
        def message(context: Context) -> RecordAnswer:
            return RecordAnswer(call=call, action=self._action(context, step, arguments, key), answer=answer)

        return (await self._local(RECORD_ANSWER, step, message)).output

    async def _transact(self, activity: str, step: Step, arguments: JsonObject, key: str) -> ActionDone:
        if (done := self._done_ahead(activity, step, key)) is not None:
            return done
        stands = self._stands if key == step.key else None
        return await self._local(activity, step, lambda context: self._action(context, step, arguments, key), stands)

    async def _ask_and_settle(
        self, action: str, step: Step, arguments: JsonObject, key: str, requests: list[GatewayRequest]
    ) -> ActionDone:
        if (done := await self._settled_ahead(action, step, key)) is not None:
            return done
        outcomes = await self._ask(requests)

        def settle(context: Context) -> SettleAction:
            return SettleAction(action=self._action(context, step, arguments, key), outcomes=outcomes)

        return await self._local(f"{action}.settle", step, settle, self._stands if key == step.key else None)

    async def _settled_ahead(self, action: str, step: Step, key: str) -> ActionDone | None:
        """Return what was settled already: while gateways were asked, others went on, and do so here."""
        self.calling += 1
        try:
            await self._order.transactions.let_pass(f"{action}.settle", key)
            return self._done_ahead(f"{action}.settle", step, key)
        finally:
            self.calling -= 1
            self._order.turn()

    def _done_ahead(self, activity: str, step: Step, key: str) -> ActionDone | None:
        found = self._order.transactions.ahead(activity, key, self._start.depth)
        if found is None:
            return None
        if found.error is not None:
            raise FlowFailure(found.error.model_copy(update={"instance": step.path}))
        return found.done

    def _action(self, context: Context, step: Step, arguments: JsonObject, key: str) -> RunAction:
        return RunAction(context=context, key=key, input=arguments, cause=f"{self._flow}{step.path}")

    async def _local(
        self,
        activity: str,
        step: Step,
        message: Callable[[Context], Message],
        stands: Callable[[], Standpoint | None] | None = None,
    ) -> ActionDone:
        self.calling += 1
        try:
            return await self._order.transactions.run(activity, message, ActionDone, self._start.depth, stands)
        except FailureError as failure:
            raise FlowFailure(problem_of(failure, step.path)) from failure
        finally:
            self.calling -= 1
            self._order.turn()

    async def _ask(self, requests: list[GatewayRequest]) -> list[GatewayOutcome]:
        with self._outside():
            return await asyncio.gather(*[self._ask_one(request) for request in requests])

    @contextmanager
    def _outside(self) -> Generator[None]:
        """Let the order know within the block that a call to the outside is under way."""
        self.calling += 1
        self._order.calls += 1
        try:
            yield
        finally:
            self.calling -= 1
            self._order.calls -= 1
            self._order.turn()

    async def _ask_one(self, request: GatewayRequest) -> GatewayOutcome:
        asked = request.asked or request.intent_id in self._order.asked or not self._order.certain
        self._order.asked.add(request.intent_id)
        try:
            outcome: Any = await workflow.execute_activity(
                PERFORM_GATEWAY_REQUEST,
                request.model_copy(update={"asked": asked, "now": self.now()}),
                result_type=GatewayOutcome,
                task_queue=OUTSIDE,
                start_to_close_timeout=GATEWAY_ATTEMPT,
                heartbeat_timeout=GATEWAY_SILENCE,
                schedule_to_close_timeout=GATEWAY_IN_ALL,
                retry_policy=GATEWAY_RETRY,
            )
        except FailureError:
            return GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.UNKNOWN)
        self._order.asked.discard(request.intent_id)
        return outcome


def _resolution(exception: str, data: JsonObject) -> Resolution:
    """Return the operator's decision; one who has put it right by hand wants the flow to do nothing more."""
    decided = Decision.model_validate({**data, "exception": exception})
    return Resolution(
        kind="cancel" if decided.kind == "resolved" else decided.kind,
        input=decided.input,
        output=decided.output,
        task=decided.task,
        exception=exception,
    )

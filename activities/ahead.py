"""
Running ahead: what an order's flows ask for next, done in the transaction that they have asked for.

When a call has been carried out and nothing else of the order is under way, the interpreter goes on here, in a copy of
the instance that asks, and then in those that its events start, one after another. It sees what the workflow's own
would: the same headers, the same time. The workflow's own comes to the same calls in the same order and finds them done
(``workflows.transactions``).

It ends where a flow asks for what no transaction can give, where rows are held that other orders want, and before what
is done for several orders together. Where it ends is of no importance to what happens: the workflow goes on from there.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from activities.backorders import count_ahead
from activities.emit import emitting
from activities.phases import preparing
from activities.questions import Question
from activities.registry import Entry
from activities.transaction import AheadFailed, Body, Call, close, command_of, running, tell
from activities.unit import GoOn, Unit
from flows_dsl.compiled import CompiledFlow, Fork, RunFlow
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.problems import FlowCancelled, FlowUndone
from flows_dsl.runner import Resolution, Retry, Step
from orderloom.contracts.messages import ActionDone, Ahead, Context, Event, FlowFinished, RunAction, Standpoint
from orderloom.contracts.moving import Whereabouts
from orderloom.contracts.outside import GatewayRequest
from orderloom.contracts.queues import EMIT_EVENT
from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Json, JsonObject
from orderloom.persistence.conflicts import is_at_fault
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.tables.orders import flow_instances
from workflows.instances import MOST_DEPTH, flow_of, state_of, whereabouts_of
from workflows.state import Start

SECONDS = 1.0
"""Nothing more is begun after so long: all of it has to be done within the time of one attempt."""


class _Halt(BaseException):
    """It ends here. No error of a flow: nothing that handles those may take it for one."""


@dataclass(eq=False)
class _Waits(BaseException):
    """The instance *asking* stands in the middle of a call until gateways are asked; others go on meanwhile."""

    asking: Whereabouts
    activity: str
    key: str
    cause: str
    arguments: JsonObject
    requests: Sequence[GatewayRequest]


def running_ahead(entries: Mapping[str, Entry]) -> GoOn:
    """Return what goes on with the actions of *entries* (``activities.unit.GoOn``)."""

    async def go_on(unit: Unit, context: Context, key: str, done: ActionDone, most: int) -> ActionDone:
        assert context.stands is not None
        course = _Course(entries, unit, context, most)
        try:
            await course.run(context.stands.asking, key, done)
            await course.unit.written()
        except Exception as error:
            if is_at_fault(error):
                raise AheadFailed(course.done_before) from error
            raise
        unit.question = course.question
        applied = done.applied.model_copy(update={"ahead": course.ahead, "ended": course.ended})
        return done.model_copy(update={"applied": applied})

    return go_on


class _Course:
    """What is done in one transaction beyond what it was asked for."""

    def __init__(self, entries: Mapping[str, Entry], unit: Unit, context: Context, most: int) -> None:
        self.entries = entries
        self.unit = unit
        self.ahead: list[Ahead] = []
        self.ended: list[FlowFinished] = []
        self.done_before = 0
        """How many calls had gone well when one went wrong; 0 when it was none of them."""
        self.question: Question | None = None
        """What gateways are to be asked where it ended."""
        self._checked = context.checked
        self._waits: _Waits | None = None
        # Nobody else journals anything within the transaction: what has been missed is looked for once.
        self.context = context.model_copy(update={"finished": [], "stands": None, "checked": None})
        self._most = most
        self._until = monotonic() + SECONDS
        self._starts: deque[Start] = deque()
        self._live: set[str] = set()
        """Names of the flows whose instance runs or is to be started here."""
        self._complete = True
        """Whether every instance that the events start can be started here."""

    async def run(self, asking: JsonObject | None, key: str, done: ActionDone) -> None:
        """Go on with the instance that asked, for which the call *key* is done, and with those that follow."""
        try:
            if asking is None:
                await self.take_in(done, depth=0)
            else:
                await self._go_on(Whereabouts.model_validate(asking), key, done)
            while self._starts and self._complete:
                start = self._starts.popleft()
                await self._to_the_end(start, state_of(start, self.context.now))
        except (_Halt, FlowCancelled, FlowUndone):
            return
        if self._waits is not None and self._complete:
            self.question = self._question(self._waits)

    def _question(self, waits: _Waits) -> Question:
        """Return what is to be asked for the only instance that is left, and the context of what follows."""
        stands = Standpoint(asking=waits.asking.model_dump(mode="json", exclude_defaults=True))
        context = self.context.model_copy(update={"stands": stands, "checked": self._checked})
        request = RunAction(context=context, key=waits.key, input=waits.arguments, cause=waits.cause)
        return Question(activity=waits.activity, request=request, requests=waits.requests)

    async def _go_on(self, here: Whereabouts, key: str, done: ActionDone) -> None:
        start = Start(flow=here.flow, event=here.event, depth=here.depth, moves=here.moves, gathered=here.gathered)
        assert here.state is not None, f"{here.instance} asks and has not begun"
        await self._to_the_end(start, InstanceState.load(here.state), asked=(key, done))

    async def _to_the_end(
        self, start: Start, state: InstanceState, asked: tuple[str, ActionDone] | None = None
    ) -> None:
        flow = await self._flow(start.flow)
        if not _straight(flow):
            raise _Halt
        self._live.add(flow.name)
        try:
            await FlowInstance(flow, state, _Runner(self, start, state, flow.label, asked)).run()
        except _Waits as waits:
            if self._waits is not None:
                raise _Halt from None
            self._waits = waits
            return
        self._live.discard(flow.name)
        ended = FlowFinished(instance=start.instance, outcome="completed")
        self.ended.append(ended)
        row = {"order_id": self.unit.order.id, "instance": ended.instance}
        self.unit.change(flow_instances, row, {"status": ended.outcome}, exact=False)

    @property
    def now(self) -> datetime:
        """Return business time."""
        return self.context.now

    async def do(self, activity: str, call: Call, body: Body, depth: int) -> ActionDone:
        """
        Do one call more, for an instance at *depth*.

        Raises:
            _Halt: it is to be asked for by the workflow.
        """
        if len(self.ahead) == self._most or self.unit.contended or monotonic() > self._until:
            raise _Halt
        self.done_before = len(self.ahead)
        unit = self.unit.following(cause=call.cause, key=call.key)
        answer = await body(unit)
        if answer.search is not None:
            raise _Halt
        close(unit, call, answer)
        await count_ahead(unit)
        done = await tell(unit, call, answer)
        self.unit = unit
        self.ahead.append(Ahead(activity=activity, key=call.key, done=done))
        await self.take_in(done, depth)
        self.done_before = 0
        return done

    async def take_in(self, done: ActionDone, depth: int) -> None:
        """See what follows from a call: the header, and the instances that its events start."""
        applied = done.applied
        if self._checked is not None:
            self._checked = applied.checked(self._checked)
        known = [*self.context.known_flows, *applied.flows]
        seen = {**self.context.seen, **applied.order}
        self.context = self.context.model_copy(update={"known_flows": known, "seen": seen})
        for event in applied.events:
            for hash in self.context.pin.subscriptions.get(event.type, ()):
                await self._start(Start(flow=hash, event=event, depth=depth + 1))

    async def _start(self, start: Start) -> None:
        """Let an instance be started here, unless it has to wait for others or to see to them."""
        flow = await self._flow(start.flow)
        if start.depth > MOST_DEPTH or flow.starts_with or flow.name in self._live:
            self._complete = False
        self._live.add(flow.name)
        self._starts.append(start)

    async def _flow(self, hash: str) -> CompiledFlow:
        bodies = await read_bodies(await self.unit.at_once(), [hash])
        flow, _ = flow_of(hash, bodies[hash])
        return flow


class _Runner:
    """Runs the steps of one instance, as the workflow's own would."""

    def __init__(
        self,
        course: _Course,
        start: Start,
        state: InstanceState,
        label: str,
        asked: tuple[str, ActionDone] | None,
    ) -> None:
        self._course = course
        self._start = start
        self._state = state
        self._label = label
        self._asked = asked

    def now(self) -> datetime:
        return self._course.now

    def order(self) -> Mapping[str, Json]:
        return self._course.context.seen

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        del retry
        done = await (self._found(step) if self._asked is not None else self._call(step, action, arguments))
        if done.requests:
            here = whereabouts_of(self._start, self._state.dump())
            raise _Waits(here, action, step.key, self._cause(step), arguments, done.requests)
        return done.output

    async def _call(self, step: Step, action: str, arguments: JsonObject) -> ActionDone:
        entry = self._course.entries.get(action)
        if entry is None or entry.together is not None:
            raise _Halt
        try:
            command = command_of(entry.contract, arguments)
        except InvalidInput:
            raise _Halt from None
        input: JsonObject = {"action": entry.contract.activity, "input": arguments}
        if entry.run is not None:
            return await self._do(action, step, input, running(entry.run, command))
        assert entry.prepare is not None
        return await self._do(f"{action}.prepare", step, input, preparing(entry.prepare, command))

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        if self._asked is not None:
            await self._found(step)
            return
        input: JsonObject = {"type": type, "data": data}
        await self._do(EMIT_EVENT, step, {"action": EMIT_EVENT, "input": input}, emitting(input))

    async def next_event(self, *_: Any, **__: Any) -> Event | None:
        raise _Halt

    async def wait(self, *_: Any, **__: Any) -> None:
        raise _Halt

    async def fault(self, *_: Any, **__: Any) -> Resolution:
        raise _Halt

    async def _found(self, step: Step) -> ActionDone:
        """Return what was answered to the call that the instance stands at."""
        assert self._asked is not None
        (key, done), self._asked = self._asked, None
        if step.key != key:
            raise _Halt
        await self._course.take_in(done, self._start.depth)
        return done

    async def _do(self, activity: str, step: Step, input: JsonObject, body: Body) -> ActionDone:
        call = Call(context=self._course.context, key=step.key, cause=self._cause(step), input=input)
        return await self._course.do(activity, call, body, self._start.depth)

    def _cause(self, step: Step) -> str:
        return f"{self._label}{step.path}"


def _straight(flow: CompiledFlow) -> bool:
    """Return whether nothing runs beside anything else in the flow: only then is the order of its calls certain."""
    bodies = [task.body for tasks in flow.lists.values() for task in tasks.tasks]
    beside = any(isinstance(body, Fork) or (isinstance(body, RunFlow) and not body.wait) for body in bodies)
    return not beside and all(_straight(inner) for inner in flow.inner.values())

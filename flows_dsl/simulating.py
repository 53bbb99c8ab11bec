"""
Runs what has happened to an order through another version of a flow, and tells where it would have done otherwise.

First the instance's own flow runs again, over the recorded answers: that gives its trace. Then the other flow runs and
is held to that trace step by step. At the first step that differs it stops: nobody knows what would have followed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NoReturn

from flows_dsl.canonical import canonical_json
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.problems import FlowCancelled
from flows_dsl.resolved import digest
from flows_dsl.runner import Fault, FlowFailure, Resolution, Retry, Step
from orderloom.contracts.messages import Event
from orderloom.contracts.queues import EMIT_EVENT
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json, JsonObject

MOST_GUESSES = 20
"""Calls of one instance that failed and were caught."""


class StillThere(BaseException):
    """The instance has come as far as is recorded."""


class Unclear(BaseException):
    """What is recorded does not say how it went on."""


class Otherwise(BaseException):
    """The other flow does something else than what was done."""

    def __init__(self, expected: "Effect | None", got: "Effect | None") -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got
        self.state: InstanceState | None = None


class Effect(Frozen):
    """One thing that an instance did or met."""

    kind: Literal["call", "emit", "wait", "event", "fault"]
    what: str
    """Action, event type, instant, id of the event taken (or ``timeout``), code of the error."""
    arguments: Json = None

    def __str__(self) -> str:
        """Return it for people."""
        arguments = "" if self.arguments in (None, {}) else f" {canonical_json(self.arguments)}"
        return f"{self.kind} {self.what}{arguments}"


WAITS = Effect(kind="wait", what="for what has not come")
"""The instance is still there."""


class Answer(Frozen):
    """What a call was answered with, the number of the journal after it, and the digest of what was asked."""

    output: Json
    seq: int
    asked: str


class Decided(Frozen):
    """An error that waited for an operator, and what was decided; None: nothing yet."""

    problem: Problem
    resolution: Resolution | None


@dataclass(frozen=True)
class Past:
    """
    What is recorded of an order.

    Args:
        events: its journal.
        answers: by idempotency key; None for a call that was begun and has no answer yet.
        faults: by instance and path, in their order.
        header: what expressions saw, by number of the journal.
        until: how far it is recorded.
        errors: what an action may raise, by name with major.
        settled: the last number of the transaction that entered a number of the journal.
    """

    events: Sequence[Event]
    answers: Mapping[str, Answer | None]
    faults: Mapping[str, Sequence[Decided]]
    header: Callable[[int], JsonObject]
    until: datetime
    errors: Callable[[str], Sequence[Problem]]
    settled: Callable[[int], int] = int


class Pending:
    """Nothing was got yet: the instance is at it."""


type Got = Json | FlowFailure | Resolution | Pending


@dataclass(frozen=True)
class Met:
    """An effect, what the instance got for it, and the number of the journal after it."""

    effect: Effect
    got: Got
    seq: int


@dataclass
class Trace:
    """What an instance did and met."""

    met: list[Met] = field(default_factory=list[Met])
    ended: bool = False
    """It ran to its end; else it is still there."""


class _Journal:
    """What both runs share: the clock, the journal's number, and the events that come."""

    def __init__(self, past: Past, start: Event) -> None:
        self._past = past
        self._clock = start.time
        self._seq = past.settled(start.seq)
        self._start = start.seq
        self._taken: set[int] = set()

    def now(self) -> datetime:
        """Return business time, as far as the journal tells it."""
        return self._clock

    def order(self) -> Mapping[str, Json]:
        """Return the header as of the journal's number."""
        return self._past.header(self._seq)

    def reach(self, seq: int) -> None:
        """Let the journal be as far as *seq*."""
        self._seq = max(self._seq, self._past.settled(seq))
        times = [event.time for event in self._past.events if event.seq <= self._seq]
        self._clock = max([self._clock, *times])

    def pass_to(self, instant: datetime) -> None:
        """Let business time reach *instant*."""
        if instant > self._past.until:
            raise StillThere
        self._clock = max(self._clock, instant)
        self.reach(max((event.seq for event in self._past.events if event.time <= self._clock), default=0))

    def take(self, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None) -> Event | None:
        """Take the event that a listen would have got; None when its time was up first."""
        for event in self._past.events:
            late = deadline is not None and event.time > deadline and event.time > self._clock
            wanted = event.seq > self._start and event.type in types and event.seq not in self._taken
            if wanted and not late and matches(event):
                self._taken.add(event.seq)
                self.reach(event.seq)
                return event
        if deadline is None:
            raise StillThere
        self.pass_to(deadline)
        return None


class RecordingRunner(_Journal):
    """Answers as was answered, and keeps the trace. What an action raised is found out by *guesses*."""

    def __init__(self, past: Past, start: Event, guesses: Mapping[str, Problem]) -> None:
        super().__init__(past, start)
        self._guesses = guesses
        self._faulted: dict[str, int] = {}
        self.trace = Trace()
        self.missing: tuple[str, str] | None = None
        """Key and action of the first call of which nothing is recorded."""

    def _keep(self, effect: Effect, got: Got = None) -> None:
        self.trace.met.append(Met(effect, got, self._seq))

    def _stay(self, effect: Effect) -> NoReturn:
        self._keep(effect, Pending())
        raise StillThere

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Return the recorded answer, of the attempt that has one."""
        effect = Effect(kind="call", what=action, arguments=arguments)
        for attempt in range(retry.attempts if retry else 1):
            key = f"{step.key}!{attempt}" if attempt else step.key
            if key in self._past.answers:
                answer = self._past.answers[key]
                if answer is None:
                    self._stay(effect)
                self._same(answer, action, arguments)
                self.reach(answer.seq)
                self._keep(effect, answer.output)
                return answer.output
        failure = FlowFailure(self._error(step, action, arguments))
        self._keep(effect, failure)
        raise failure

    def _same(self, answer: Answer, action: str, arguments: JsonObject) -> None:
        """See that the same was asked then. Behind an error that is a guess, its text may be in it."""
        if not self._guesses and answer.asked != digest({"action": action, "input": arguments}):
            raise Unclear(f"the arguments of {action}")

    def _error(self, step: Step, action: str, arguments: JsonObject) -> Problem:
        place = f"{step.instance}{step.path}"
        faults = self._past.faults.get(place, ())
        if (at := self._faulted.get(place, 0)) < len(faults):
            return faults[at].problem
        if step.key in self._guesses:
            return self._guesses[step.key]
        self.missing = step.key, action
        self._keep(Effect(kind="call", what=action, arguments=arguments), Pending())
        raise Unclear(action)

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Go on if it was emitted."""
        answer, effect = self._past.answers.get(step.key), Effect(kind="emit", what=type, arguments=data)
        if answer is None:
            self._stay(effect)
        self._same(answer, EMIT_EVENT, {"type": type, "data": data})
        self.reach(answer.seq)
        self._keep(effect)

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the journal's event."""
        del step
        event = self.take(types, matches, deadline)
        self._keep(_taken(event))
        return event

    async def wait(self, step: Step, until: datetime) -> None:
        """Let the time pass."""
        del step
        self.pass_to(until)
        self._keep(Effect(kind="wait", what=until.isoformat()))

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Return what was decided."""
        place = f"{step.instance}{step.path}"
        faults = self._past.faults.get(place, ())
        at = self._faulted.get(place, 0)
        self._faulted[place] = at + 1
        if at >= len(faults):
            raise Unclear(fault.problem.code)
        resolution, effect = faults[at].resolution, Effect(kind="fault", what=faults[at].problem.code)
        if resolution is None:
            self._stay(effect)
        self._keep(effect, resolution)
        return resolution


class HeldRunner(_Journal):
    """Holds another flow to a trace."""

    def __init__(self, past: Past, start: Event, trace: Trace) -> None:
        super().__init__(past, start)
        self._trace = trace
        self._at = 0

    def _meet(self, effect: Effect) -> Got:
        """Return what was got for *effect*, which must be the next one of the trace."""
        if self._at >= len(self._trace.met):
            raise Otherwise(None if self._trace.ended else WAITS, effect)
        met = self._trace.met[self._at]
        if canonical_json(met.effect.model_dump(mode="json")) != canonical_json(effect.model_dump(mode="json")):
            raise Otherwise(met.effect, effect)
        self._at += 1
        self.reach(met.seq)
        if isinstance(met.got, Pending):
            raise StillThere
        return met.got

    def finish(self, *, ended: bool) -> None:
        """
        See that nothing is left of the trace, and that both have ended or are still there.

        Raises:
            Otherwise: they differ in that.
        """
        if self._at < len(self._trace.met):
            raise Otherwise(self._trace.met[self._at].effect, None if ended else WAITS)
        if ended != self._trace.ended:
            raise Otherwise(None if self._trace.ended else WAITS, None if ended else WAITS)

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Return what the trace got for the same call."""
        del step, retry
        got = self._meet(Effect(kind="call", what=action, arguments=arguments))
        if isinstance(got, FlowFailure):
            raise got
        assert not isinstance(got, Resolution | Pending)
        return got

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Go on if the trace has the same."""
        del step
        self._meet(Effect(kind="emit", what=type, arguments=data))

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the journal's event, if the trace took it too."""
        del step
        event = self.take(types, matches, deadline)
        self._meet(_taken(event))
        return event

    async def wait(self, step: Step, until: datetime) -> None:
        """Let the time pass, if the trace did too."""
        del step
        self.pass_to(until)
        self._meet(Effect(kind="wait", what=until.isoformat()))

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Return what was decided about the same error."""
        del step
        got = self._meet(Effect(kind="fault", what=fault.problem.code))
        assert isinstance(got, Resolution)
        return got


def _taken(event: Event | None) -> Effect:
    return Effect(kind="event", what="timeout" if event is None else f"{event.type} {event.id}")


async def trace_of(flow: CompiledFlow, past: Past, start: Event, *, finished: bool) -> Trace:
    """
    Return what an instance of *flow* that *start* started has done.

    An action that failed has left no answer. Of the errors that it may raise, that one is taken which leads to what is
    recorded.

    Raises:
        Unclear: nothing does.
    """
    guesses: dict[str, Problem] = {}
    runner = await _recorded(flow, past, start, guesses)
    for _ in range(MOST_GUESSES):
        if runner.missing is None:
            return runner.trace
        key, action = runner.missing
        tried = [(await _guessed(flow, past, start, {**guesses, key: error}), error) for error in past.errors(action)]
        best, error = max(tried, key=lambda it: _told(it[0]), default=(None, None))
        # Another call without an answer right behind it shows nothing: it needs something recorded in between.
        if best is None or error is None or _told(best) <= (False, len(runner.trace.met) + 1):
            break
        runner, guesses[key] = best, error
    if finished:
        raise Unclear(runner.missing and runner.missing[1])
    return runner.trace


async def _recorded(flow: CompiledFlow, past: Past, start: Event, guesses: Mapping[str, Problem]) -> RecordingRunner:
    runner = RecordingRunner(past, start, guesses)
    try:
        await _run(FlowInstance(flow, InstanceState.start(flow.hash, start, start.time), runner))
        runner.trace.ended = True
    except StillThere:
        pass
    except Unclear:
        if runner.missing is None:
            raise
    return runner


async def _guessed(
    flow: CompiledFlow, past: Past, start: Event, guesses: Mapping[str, Problem]
) -> RecordingRunner | None:
    try:
        return await _recorded(flow, past, start, guesses)
    except Unclear:
        return None


def _told(runner: RecordingRunner | None) -> tuple[bool, int]:
    """Return how much of what is recorded a run explains."""
    return (False, 0) if runner is None else (runner.missing is None, len(runner.trace.met))


async def hold(flow: CompiledFlow, past: Past, start: Event, trace: Trace) -> InstanceState:
    """
    Run *flow* on what the instance with this trace met; return where it stands when all of that is used up.

    Raises:
        Otherwise: it does something else; ``state`` says where.
    """
    runner = HeldRunner(past, start, trace)
    instance = FlowInstance(flow, InstanceState.start(flow.hash, start, start.time), runner)
    try:
        try:
            await _run(instance)
        except StillThere:
            runner.finish(ended=False)
        else:
            runner.finish(ended=True)
    except Otherwise as otherwise:
        otherwise.state = instance.state
        raise
    return instance.state


async def _run(instance: FlowInstance) -> None:
    try:
        await instance.run()
    except FlowCancelled:
        return

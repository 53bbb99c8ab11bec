"""
Runs what has happened to an order through another version of a flow, and tells where it would have done otherwise.

First the instance's own flow runs again, over the recorded answers: that gives its trace. Then the other flow runs and
is held to that trace step by step. At the first step that differs it stops: nobody knows what would have followed.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NoReturn

from flows_dsl.canonical import canonical_json
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.past import (
    WAITS,
    Answer,
    Effect,
    Got,
    Journal,
    Met,
    Otherwise,
    Past,
    Pending,
    StillThere,
    Trace,
    Unclear,
)
from flows_dsl.problems import FlowCancelled
from flows_dsl.resolved import digest
from flows_dsl.runner import Fault, FlowFailure, Resolution, Retry, Step
from orderloom.contracts.messages import Event
from orderloom.contracts.queues import EMIT_EVENT
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject

MOST_GUESSES = 20
"""Calls of one instance that failed and were caught."""


class RecordingRunner(Journal):
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
        event = await self.take(types, matches, deadline)
        self._keep(_taken(event))
        return event

    async def wait(self, step: Step, until: datetime) -> None:
        """Let the time pass."""
        del step
        await self.pass_to(until)
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


class HeldRunner(Journal):
    """Holds another flow to a trace."""

    def __init__(self, past: Past, start: Event, trace: Trace) -> None:
        super().__init__(past, start)
        self._trace = trace
        self._at = 0
        self.otherwise: Otherwise | None = None
        """What was different first: branches beside it may still run."""

    def _meet(self, effect: Effect) -> Got:
        """Return what was got for *effect*, which must be the next one of the trace."""
        if self.otherwise is not None:
            raise self.otherwise
        if self._at >= len(self._trace.met):
            self.otherwise = Otherwise(None if self._trace.ended else WAITS, effect)
            raise self.otherwise
        met = self._trace.met[self._at]
        if canonical_json(met.effect.model_dump(mode="json")) != canonical_json(effect.model_dump(mode="json")):
            self.otherwise = Otherwise(met.effect, effect)
            raise self.otherwise
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
        if self.otherwise is not None:
            raise self.otherwise
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
        event = await self.take(types, matches, deadline)
        self._meet(_taken(event))
        return event

    async def wait(self, step: Step, until: datetime) -> None:
        """Let the time pass, if the trace did too."""
        del step
        await self.pass_to(until)
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
        first = runner.otherwise or otherwise
        first.state = instance.state
        raise first from None
    return instance.state


async def _run(instance: FlowInstance) -> None:
    try:
        await instance.run()
    except FlowCancelled:
        return

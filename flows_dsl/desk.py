"""
Runs one instance of a flow at the desk: in virtual time, without a server, with answers that a function gives.

``play`` is all there is to call. What it returns says which tasks were done and what was asked for, in order: cases are
compared with it, and journals of past orders can be.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import cast

from flows_dsl.catches import Catches
from flows_dsl.compensating import RECORD, UNDO
from flows_dsl.compiled import CompiledFlow, CompiledTask, RunFlow
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.problems import FlowCancelled, FlowUndone
from flows_dsl.ready_loop import ReadyLoop
from flows_dsl.runner import Fault, FlowFailure, Resolution, Retry, Step, TaskEventKind
from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject

MOST_TASKS = 10_000
"""An instance that does more tasks than this is taken to go on for ever."""

_ROUNDS = re.compile(r"\[[^\]]*\]")
"""The rounds of loops in the path of a step."""


@dataclass(frozen=True, slots=True)
class Passed:
    """A task that was done, or one that a ``try`` caught an error of."""

    task: CompiledTask
    at: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """One attempt at an action."""

    task: CompiledTask
    action: str
    """``name@major``."""
    arguments: JsonObject
    at: datetime

    @property
    def name(self) -> str:
        """Return the action's name without its major."""
        return self.action.partition("@")[0]


@dataclass(frozen=True, slots=True)
class Emitted:
    """One event that the flow added to the journal."""

    task: CompiledTask
    type: str
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Waited:
    """Time that a task let pass: a ``wait``, or the delay before another attempt."""

    task: CompiledTask
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Reply:
    """What an action does at the desk: it returns *output* or raises *failure*, and the order's header changes."""

    output: Json = None
    failure: FlowFailure | None = None
    order: JsonObject | None = None
    """Fields of the header that are others from now on, merged into it."""
    takes: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event that comes after *after* has passed since the start."""

    event: Event
    after: timedelta = timedelta(0)
    order: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Completed:
    """The flow has ended with this output."""

    output: Json


@dataclass(frozen=True, slots=True)
class Faulted:
    """An error that nobody caught waits for an operator, or an operator ended the flow there."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing more comes, and the flow listens to these types of event without a deadline."""

    types: tuple[str, ...]
    tasks: tuple[str, ...]
    """The names of the tasks that listen."""


@dataclass(frozen=True, slots=True)
class Endless:
    """The flow did more tasks than any flow needs."""


type Ended = Completed | Faulted | Waiting | Endless


@dataclass(kw_only=True)
class Played:
    """What an instance did."""

    tasks: list[Passed] = field(default_factory=list[Passed])
    """Every task that was entered, in order."""
    caught: list[Passed] = field(default_factory=list[Passed])
    """Every ``try`` that caught an error."""
    calls: list[Called] = field(default_factory=list[Called])
    waits: list[Waited] = field(default_factory=list[Waited])
    emits: list[Emitted] = field(default_factory=list[Emitted])
    ended: Ended = field(default_factory=Endless)
    took: timedelta = timedelta(0)
    """From the start to the last thing that it did."""


type Answers = Callable[[Called], Reply]
"""Says what an action does, each time that it is called."""


def play(
    flow: CompiledFlow,
    started_by: Event,
    answers: Answers,
    *,
    order: JsonObject,
    arrivals: Iterable[Arrival] = (),
    decisions: Sequence[Resolution] = (),
) -> Played:
    """
    Run an instance of *flow* until it ends or nothing more can happen.

    Args:
        flow: the flow, compiled.
        started_by: the event that starts it; virtual time begins at its time.
        answers: what the actions do. What it raises besides ``FlowFailure`` ends the run and is raised from here.
        order: the order's header at the start.
        arrivals: the events that come later.
        decisions: what operators decide about errors that nobody caught, one after another.
    """
    return _Desk(flow, started_by, answers, order, decisions).run(arrivals)


def merged(base: Mapping[str, Json], changes: Mapping[str, Json]) -> JsonObject:
    """Return *base* with *changes*, objects within objects merged alike."""
    result = dict(base)
    for name, value in changes.items():
        before = result.get(name)
        result[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return result


def _task_at(flow: CompiledFlow, path: str) -> CompiledTask:
    """Return the task at *path*, behind which may stand the rounds of loops, or a part of the task."""
    tasks = {task.path: task for each in flow.lists.values() for task in each.tasks}
    path = _ROUNDS.sub("", path)
    while path not in tasks:
        path, cut, _ = path.rpartition("/")
        assert cut, f"{path} is no task of {flow.label}"
    return tasks[path]


class _Endless(Exception):
    """More tasks than ``MOST_TASKS``."""


@dataclass(eq=False, slots=True)
class _Listening:
    """A listen that no event has come for yet."""

    task: CompiledTask
    types: frozenset[str]
    matches: Callable[[Event], bool]
    found: asyncio.Future[Event | None]


class _Desk:
    """The ``StepRunner`` of the desk."""

    def __init__(
        self,
        flow: CompiledFlow,
        started_by: Event,
        answers: Answers,
        order: JsonObject,
        decisions: Sequence[Resolution],
    ) -> None:
        self._flow = flow
        self._started_by = started_by
        self._answers = answers
        self._order = order
        self._decisions = list(decisions)
        self._played = Played()
        self._clock = started_by.time
        self._loop = ReadyLoop()
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._numbers = count()
        self._journal: list[Event] = []
        self._seq = count(started_by.seq + 1)
        self._listening: list[_Listening] = []
        self._fault: Problem | None = None
        self._catches = Catches(flow)
        self._references = {task.reference: task for tasks in flow.lists.values() for task in tasks.tasks}

    def run(self, arrivals: Iterable[Arrival]) -> Played:
        for arrival in arrivals:
            self._at(self._clock + arrival.after, lambda arrival=arrival: self._arrive(arrival))
        state = InstanceState.start(self._flow.hash, self._started_by, self._clock)
        instance = FlowInstance(self._flow, state, self, observe=self.told)
        task = self._loop.create_task(instance.run())
        self._loop.drain()
        while not task.done() and self._due:
            self._clock, _, then = heappop(self._due)
            then()
            if self._loop.drain():
                self._played.took = self._clock - self._started_by.time
        played, self._played = self._played, Played()
        try:
            played.ended = self._ended(task)
        finally:
            self._loop.end()
        return played

    def _ended(self, task: asyncio.Task[Json]) -> Ended:
        if not task.done():
            if self._fault is not None:
                return Faulted(self._fault)
            types = sorted({type for listen in self._listening for type in listen.types})
            return Waiting(tuple(types), tuple(listen.task.name for listen in self._listening))
        match task.exception():
            case None:
                return Completed(task.result())
            case FlowCancelled() | FlowUndone() if self._fault is not None:
                return Faulted(self._fault)
            case _Endless():
                return Endless()
            case crash:
                raise crash

    def told(self, name: str, reference: str, kind: TaskEventKind) -> None:
        """Remember what became of a task; those of flows that run inside a task are theirs."""
        task = self._references.get(reference)
        if task is None or task.name != name:
            return
        if kind == "started":
            self._played.tasks.append(Passed(task, self._clock))
        if (caught := self._catches.told(reference, kind)) is not None:
            self._played.caught.append(Passed(caught, self._clock))
        if len(self._played.tasks) > MOST_TASKS:
            raise _Endless

    def now(self) -> datetime:
        """Return virtual time."""
        return self._clock

    def order(self) -> Mapping[str, Json]:
        """Return the header as it is now."""
        return self._order

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Answer an action, again and again where the author asked for attempts."""
        if action == RECORD:
            return {}  # what was undone is written down: nothing that a flow asks for
        attempts = retry.attempts if retry else 1
        for attempt in range(attempts):
            called = Called(self._task(step), action, arguments, self._clock)
            self._played.calls.append(called)
            reply = self._answers(called)
            if reply.takes:
                await self._until(self._clock + reply.takes)
            self._change(reply.order)
            if reply.failure is None:
                return reply.output
            if retry is None or attempt == attempts - 1:
                raise reply.failure
            delay = timedelta(seconds=min(retry.delay * retry.factor**attempt, retry.limit))
            self._played.waits.append(Waited(called.task, delay))
            await self._until(self._clock + delay)
        raise AssertionError("a call has at least one attempt")

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Add an event to the journal, which the instance may itself listen for."""
        self._played.emits.append(Emitted(self._task(step), type, data))
        seq = next(self._seq)
        event = Event(seq=seq, id=f"emitted:{seq}", source="orderloom", type=type, time=self._clock, data=data)
        self._journaled(event)

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the first event that was not taken and that matches; None at the deadline."""
        for event in self._journal:
            if event.type in types and matches(event):
                self._journal.remove(event)
                return event
        if deadline is not None and deadline <= self._clock:
            return None
        listening = _Listening(self._task(step), types, matches, self._loop.create_future())
        self._listening.append(listening)
        if deadline is not None:
            self._at(deadline, lambda: _settle(listening.found, None))
        try:
            return await listening.found
        finally:
            self._listening.remove(listening)

    async def wait(self, step: Step, until: datetime) -> None:
        """Let virtual time pass."""
        self._played.waits.append(Waited(self._task(step), max(until - self._clock, timedelta(0))))
        await self._until(until)

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Return what an operator decides, or wait for one that never comes."""
        del step
        self._fault = fault.problem
        if self._decisions:
            return self._decisions.pop(0)
        await self._loop.create_future()
        raise AssertionError("nobody decides")

    def _task(self, step: Step) -> CompiledTask:
        """Return the task that *step* is of, in the flow or in one that runs inside a task of it."""
        whole = f"{step.instance}{step.path}".removesuffix(UNDO)
        *around, last = whole.split(">")
        flow = self._flow
        for key in around:
            runs = cast("RunFlow", _task_at(flow, f"/do{key.partition('/do')[2].partition('#')[0]}").body)
            flow = flow.inner[runs.flow]
        return _task_at(flow, f"/do{last.partition('/do')[2].partition('#')[0]}")

    def _at(self, instant: datetime, then: Callable[[], None]) -> None:
        heappush(self._due, (max(instant, self._clock), next(self._numbers), then))

    async def _until(self, instant: datetime) -> None:
        if instant > self._clock:
            due: asyncio.Future[None] = self._loop.create_future()
            self._at(instant, lambda: _settle(due, None))
            await due

    def _arrive(self, arrival: Arrival) -> None:
        self._change(arrival.order)
        self._journaled(arrival.event.model_copy(update={"seq": next(self._seq), "time": self._clock}))

    def _journaled(self, event: Event) -> None:
        for listening in self._listening:
            if event.type in listening.types and not listening.found.done() and listening.matches(event):
                listening.found.set_result(event)
                return
        self._journal.append(event)

    def _change(self, changes: JsonObject | None) -> None:
        if changes:
            self._order = merged(self._order, changes)


def _settle[T](future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)

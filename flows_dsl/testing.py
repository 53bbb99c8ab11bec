"""A ``StepRunner`` without a world: answers from a script, keeps a list of what it was asked, moves its own clock."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from json import dumps, loads
from typing import Any

from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.expressions import Language
from flows_dsl.findings import FlowRefused
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.problems import OURS
from flows_dsl.runner import Fault, FlowFailure, Resolution, Retry, Step
from orderloom.contracts.messages import Event
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.model import Frozen, Json, JsonObject

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When scripted instances start."""

type Answer = Json | FlowFailure | Callable[[JsonObject], Json]
"""What an action does: return this, raise this, or ask a function."""


class Interrupted(BaseException):
    """The runner was told to stop at this quiet point, before anything was done."""


class Stuck(AssertionError):
    """The script has no more to say, so the instance would wait for ever."""


class Asked(Frozen):
    """One thing that a flow has asked of its runner."""

    kind: str
    """``call``, ``emit``, ``wait``, ``next_event`` or ``fault``."""
    key: str
    what: str = ""
    """The action, the event type, the instant, or the error's code."""
    arguments: Json = None
    retry: Retry | None = None


@dataclass(eq=False)
class _Blocked:
    """Something that an instance waits for."""

    asked: Asked
    due: datetime | None
    accepts: Callable[[Event], bool] | None = None
    fault: Fault | None = None
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


_SETTLED = 10
"""Turns of the event loop in which nothing moves, after which every branch of an instance waits for something."""


@dataclass
class ScriptedRunner:
    """
    Answers from a script.

    Args:
        answers: by action name without its major: a list is used up from the front, its last entry stays.
        header: the order's header.
        events: what the journal will hold; each is seen when an instance listens for it.
        resolutions: what operators decide, one after another.
        stop_at: number of the quiet point (from 0) at which to raise ``Interrupted``.
    """

    answers: Mapping[str, list[Answer]] = field(default_factory=dict[str, list[Answer]])
    header: JsonObject = field(default_factory=dict[str, Json])
    events: list[Event] = field(default_factory=list[Event])
    resolutions: list[Resolution] = field(default_factory=list[Resolution])
    stop_at: int | None = None
    clock: datetime = START
    asked: list[Asked] = field(default_factory=list[Asked])
    faults: list[Fault] = field(default_factory=list[Fault])
    quiet: int = 0
    _waiting: list["_Blocked"] = field(default_factory=list["_Blocked"])
    _driver: asyncio.Task[None] | None = None
    _moves: int = 0
    _used: dict[str, int] = field(default_factory=dict[str, int])

    def now(self) -> datetime:
        """Return the runner's own clock."""
        return self.clock

    def order(self) -> Mapping[str, Json]:
        """Return the header."""
        return self.header

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """Answer from the script; an action without a script returns an empty object."""
        self._moves += 1
        self.asked.append(Asked(kind="call", key=step.key, what=action, arguments=arguments, retry=retry))
        name = action.partition("@")[0]
        script = self.answers.get(name, [{}])
        at = self._used.get(name, 0)
        self._used[name] = at + 1
        answer = script[min(at, len(script) - 1)]
        if isinstance(answer, FlowFailure):
            raise answer
        return answer(arguments) if callable(answer) else answer

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Remember the event."""
        self._moves += 1
        self.asked.append(Asked(kind="emit", key=step.key, what=type, arguments=data))

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the first event of the script that matches, or let time pass until the deadline."""
        asked = Asked(kind="next_event", key=step.key, what=",".join(sorted(types)))
        return await self._blocked(_Blocked(asked, deadline, lambda event: event.type in types and matches(event)))

    async def wait(self, step: Step, until: datetime) -> None:
        """Move the clock."""
        await self._blocked(_Blocked(Asked(kind="wait", key=step.key, what=until.isoformat()), until))

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Return the next decision of the script."""
        asked = Asked(kind="fault", key=step.key, what=fault.problem.code, arguments=fault.input)
        return await self._blocked(_Blocked(asked, None, fault=fault))

    async def _blocked(self, blocked: "_Blocked") -> Any:
        self._waiting.append(blocked)
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            return await blocked.answer
        finally:
            self._waiting.remove(blocked)
            self._moves += 1

    async def _drive(self) -> None:
        """Answer one of those that wait whenever nothing else is going on."""
        while self._waiting:
            before, still = self._moves, 0
            while still < _SETTLED:
                await asyncio.sleep(0)
                before, still = self._moves, still + 1 if before == self._moves else 0
            if self._waiting:
                self._answer_one(sorted(self._waiting, key=lambda it: it.asked.key))

    def _answer_one(self, waiting: list["_Blocked"]) -> None:
        events = [
            (event, it) for event in self.events for it in waiting if it.accepts is not None and it.accepts(event)
        ]
        faults = [it for it in waiting if it.fault is not None]
        due = min(((it.due, at) for at, it in enumerate(waiting) if it.due is not None), default=None)
        self.quiet += 1
        if self.stop_at == self.quiet - 1:
            self._interrupt(waiting, None if events or faults or due is None else due[0])
        elif faults:
            self._decide(faults[0])
        elif events:
            event, listens = events[0]
            self.events.remove(event)
            self._answer(listens, event)
        elif due is not None:
            self.clock = max(self.clock, due[0])
            self._answer(waiting[due[1]], None)
        else:
            waiting[0].answer.set_exception(Stuck(f"nothing that {waiting[0].asked.key} waits for comes"))

    def _interrupt(self, waiting: list["_Blocked"], until: datetime | None) -> None:
        if until is not None:  # it is stopped while it waits, not before
            self.clock = min(self.clock + timedelta(seconds=1), max(until, self.clock))
        for it in waiting:
            it.answer.set_exception(Interrupted())

    def _decide(self, it: "_Blocked") -> None:
        assert it.fault is not None
        problem = it.fault.problem
        self.asked.append(it.asked)
        self.faults.append(it.fault)
        if self.resolutions:
            it.answer.set_result(self.resolutions.pop(0))
        else:
            it.answer.set_exception(Stuck(f"{problem.instance}: {problem.type}: {problem.detail}"))

    def _answer(self, it: "_Blocked", answer: Event | None) -> None:
        self.asked.append(it.asked)
        it.answer.set_result(answer)

    @property
    def effects(self) -> list[tuple[str, Json]]:
        """Return the actions called and events emitted, with their arguments."""
        return [(it.what, it.arguments) for it in self.asked if it.kind in {"call", "emit"}]

    @property
    def keys(self) -> list[str]:
        """Return the idempotency keys of all effects."""
        return [it.key for it in self.asked if it.kind in {"call", "emit"}]

    @property
    def paths(self) -> list[str]:
        """Return the keys of all effects without the instance."""
        return [f"/do{key.partition('/do')[2]}" for key in self.keys]


def draft(
    body: str, *, language: Language = "cel", extra: str = "", name: str = "draft", flows: Sequence[FlowDocument] = ()
) -> CompiledFlow:
    """
    Return a flow with these tasks, in YAML, that ``order.placed`` starts; *extra* are further parts of the document.

    It is not checked: its actions may have any name.
    """
    return compile_flow(drafted(body, language=language, extra=extra, name=name), flows)


def drafted(body: str, *, language: Language = "cel", extra: str = "", name: str = "draft") -> FlowDocument:
    """Return such a flow as a document."""
    text = f"""\
document: {{dsl: 1.0.3, namespace: shop, name: {name}, version: 1.0.0}}
evaluate: {{language: {language}}}
schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}
{extra}
do:
{body}"""
    loaded = load(text)
    if loaded.document is None or loaded.findings:
        raise FlowRefused(name, loaded.findings)
    return loaded.document


def event(type: str, data: JsonObject | None = None, *, id: str = "100001:1", seq: int = 1) -> Event:
    """Return an event of an order's journal."""
    return Event(seq=seq, id=id, source="orderloom", type=type, time=START, data=data or {})


def failure(error: OrderloomError | None = None, *, code: str = "stock.moved", status: int = 409) -> FlowFailure:
    """Return what an action raises: *error*, or one of ours with this code."""
    if error is not None:
        return FlowFailure(error.problem())
    return FlowFailure(Problem(type=f"{OURS}{code}", title=code, status=status, detail=code, code=code, remedy=""))


async def run(flow: CompiledFlow, runner: ScriptedRunner, started_by: Event) -> Json:
    """Run an instance of *flow* from *started_by* to its end."""
    return await FlowInstance(flow, InstanceState.start(flow.hash, started_by, runner.now()), runner).run()


async def run_in_pieces(flow: CompiledFlow, runner: ScriptedRunner, started_by: Event, stops: Iterable[int]) -> Json:
    """Run as ``run`` does, but go on from the dumped state in a new instance at each quiet point in *stops*."""
    state = InstanceState.start(flow.hash, started_by, runner.now())
    for stop in (*stops, None):
        runner.stop_at = stop
        instance = FlowInstance(flow, state, runner)
        try:
            return await instance.run()
        except Interrupted:
            runner.quiet -= 1  # the quiet point is come to once more
            state = InstanceState.load(loads(dumps(instance.state.dump())))
    raise AssertionError("the last piece is never interrupted")

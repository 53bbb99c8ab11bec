"""Does one task of each kind. Control stays with the interpreter: this only says what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, cast

from flows_dsl import compensating
from flows_dsl.canonical import size
from flows_dsl.compiled import (
    CONTINUE,
    Assign,
    Block,
    Call,
    Emit,
    EventMatch,
    Listen,
    Raise,
    Switch,
    Try,
    Wait,
    same,
)
from flows_dsl.expressions import ExpressionFailed
from flows_dsl.problems import expression_failure, raised, too_large
from flows_dsl.turn import TimeIsUp, Turn
from orderloom.contracts.messages import Event
from orderloom.domain.model import Json, JsonObject

MAX_RESULT = 16 * 1024
"""Bytes of an action's result."""

MAX_DATA = 1024
"""Bytes of an event's data."""


@dataclass(frozen=True, slots=True)
class Done:
    """The task has this raw output and, if it is a switch, leads there."""

    output: Json
    then: str | None = None


@dataclass(frozen=True, slots=True)
class Enter:
    """The task is a block: its list is to be run."""

    path: str
    role: Literal["do", "try", "catch"] = "do"
    variables: JsonObject = field(default_factory=dict[str, Json])


type Outcome = Done | Enter


async def _call(turn: Turn) -> Outcome:
    body, active = cast("Call", turn.task.body), turn.active
    arguments = active.arguments if active.arguments is not None else turn.evaluate(body.arguments, active.input)
    assert isinstance(arguments, dict)
    active.called, active.asked = True, arguments
    compensating.begun(turn, body.action, arguments)
    result = await turn.runner.call(turn.step(), body.action, arguments, body.retry)
    compensating.done(turn, body.action, arguments, result)
    active.called, active.asked = False, None
    if (bytes_ := size(result)) > MAX_RESULT:
        raise too_large(f"The result of {body.action}", bytes_, MAX_RESULT, turn.task.reference)
    return Done(result)


async def _emit(turn: Turn) -> Outcome:
    body, active = cast("Emit", turn.task.body), turn.active
    type_, data = turn.evaluate(body.type, active.input), turn.evaluate(body.data, active.input)
    if active.arguments is not None:
        type_, data = active.arguments.get("type", type_), active.arguments.get("data", data)
    if not isinstance(type_, str) or not isinstance(data, dict):
        raise expression_failure("An event needs a type (a string) and data (an object).", turn.task.reference)
    if (bytes_ := size(data)) > MAX_DATA:
        raise too_large("The event's data", bytes_, MAX_DATA, turn.task.reference)
    active.called, active.asked = True, {"type": type_, "data": data}
    await turn.runner.emit(turn.step(), type_, data)
    active.called, active.asked = False, None
    return Done(active.input)


async def _block(turn: Turn) -> Outcome:
    return Enter(cast("Block", turn.task.body).path)


async def _try(turn: Turn) -> Outcome:
    body, active = cast("Try", turn.task.body), turn.active
    if active.phase == "again":
        assert active.until is not None
        await _until(turn, active.until, f"/catch/retry/{active.attempt}")
        active.until = None
    return Enter(body.path, "try")


async def _raise(turn: Turn) -> Outcome:
    error = turn.evaluate(cast("Raise", turn.task.body).error, turn.active.input)
    assert isinstance(error, dict)
    raise raised(error, turn.task.reference)


async def _set(turn: Turn) -> Outcome:
    return Done(turn.evaluate(cast("Assign", turn.task.body).value, turn.active.input))


async def _switch(turn: Turn) -> Outcome:
    for case in cast("Switch", turn.task.body).cases:
        if turn.holds(case.when, turn.active.input):
            return Done(turn.active.input, case.then)
    return Done(turn.active.input, CONTINUE)


async def _wait(turn: Turn) -> Outcome:
    active = turn.active
    if active.until is None:
        active.until = turn.after(cast("Wait", turn.task.body).duration, active.input)
    await _until(turn, active.until)
    return Done(active.input)


async def _until(turn: Turn, until: datetime, suffix: str = "") -> None:
    limit = turn.deadline()
    due = min(until, limit[0]) if limit else until
    if due > turn.runner.now():
        await turn.runner.wait(turn.step(suffix), due)
    if limit and limit[0] < until:
        raise TimeIsUp(limit[1])


async def _listen(turn: Turn) -> Outcome:
    body, active = cast("Listen", turn.task.body), turn.active
    if not active.received:
        active.received = [None] * len(body.filters)
    accepts = [_acceptor(turn, wanted) for wanted in body.filters]
    ids: list[str] = []
    while True:
        open_ = [at for at, event in enumerate(active.received) if event is None]
        event = await _next(turn, body, accepts, open_)
        at = next(it for it in open_ if accepts[it](event))
        active.received[at] = event.model_dump(mode="json")
        if body.mode != "all" or len(open_) == 1:
            break
    found = [event for event in active.received if event is not None]
    ids = sorted(str(event["id"]) for event in found)
    _consume(turn, ",".join(ids))
    return Done([event if body.envelope else event["data"] for event in found])


async def _next(turn: Turn, body: Listen, accepts: list[Callable[[Event], bool]], open_: list[int]) -> Event:
    def matches(event: Event) -> bool:
        return any(accepts[at](event) for at in open_)

    limit = turn.deadline()
    types = frozenset(body.filters[at].type for at in open_)
    event = await turn.runner.next_event(turn.step(), types, matches, limit[0] if limit else None)
    if event is not None:
        return event
    assert limit is not None
    raise TimeIsUp(limit[1])


def _acceptor(turn: Turn, wanted: EventMatch) -> Callable[[Event], bool]:
    """Return what tells whether an event passes the filter; an expression without a value lets none pass."""
    data = turn.event_data(wanted.data, turn.active.input)

    def accepts(event: Event) -> bool:
        if event.type != wanted.type:
            return False
        if any(getattr(event, name, None) != value for name, value in wanted.attributes):
            return False
        if wanted.data is not None and not same(data, event.data):
            return False
        if wanted.condition is None:
            return True
        envelope = event.model_dump(mode="json")
        scope = turn.scope(turn.active.input, data=event.data, event=envelope)
        try:
            return wanted.condition.holds(scope, event.data)
        except ExpressionFailed:
            return False

    return accepts


def _consume(turn: Turn, ids: str) -> None:
    """Begin a new round of each loop around: its tasks are known by the event, not by how many came before."""
    state = turn.state
    for loop in turn.task.loops:
        state.consumed[loop.id] = ids
        state.visits = {path: count for path, count in state.visits.items() if not loop.holds(path)}


EXECUTORS: Mapping[type, Callable[[Turn], Awaitable[Outcome]]] = {
    Assign: _set,
    Block: _block,
    Call: _call,
    Emit: _emit,
    Listen: _listen,
    Raise: _raise,
    Switch: _switch,
    Try: _try,
    Wait: _wait,
}
"""What does each kind of task."""

TIMED = (Block, Listen, Try, Wait)
"""The kinds of task that may have a timeout."""

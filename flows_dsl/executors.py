"""Does one task of each kind. Control stays with the interpreter: this only says what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

from flows_dsl import compensating
from flows_dsl.canonical import size
from flows_dsl.compiled import (
    CONTINUE,
    Assign,
    Block,
    Call,
    Emit,
    For,
    Fork,
    Listen,
    Raise,
    RunFlow,
    Switch,
    Try,
    Wait,
)
from flows_dsl.forking import do_fork
from flows_dsl.listening import do_listen
from flows_dsl.looping import do_for
from flows_dsl.outcomes import Done, Enter, Outcome
from flows_dsl.outside_calls import OUTSIDE_CALLS, prepared
from flows_dsl.problems import MAX_RESULT, expression_failure, raised, too_large
from flows_dsl.subflows import do_run
from flows_dsl.turn import Turn
from flows_dsl.waiting import until

MAX_DATA = 1024
"""Bytes of an event's data."""


async def _call(turn: Turn) -> Outcome:
    body, active = cast("Call", turn.task.body), turn.active
    arguments = active.arguments if active.arguments is not None else turn.evaluate(body.arguments, active.input)
    assert isinstance(arguments, dict)
    if body.action in OUTSIDE_CALLS:
        arguments = prepared(body.action, arguments, active.input, turn.task.reference)
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
        await until(turn, active.until, f"/catch/retry/{active.attempt}")
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
    await until(turn, active.until)
    return Done(active.input)


EXECUTORS: Mapping[type, Callable[[Turn], Awaitable[Outcome]]] = {
    Assign: _set,
    Block: _block,
    Call: _call,
    Emit: _emit,
    For: do_for,
    Fork: do_fork,
    Listen: do_listen,
    Raise: _raise,
    RunFlow: do_run,
    Switch: _switch,
    Try: _try,
    Wait: _wait,
}
"""What does each kind of task."""

TIMED = (Block, For, Fork, Listen, RunFlow, Try, Wait)
"""The kinds of task that may have a timeout."""

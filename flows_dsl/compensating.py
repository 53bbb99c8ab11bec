"""What an instance has done, and undoing it: in reverse, each call once, whatever happens in between."""

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from flows_dsl.frames import Done, InstanceState, Undone
from flows_dsl.runner import Compensation, Step, StepRunner
from flows_dsl.turn import Turn
from orderloom.contracts.actions import contract_of
from orderloom.contracts.contract import Runs
from orderloom.domain.model import Json, JsonObject

RECORD = "record-compensation@1"
"""The action that writes down what became of undoing an instance."""

UNDO = "!undo"
"""Ends the path of the step that undoes a call."""

UNKNOWN = "This process knows no such action."
"""Why nothing undoes a call whose contract is gone."""


def begun(turn: Turn, action: str, arguments: JsonObject) -> None:
    """Note a call to the outside before it is made: though it fails, some of its money may have moved."""
    contract = contract_of(action)
    if contract is not None and contract.runs is Runs.OUTSIDE and contract.compensation is not None:
        _note(turn, action, arguments, {})


def done(turn: Turn, action: str, arguments: JsonObject, output: Json) -> None:
    """Note a call that was done."""
    _note(turn, action, arguments, output if isinstance(output, dict) else {})


def _note(turn: Turn, action: str, arguments: JsonObject, output: JsonObject) -> None:
    contract, step = contract_of(action), turn.step()
    call = Done(
        key=step.key.removeprefix(step.instance),
        task=turn.task.reference,
        action=action,
        arguments={} if contract is None else contract.undo_arguments(step.key, arguments, output),
    )
    turn.state.calls = [*(it for it in turn.state.calls if it.key != call.key), call]
    turn.around.noted(call.key)


def absorb(inner: InstanceState, around: InstanceState) -> None:
    """Make what a flow inside a task has done a part of what the flow around it has done."""
    for call in inner.calls:
        key = f"{inner.instance}{call.key}".removeprefix(around.instance)
        around.calls = [*(it for it in around.calls if it.key != key), replace(call, key=key)]


def planned(state: InstanceState) -> tuple[Compensation, ...]:
    """Return what undoing the instance would do, the latest call first."""
    return tuple(_planned(call) for call in reversed(state.calls))


def _planned(call: Done) -> Compensation:
    contract = contract_of(call.action)
    undone_by = None if contract is None else contract.undone_by
    reason = None if undone_by else UNKNOWN if contract is None else contract.final
    return Compensation(task=call.task, action=call.action, undone_by=undone_by, reason=reason)


def path_of(state: InstanceState) -> str:
    """Return the path of undoing the latest call, or of writing down that all is undone."""
    return f"{state.calls[-1].key}{UNDO}" if state.calls else "!undone"


def step_of(state: InstanceState) -> Step:
    """Return the step of undoing the latest call, or of writing down that all is undone."""
    path = path_of(state)
    return Step(instance=state.instance, path=path, generation=state.generations.get(path, 0))


async def undo(state: InstanceState, runner: StepRunner) -> None:
    """
    Undo the calls of *state*, the latest first, and write down what became of each.

    Raises:
        FlowFailure: a compensation failed; that call and those before it are still to be undone.
    """
    while state.calls:
        call = _planned(state.calls[-1])
        if call.undone_by is not None:
            await runner.call(step_of(state), call.undone_by, state.calls[-1].arguments, None)
        close(state, "undone" if call.undone_by is not None else "final")
    undone: list[Json] = [it.dump() for it in state.undone]
    await runner.call(step_of(state), RECORD, {"exception": state.undo, "calls": undone}, None)


async def undo_calls(state: InstanceState, runner: StepRunner, keys: Collection[str]) -> None:
    """
    Undo those calls of *state* that have these keys, the latest first, and forget them.

    Raises:
        FlowFailure: a compensation failed; that call and those before it are still to be undone.
    """
    while chosen := [call for call in state.calls if call.key in keys]:
        call = chosen[-1]
        if (undone_by := _planned(call).undone_by) is not None:
            path = f"{call.key}{UNDO}"
            step = Step(instance=state.instance, path=path, generation=state.generations.get(path, 0))
            await runner.call(step, undone_by, call.arguments, None)
        state.calls = [it for it in state.calls if it is not call]


def close(state: InstanceState, outcome: Literal["undone", "skipped", "final"]) -> None:
    """Take the latest call off the list with this outcome."""
    call = _planned(state.calls.pop())
    by = call.undone_by if outcome == "undone" else None
    state.undone.append(Undone(task=call.task, action=call.action, outcome=outcome, by=by, reason=call.reason))

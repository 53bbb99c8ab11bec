"""Whether what a person decided about a process exception is something that the flow which waits can do."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from flows_dsl.canonical import size
from flows_dsl.findings import did_you_mean
from orderloom.contracts.actions import contract_of
from orderloom.domain.errors import FieldProblem, InvalidInput
from orderloom.domain.exceptions import AlreadyUndoing, Decision, TaskOutOfReach
from orderloom.domain.invalid import invalid
from orderloom.domain.model import Frozen, Json

MOST_GIVEN = 4_096
"""Bytes of an input or output that a person gives: it enters the order's journal."""

_TAKES = {
    "retry": {"input"},
    "skip": {"output"},
    "goto": {"task", "input"},
    "compensate": set[str](),
    "resolved": set[str](),
}


def examine(decision: Decision, waiting: Mapping[str, Any], task: str | None) -> None:
    """
    Compare *decision* with what the flow said it can do when it failed at *task*; empty for the flow itself.

    Raises:
        InvalidInput: input or output is not what the action's contract says, too large, or of no use here.
        TaskOutOfReach: there is no such task, or it lies elsewhere.
        AlreadyUndoing: the instance is being undone.
    """
    _fields(decision)
    if waiting["undoing"]:
        _undoing(decision)
    elif decision.kind == "goto":
        _task(decision.task, waiting["within"])
    elif decision.kind == "retry" and decision.input is not None:
        if not task:
            raise _useless("input", "the flow itself failed: it takes no other input")
        _contract(waiting["action"], "input", decision.input)
    elif decision.kind == "skip" and not waiting["finished"]:
        _contract(waiting["action"], "output", decision.output)


def _fields(decision: Decision) -> None:
    given: dict[str, Json] = {"input": decision.input, "output": decision.output, "task": decision.task}
    for name, value in given.items():
        if value is None:
            continue
        if name not in _TAKES[decision.kind]:
            raise _useless(name, f"{decision.kind} takes no {name}")
        if (bytes := size(value)) > MOST_GIVEN:
            detail = f"{name} has {bytes} bytes; at most {MOST_GIVEN} are taken"
            raise InvalidInput(detail, errors=(FieldProblem(pointer=f"/{name}", detail=detail, code="too_large"),))


def _useless(name: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, errors=(FieldProblem(pointer=f"/{name}", detail=detail, code="not_taken"),))


def _undoing(decision: Decision) -> None:
    if decision.kind in {"goto", "compensate"}:
        raise AlreadyUndoing(f"what {decision.exception} is about is being undone", exception=decision.exception)
    for name in ("input", "output"):
        if getattr(decision, name) is not None:
            raise _useless(name, f"undoing a call takes no {name}")


def _task(task: str | None, within: list[str]) -> None:
    if task in within:
        return
    if task is None:
        detail = "goto needs the name of a task"
        raise InvalidInput(detail, errors=(FieldProblem(pointer="/task", detail=detail, code="missing"),))
    raise TaskOutOfReach(f"there is no task {task!r} to go to. {did_you_mean(task, within)}", tasks=[*within])


def _contract(action: str | None, part: str, value: Json) -> None:
    """Compare *value* with the action's contract; what no core action does has none."""
    contract = contract_of(action) if action else None
    if contract is None:
        return
    model: type[Frozen] = contract.input if part == "input" else contract.output
    try:
        model.model_validate(value)
    except ValidationError as error:
        refused = invalid(error, f"{contract.name}'s {part}")
        fields = (field.model_copy(update={"pointer": f"/{part}{field.pointer}"}) for field in refused.errors)
        raise InvalidInput(refused.detail, errors=tuple(fields)) from None

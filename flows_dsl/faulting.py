"""What an operator is told of an error that nobody caught, and what the instance does when one has decided."""

from typing import cast

from flows_dsl.compensating import step_of
from flows_dsl.compiled import Call, CompiledFlow, Emit
from flows_dsl.frames import Frame, InstanceState
from flows_dsl.runner import Compensation, Fault, Resolution
from flows_dsl.turn import Turn, located
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json


def fault_of(turn: Turn, frames: list[Frame], planned: tuple[Compensation, ...]) -> Fault:
    """
    Return the error that the task at *turn* waits with.

    Args:
        frames: what leads to it, the outermost first.
        planned: what undoing the instance would do.
    """
    active, body = turn.active, turn.task.body
    assert active.fault is not None
    asked: Json = active.arguments if active.arguments is not None else active.asked
    return Fault(
        problem=active.fault,
        flow=turn.flow.label,
        flow_hash=turn.flow.hash,
        task=turn.task.reference,
        input=active.input if asked is None or active.finished else asked,
        attempts=max(1, active.tried),
        action=body.action if isinstance(body, Call) else None,
        call=turn.step().key if active.called else None,
        finished=active.finished,
        within=within(turn.flow, frames),
        compensations=planned,
    )


def root_fault(
    flow: CompiledFlow, state: InstanceState, problem: Problem, decided: int, planned: tuple[Compensation, ...]
) -> Fault:
    """
    Return an error outside any task: of an expression of the flow, of its timeout, or of undoing a call.

    Args:
        decided: how often operators have decided about it before.
        planned: what undoing the instance would do.
    """
    undoing = state.phase == "undo"
    return Fault(
        problem=problem,
        flow=flow.label,
        flow_hash=flow.hash,
        task=state.calls[-1].task if undoing and state.calls else "",
        input=state.calls[-1].arguments if undoing and state.calls else state.value,
        attempts=decided + 1,
        call=step_of(state).key if undoing else None,
        within=() if undoing else within(flow, [Frame(path="/do")]),
        undoing=undoing,
        compensations=planned,
    )


def within(flow: CompiledFlow, frames: list[Frame]) -> tuple[str, ...]:
    """Return the names of the tasks that can be gone to from the innermost of *frames*: its own list's first."""
    names = (name for frame in reversed(frames) for name in _names(flow, frame))
    return tuple(dict.fromkeys(names))


def _names(flow: CompiledFlow, frame: Frame) -> list[str]:
    """Return the tasks of a list that can be gone to: of the branches of a fork only the one that is under way."""
    tasks = flow.lists[frame.path].tasks
    return [task.name for task in (tasks[frame.index : frame.index + 1] if frame.role == "branch" else tasks)]


def go_to(flow: CompiledFlow, state: InstanceState, frames: list[Frame], decision: Resolution) -> None:
    """Leave what runs in *frames* for the task that was decided on, with the input given or the list's own."""
    name = cast("str", decision.task)
    depth = max(depth for depth, frame in enumerate(frames) if name in _names(flow, frame))
    del frames[depth + 1 :]
    frame, target = frames[depth], flow.lists[frames[depth].path]
    frame.active, frame.index = None, target.index[name]
    if decision.input is not None:
        frame.input = decision.input
    again(state, located(target.tasks[frame.index].path, frame.rounds))


def again(state: InstanceState, path: str) -> None:
    """Let what the task at *path*, in its rounds, asks for be asked for anew."""
    state.generations[path] = state.generations.get(path, 0) + 1


def retry(turn: Turn, decision: Resolution) -> None:
    """Have the task done again; what was done already is asked for under another key, or not at all."""
    active = turn.active
    if active.called or decision.input is not None:
        again(turn.state, turn.where)
    active.called, active.arguments = False, None
    if decision.input is not None and isinstance(turn.task.body, Call | Emit):
        active.arguments = decision.input
    elif decision.input is not None:
        turn.frame.input = decision.input
    active.phase = "finish" if active.finished and decision.input is None else "ready"
    active.until, active.received = None, []
    active.items, active.at, active.collected, active.ending = None, 0, [], []
    if decision.input is not None:
        active.branches, active.child = [], None


def skip(turn: Turn, decision: Resolution) -> None:
    """Take the output given for what the task has returned; its ``output.as`` and ``export.as`` follow."""
    active = turn.active
    active.output, active.phase = decision.output, "finish"
    if active.input is None:
        active.input = turn.frame.input

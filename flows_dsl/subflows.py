"""``run.workflow``: another flow inside a task."""

from typing import cast

from flows_dsl.compiled import RunFlow
from flows_dsl.frames import InstanceState
from flows_dsl.outcomes import Done, Outcome
from flows_dsl.turn import Turn


async def do_run(turn: Turn) -> Outcome:
    """
    Run the flow and return its output; one that is not waited for runs on while the output is the task's input.

    Raises:
        FlowFailure: it failed, and something around the task catches that; or its own expressions have no value.
    """
    body, active, key = cast("RunFlow", turn.task.body), turn.active, turn.step().key
    flow = turn.flow.inner[body.flow]
    if active.child is None:
        given = turn.evaluate(body.input, active.input)
        active.child = InstanceState.within(flow.hash, f"{key}>", given, turn.runner.now())
    child = active.child
    if not body.wait:
        active.child = None
        turn.around.detach(flow, child)
        return Done(active.input)
    try:
        output = await turn.around.inside(flow, child)
    except Exception:
        _consume(turn, child)  # what it took stays taken
        raise
    _consume(turn, child)
    active.child = None
    return Done(output)


def _consume(turn: Turn, child: InstanceState) -> None:
    """Let the loops around know what the flow took since they were told last."""
    heard, child.heard = child.heard, None
    if heard is not None:
        turn.consume(heard)

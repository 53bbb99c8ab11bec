"""``fork``: branches beside each other, all to their ends or until one has won."""

from typing import cast

from flows_dsl import compensating
from flows_dsl.compiled import Fork
from flows_dsl.frames import Branch, Frame
from flows_dsl.outcomes import Done, Outcome
from flows_dsl.turn import Turn


async def do_fork(turn: Turn) -> Outcome:
    """
    Run the branches; the output is the list of theirs, in the order of the document, or that of the winner.

    A losing branch ends the call that it is in, and then what it has done is undone.

    Raises:
        FlowFailure: a branch failed and something around the fork catches that, or undoing a loser failed.
    """
    body, active = cast("Fork", turn.task.body), turn.active
    if not active.branches:
        count = len(turn.flow.lists[body.path].tasks)
        consumed = turn.around.consumed
        active.branches = [Branch(frames=[_frame(turn, body.path, at)], consumed=dict(consumed)) for at in range(count)]
    try:
        await turn.around.fork(active.branches, compete=body.compete)
    except Exception:
        _consume(turn, over=False)  # what the branches took stays taken
        raise
    outputs = [branch.output for branch in active.branches]
    if body.compete:
        outputs = [branch.output for branch in active.branches if branch.phase == "won"]
        lost = [call for branch in active.branches if branch.phase == "lost" for call in branch.calls]
        await compensating.undo_calls(turn.state, turn.runner, lost)
    _consume(turn, over=True)
    active.branches = []
    return Done(outputs[0] if body.compete else outputs)


def _consume(turn: Turn, *, over: bool) -> None:
    """Let the loops around know what the branches took, in the order of the document."""
    branches = turn.active.branches
    heard = [branch.heard for branch in branches if branch.heard is not None]
    ids, path = ",".join(heard), cast("Fork", turn.task.body).path
    # What the only branch that took something has done since then was done under that event's name already.
    begun = [f"{path}/{at}" for at, branch in enumerate(branches) if branch.heard == ids or not over]
    for branch in branches:
        branch.heard = None
    if heard:
        turn.consume(ids, keep=begun)


def _frame(turn: Turn, path: str, at: int) -> Frame:
    frame = turn.frame
    return Frame(
        path=path, role="branch", rounds=frame.rounds, index=at, input=turn.active.input, variables=frame.variables
    )

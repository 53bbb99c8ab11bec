"""``for``: the same tasks for each item of a list, one after another."""

from typing import cast

from flows_dsl.compiled import For
from flows_dsl.outcomes import Done, Enter, Outcome
from flows_dsl.problems import expression_failure, too_many
from flows_dsl.turn import Turn, located
from orderloom.domain.model import Json, JsonObject

MAX_ROUNDS = 1000
"""Items of one ``for``."""


async def do_for(turn: Turn) -> Outcome:
    """
    Begin the next round: its input is the output of the round before, and the last output is that of the task.

    Raises:
        FlowFailure: ``in`` is no list or has too many items, or an expression has no value.
    """
    body, active = cast("For", turn.task.body), turn.active
    if active.items is None:
        active.items, active.output = _items(turn, turn.evaluate(body.items, active.input)), active.input
        active.visited = _visited(turn)
    else:
        _forget_round(turn, body.path)
        active.at += 1
    output = active.output
    if active.at >= len(active.items):
        return _end(turn, output)
    variables: JsonObject = {body.each: active.items[active.at], body.at: active.at}
    if not turn.holds(body.condition, output, variables):
        return _end(turn, output)
    return Enter(body.path, "for", variables, round=_round(turn), input=(output,))


def _items(turn: Turn, value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise expression_failure("for needs a list to go through.", turn.task.reference)
    if len(value) > MAX_ROUNDS:
        raise too_many("for", len(value), MAX_ROUNDS, turn.task.reference)
    return value


def _end(turn: Turn, output: Json) -> Done:
    turn.active.items, turn.active.at = None, 0
    return Done(output)


def _visited(turn: Turn) -> str:
    """Return what tells this visit of the task from all others: nothing for the first one."""
    step = turn.step()
    return (f"#{step.visit}" if step.visit else "") + (f"~{step.consumed}" if step.consumed else "")


def _round(turn: Turn) -> str:
    """Return what tells this round from all others, also those of other visits of the task."""
    return f"{turn.active.at}{turn.active.visited}"


def _forget_round(turn: Turn, path: str) -> None:
    """Let go of the counts of visits in the round that is over: its name does not come again."""
    rounds = located("", [*turn.frame.rounds, _round(turn)])
    state = turn.state
    state.visits = {
        task: count
        for task, count in state.visits.items()
        if not (task.startswith(f"{path}/") and f"[{task.partition('[')[2]}".startswith(rounds))
    }

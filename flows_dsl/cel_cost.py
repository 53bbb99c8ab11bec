"""What evaluating a CEL expression may cost at most: its static cost times the size of its input, never a clock."""

from collections.abc import Mapping

from flows_dsl.cel_ast import Facts
from orderloom.domain.model import Json

MAX_ROUNDS = 10_000
"""Rounds of all macros of one evaluation: the engine's own budget."""

MAX_WORK = 20_000_000
"""Steps of one evaluation: well below the time that a workflow task may take without an answer."""


def work(facts: Facts, data: Mapping[str, Json]) -> int:
    """Return how many steps an evaluation on *data* takes at most, as far as macros go through whole values."""
    if not facts.scans:
        return 0
    longest, items = _size(list(data.values()))
    bigger = (facts.joins + 1) * facts.growth
    rounds = min((max(longest, facts.written) * bigger) ** facts.depth, MAX_ROUNDS)
    return rounds * (items + facts.written) * bigger * facts.scans


def _size(value: Json) -> tuple[int, int]:
    """Return how many items the longest list in *value* has, and how many values there are in all."""
    match value:
        case list():
            inside, own = value, len(value)
        case dict():
            inside, own = list(value.values()), 0
        case _:
            return 0, 1
    sizes = [_size(it) for it in inside]
    return max([own, *(longest for longest, _ in sizes)]), 1 + sum(count for _, count in sizes)

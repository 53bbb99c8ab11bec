"""jq, the specification's default language, as far as it is pure and bounded. Each expression yields one value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import jq as _jq

from flows_dsl.canonical import SAFE_INTEGER, canonical_json
from flows_dsl.expression import ExpressionFailed, ExpressionRefused, bounded, check_length
from flows_dsl.jq_tokens import Usage, inspect
from orderloom.domain.model import Json

VARIABLES = ("context", "input", "order", "output", "task", "workflow")
"""What every jq expression may name with a ``$``, beside the variables of an enclosing catch."""

MAX_WORK = 50_000_000
MAX_BYTES = 16 * 1024 * 1024
"""Bounds of what an evaluation may take: static cost times input size, never a clock."""

jq: Any = _jq
"""The binding has no types of its own."""

_LONG = re.compile(r"\d{16}")


class JqExpression:
    """A compiled jq expression."""

    type = "DYN"
    paths: tuple[tuple[str, ...], ...] = ()

    def __init__(self, text: str, usage: Usage) -> None:
        names = "".join(f"${name}," for name in usage.variables)
        # The line break ends whatever the text ends with; `$__here` cannot be named by an author.
        program = f". as [{names}$__here] | $__here | ({text}\n)"
        try:
            self._program: Any = jq.compile(program)
        except ValueError as error:
            raise ExpressionRefused(f"jq: {_first_line(error)}", remedy="See the jq manual.") from None
        self._usage = usage

    def evaluate(self, scope: Mapping[str, Json], here: Json = None) -> Json:
        """Return its one value in *scope*, with *here* as ``.``."""
        given = [*(scope.get(name) for name in self._usage.variables), here]
        text = canonical_json(given)
        if _LONG.search(text):
            _check_integers(given)
        self._check_cost(text)
        try:
            results = list(self._bounded(text))
        except ValueError as error:
            raise ExpressionFailed(f"jq: {_first_line(error)}") from None
        if len(results) != 1:
            raise ExpressionFailed(f"jq: the expression yields {len(results)} values instead of one")
        result = bounded(results[0])
        _check_integers(result)
        return result

    def _bounded(self, text: str) -> Iterator[object]:
        """Yield at most two results: one is right, two are as wrong as a million."""
        yield from islice(iter(self._program.input_text(text)), 2)

    def _check_cost(self, text: str) -> None:
        items = text.count(",") + 1
        work = self._usage.weight * items ** max(1, self._usage.degree)
        if work > MAX_WORK or self._usage.weight * len(text) > MAX_BYTES:
            raise ExpressionFailed(f"jq: the expression is too costly for an input of {len(text)} characters")


def compile_jq(text: str, names: Sequence[str] = ()) -> JqExpression:
    """
    Compile *text*; *names* are further variables that it may use.

    Raises:
        ExpressionRefused: it is no valid jq, or uses what the allow-list does not name.
    """
    check_length(text)
    return JqExpression(text, inspect(text, frozenset((*VARIABLES, *names))))


def _first_line(error: ValueError) -> str:
    return re.sub(r" at <top-level>, line \d+, column \d+:?", "", str(error).split("\n", 1)[0]).removeprefix(
        "jq: error: "
    )


def _check_integers(value: Json) -> None:
    match value:
        case bool():
            return
        case int() if abs(value) > SAFE_INTEGER:
            raise ExpressionFailed(f"jq: {value} is beyond 2^53, which jq would round; keep it as text, or use CEL")
        case list():
            for item in value:
                _check_integers(item)
        case dict():
            for item in value.values():
                _check_integers(item)
        case _:
            return

"""
CEL, the house language. Same value in every process: no macro runs over a map, results are canonical.

The binding iterates maps in an order that differs between processes, so a macro needs a value that the checker
knows to be a list: a list literal, a macro's result, or ``list(value)``, which fails for anything else.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from cel_expr_python import cel  # pyright: ignore[reportMissingTypeStubs]  # its stubs lack an __init__

from flows_dsl import cel_ast
from flows_dsl.cel_cost import MAX_WORK, work
from flows_dsl.expression import ExpressionFailed, ExpressionRefused, bounded, check_length
from orderloom.domain.model import Json

VARIABLES = ("context", "input", "order", "output", "task", "workflow")
"""What every CEL expression may name, beside the variables of an enclosing catch."""

MAX_LOOPS = 8
MAX_DEPTH = 3
"""Macros inside each other."""
MAX_GROWTH = 256
"""Bound of how much bigger nested macros may make a value: the product of how often each names its item."""


_WHERE = re.compile(r"<input>:(\d+):(\d+): (.*)")
_UNKNOWN = re.compile(r"undeclared reference to '([^']+)'")


def _only_lists(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("list() needs a list")
    return value  # pyright: ignore[reportUnknownVariableType]


_EXTENSION = cel.CelExtension(
    "orderloom",
    [
        cel.FunctionDecl(
            "list",
            [cel.Overload("list_dyn", cel.Type.List(cel.Type.DYN), [cel.Type.DYN], is_member=False, impl=_only_lists)],
        )
    ],
)


class CelExpression:
    """A compiled CEL expression."""

    def __init__(self, compiled: cel.Expression, facts: cel_ast.Facts) -> None:
        self._compiled = compiled
        self._facts = facts
        self._roots = tuple(sorted({path[0] for path in facts.paths}))
        self._read = _tree(facts.paths)
        self.type = compiled.return_type().name()
        self.paths = facts.paths

    def evaluate(self, scope: Mapping[str, Json], here: Json = None) -> Json:  # noqa: ARG002  # jq's `.`
        """Return its value in *scope*."""
        data: dict[str, Any] = {name: scope[name] for name in self._roots if name in scope}
        if (cost := work(self._facts, data)) > MAX_WORK:
            raise ExpressionFailed(f"the expression is too costly for its input: it may take {cost} steps")
        try:
            value = self._compiled.eval(data=_parts(data, self._read))
            plain, failed = value.plain_value(), value.type().name() == "ERROR"
        except RuntimeError as error:
            raise ExpressionFailed(str(error)) from None
        if failed:
            raise ExpressionFailed(str(plain))
        return bounded(plain)


type _Tree = dict[str, _Tree]
"""Which fields of a value are read; without any, all of it is."""


def _tree(paths: Sequence[tuple[str, ...]]) -> _Tree:
    """Return the fields that *paths* lead to."""
    tree: _Tree = {}
    for path in paths:
        node = tree
        if not any(path[:end] in paths for end in range(1, len(path))):
            for name in path:
                node = node.setdefault(name, {})
    return tree


def _parts(value: Mapping[str, Json], tree: _Tree) -> dict[str, Json]:
    """Return what of *value* is read: the engine makes its own of every value that it is given."""
    return {name: _part(value[name], below) for name, below in tree.items() if name in value}


def _part(value: Json, tree: _Tree) -> Json:
    return _parts(value, tree) if tree and isinstance(value, dict) else value


def compile_cel(text: str, names: Sequence[str] = ()) -> CelExpression:
    """
    Compile and type-check *text*; *names* are further variables that it may use.

    Raises:
        ExpressionRefused: it is not valid CEL, is over a bound, or its value could differ between processes.
    """
    check_length(text)
    try:
        compiled = _environment(tuple(names)).compile(text)
        facts = cel_ast.read(compiled.serialize())
    except RuntimeError as error:
        raise _refusal(text, str(error)) from None
    _check_loops(facts)
    return CelExpression(compiled, facts)


@lru_cache(maxsize=256)
def _environment(names: tuple[str, ...], *, typed: bool = False) -> cel.Env:
    """Return what expressions with these variables are compiled in: making one costs more than compiling many."""
    variables: dict[str, Any] = dict.fromkeys((*VARIABLES, *names), cel.Type.DYN)
    if typed:
        for type_, of_cel in _ALIASED.items():
            variables |= {_alias(type_, number): of_cel for number in range(MAX_TYPED)}
    return cel.NewEnv(variables=variables, extensions=[_EXTENSION])


_ALIASED = {"BOOL": cel.Type.BOOL, "INT": cel.Type.INT, "STRING": cel.Type.STRING}
SIMPLE = frozenset(_ALIASED)
"""Types of fields that the checker can be told."""

MAX_TYPED = 10
"""Fields of each type that the checker is told of in one expression."""


def _alias(type_: str, number: int) -> str:
    return f"_{type_[0].lower()}{number}"


@lru_cache(maxsize=8_192)
def _typed(text: str, names: tuple[str, ...], types: tuple[tuple[str, str], ...]) -> CelExpression:
    told, used = text, dict.fromkeys(SIMPLE, 0)
    for path, type_ in types:
        alias, written = _alias(type_, used[type_]), re.escape(path)
        if len(alias) > len(path) or used[type_] == MAX_TYPED or re.search(rf"has\(\s*{written}\s*\)", text):
            continue
        # Padded to the same length, so that offsets stay what they are.
        told = re.sub(rf"(?<![\w.]){written}(?![\w.(\[])", alias.ljust(len(path)), told)
        used[type_] += 1
    try:
        return CelExpression(_environment(names, typed=True).compile(told), cel_ast.Facts((), ()))
    except RuntimeError as error:
        raise _refusal(text, str(error)) from None


def typed_cel(text: str, names: tuple[str, ...], types: Mapping[str, str]) -> CelExpression:
    """
    Check *text*, which compiles, with what is known of the *types* of fields, by their paths; it is not for running.

    Raises:
        ExpressionRefused: the types do not fit.
    """
    return _typed(text, names, tuple(sorted(types.items())))


def _refusal(text: str, message: str) -> ExpressionRefused:
    match = _WHERE.search(message)
    detail = match[3] if match else message.removesuffix(" [CANCELLED]")
    offset = 0
    if match and (line := int(match[1])) > 0:
        offset = sum(len(before) + 1 for before in text.split("\n")[: line - 1]) + int(match[2]) - 1
    unknown = _UNKNOWN.search(detail)
    if unknown and (place := re.search(rf"(?<![\w.]){re.escape(unknown[1])}(?!\w)", text)):
        offset = place.start()  # the checker points at the field that is selected
    code = "expression.unknown_name" if unknown else "expression.invalid"
    return ExpressionRefused(f"CEL: {detail.strip()}", code=code, offset=max(offset, 0), remedy=_remedy(detail))


def _remedy(detail: str) -> str:
    if unknown := _UNKNOWN.search(detail):
        return (
            f"{unknown[1]!r} is no variable or function here; variables: {', '.join(VARIABLES)}, and what catch names."
        )
    return "See the CEL language definition."


def _check_loops(facts: cel_ast.Facts) -> None:
    for loop in facts.loops:
        if loop.over != "list":
            kind = "a map" if loop.over == "map" else "a value of unknown type"
            raise ExpressionRefused(
                f"CEL: a macro runs over {kind}; the order of a map differs between processes.",
                code="expression.map_macro",
                remedy="Run macros over lists; wrap a list of unknown type as list(value).",
            )
    if facts.depth > MAX_DEPTH:
        raise ExpressionRefused(
            f"CEL: {facts.depth} macros inside each other are too costly; at most {MAX_DEPTH} are allowed.",
            code="expression.too_costly",
            remedy="Split the expression, or compute it in an action.",
        )
    growth = facts.growth
    if len(facts.loops) > MAX_LOOPS or growth > MAX_GROWTH:
        raise ExpressionRefused(
            f"CEL: {len(facts.loops)} macros that may multiply a value by {growth} are too costly.",
            code="expression.too_costly",
            remedy="Split the expression, or compute it in an action.",
        )

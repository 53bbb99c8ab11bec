"""Compares an expected tree with the actual one. Keys left out are not compared; lists must match in length."""

from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel

from orderloom.domain.model import Frozen

type Tree = str | int | bool | Decimal | list["Tree"] | dict[str, "Tree"] | None
"""What expectations and observations are made of; amounts are decimals."""


class Exact(dict[str, Tree]):
    """A mapping that must be matched as a whole: a key too many is a difference."""


class Missing:
    """Stands for what is not there at all, as opposed to null."""

    def __repr__(self) -> str:
        return "nothing"


MISSING = Missing()


class Difference(Frozen):
    """One place where the outcome is not what was demanded."""

    path: str
    expected: str
    actual: str


def differences(expected: Tree, actual: Tree | Missing, path: str = "") -> list[Difference]:
    """Return every difference, in the order of *expected*."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            return [Difference(path=path, expected=show(expected), actual=show(actual))]
        found = [
            difference
            for key, value in expected.items()
            for difference in differences(value, actual.get(key, MISSING), f"{path}.{key}" if path else key)
        ]
        if isinstance(expected, Exact):
            more = [key for key in actual if key not in expected]
            found += [Difference(path=f"{path}.{key}", expected="nothing", actual=show(actual[key])) for key in more]
        return found
    if isinstance(expected, list):
        return _of_lists(expected, actual, path)
    if actual is MISSING or not _equal(expected, cast("Tree", actual)):
        return [Difference(path=path, expected=show(expected), actual=show(actual))]
    return []


def _of_lists(expected: list[Tree], actual: Tree | Missing, path: str) -> list[Difference]:
    if not isinstance(actual, list) or len(actual) != len(expected):
        return [Difference(path=path, expected=show(expected), actual=show(actual))]
    return [
        difference
        for index, (wanted, got) in enumerate(zip(expected, actual, strict=True))
        for difference in differences(wanted, got, f"{path}[{index + 1}]")
    ]


def _equal(expected: Tree, actual: Tree) -> bool:
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    return expected == actual


def show(value: Tree | Missing) -> str:
    """Return *value* on one line, as an author would write it."""
    match value:
        case Missing() | None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case dict():
            return "{" + ", ".join(f"{key}: {show(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(show(item) for item in value) + "]"
        case _:
            return str(value)


def tree(value: Any, *, open_maps: bool = False) -> Tree:
    """
    Return a given expectation as a tree of what its author wrote.

    A mapping of names to numbers stands for the whole of it, but for those in `OPEN_MAPS`.
    """
    if isinstance(value, BaseModel):
        return {name: tree(getattr(value, name), open_maps=name in OPEN_MAPS) for name in _given(value)}
    if isinstance(value, dict):
        items = {str(key): tree(item) for key, item in cast("dict[Any, Any]", value).items()}
        closed = not open_maps and all(isinstance(item, int | Exact) for item in items.values())
        return Exact(items) if closed else items
    if isinstance(value, list | tuple):
        return [tree(item) for item in cast("list[Any]", value)]
    return value


OPEN_MAPS = frozenset({"journal", "gateway"})
"""Mappings to numbers in which only the given keys are compared."""


def _given(model: BaseModel) -> list[str]:
    return [name for name in type(model).model_fields if name in model.model_fields_set]

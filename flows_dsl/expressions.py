"""Runtime expressions: ``${ … }`` in jq or CEL, compiled once per process, and values that hold them."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal

from flows_dsl.cel_engine import compile_cel
from flows_dsl.expression import Expression, ExpressionFailed, ExpressionRefused
from flows_dsl.findings import escape
from flows_dsl.jq_engine import compile_jq
from orderloom.domain.model import Json

type Language = Literal["jq", "cel"]

__all__ = ["Condition", "Expression", "ExpressionFailed", "ExpressionRefused", "Language", "Template", "compile"]

_WRAPPED = re.compile(r"\s*\$\{(.*)\}\s*", re.DOTALL)


@lru_cache(maxsize=8_192)
def compile(text: str, language: Language, names: tuple[str, ...] = ()) -> Expression:
    """
    Compile *text*, without its ``${ }``; *names* are the variables of enclosing catches.

    Raises:
        ExpressionRefused: it is not valid or not allowed.
    """
    return compile_cel(text, names) if language == "cel" else compile_jq(text, names)


def unwrap(text: str) -> str | None:
    """Return the expression inside ``${ … }``, or None when *text* is a literal."""
    match = _WRAPPED.fullmatch(text)
    return match[1].strip() if match else None


def wrap(text: str) -> str:
    """Return *text* with ``${ }`` around it: where only an expression can stand, it may be left out."""
    return text if unwrap(text) is not None else f"${{ {text} }}"


def embedded(value: Json, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Yield each expression in *value*, however deep, with its JSON pointer."""
    match value:
        case str() if (text := unwrap(value)) is not None:
            yield pointer, text
        case list():
            for index, item in enumerate(value):
                yield from embedded(item, f"{pointer}/{index}")
        case dict():
            for name, item in value.items():
                yield from embedded(item, f"{pointer}/{escape(name)}")
        case _:
            return


class Template:
    """A value with expressions in it: strings without ``${ }`` are literal, objects and arrays are read throughout."""

    __slots__ = ("_value", "constant")

    def __init__(self, value: Json, language: Language, names: tuple[str, ...] = ()) -> None:
        self._value = _compiled(value, language, names)
        self.constant = not _dynamic(self._value)

    def evaluate(self, scope: Mapping[str, Json], here: Json = None) -> Json:
        """
        Return the value with each expression replaced by what it yields in *scope*.

        Raises:
            ExpressionFailed: one of them has no value.
        """
        return _evaluated(self._value, scope, here)


class Condition:
    """An expression that must be true or false; jq's null counts as false, as everywhere in jq."""

    __slots__ = ("_expression", "_language", "_text")

    def __init__(self, text: str, language: Language, names: tuple[str, ...] = ()) -> None:
        self._text = unwrap(text) or text
        self._language = language
        self._expression = compile(self._text, language, names)

    def holds(self, scope: Mapping[str, Json], here: Json = None) -> bool:
        """
        Return whether it holds in *scope*.

        Raises:
            ExpressionFailed: it yields anything but true or false.
        """
        value = self._expression.evaluate(scope, here)
        if value is None and self._language == "jq":
            return False
        if not isinstance(value, bool):
            raise ExpressionFailed(f"{self._text!r} is a condition but yields {_kind(value)}")
        return value


type _Compiled = Expression | list[_Compiled] | dict[str, _Compiled] | str | int | float | bool | None


def _compiled(value: Json, language: Language, names: tuple[str, ...]) -> _Compiled:
    match value:
        case str() if (text := unwrap(value)) is not None:
            return compile(text, language, names)
        case list():
            return [_compiled(item, language, names) for item in value]
        case dict():
            return {name: _compiled(value[name], language, names) for name in sorted(value)}
        case _:
            return value


def _dynamic(value: _Compiled) -> bool:
    match value:
        case None | bool() | int() | float() | str():
            return False
        case list():
            return any(map(_dynamic, value))
        case dict():
            return any(map(_dynamic, value.values()))
        case _:
            return True


def _evaluated(value: _Compiled, scope: Mapping[str, Json], here: Json) -> Json:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_evaluated(item, scope, here) for item in value]
        case dict():
            return {name: _evaluated(item, scope, here) for name, item in value.items()}
        case _:
            return value.evaluate(scope, here)


def _kind(value: Json) -> str:
    match value:
        case str():
            return "a string"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "null" if value is None else "an object"

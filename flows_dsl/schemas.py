"""
JSON Schemas (2020-12) of what goes into a task or a flow, comes out of it, and is exported.

Of the vocabulary only what has a bounded cost is allowed: no regular expressions, no references, nothing that compares
all items with each other. So a schema is a tree, and validating takes its size times that of the value at most.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError

from flows_dsl.findings import did_you_mean, escape
from flows_dsl.parts import Input, Output
from orderloom.domain.model import Json, JsonObject

MAX_WORK = 100_000
"""Bound of a validation: the size of the schema times that of the value, never a clock."""

MAX_DETAIL = 300
"""Characters of what is said about a value that does not fit."""

_ONE = ("additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then")
_MANY = ("allOf", "anyOf", "oneOf", "prefixItems")
_NAMED = ("properties",)
_PLAIN = (
    "$comment", "$schema", "const", "default", "deprecated", "description", "enum", "examples", "exclusiveMaximum",
    "exclusiveMinimum", "format", "maxContains", "maxItems", "maxLength", "maxProperties", "maximum", "minContains",
    "minItems", "minLength", "minProperties", "minimum", "multipleOf", "readOnly", "required", "title", "type",
    "writeOnly",
)  # fmt: skip
KEYWORDS = frozenset((*_ONE, *_MANY, *_NAMED, *_PLAIN))
"""What a schema may say. ``format`` is a remark, as the standard has it."""


class Schema:
    """A schema, ready to validate."""

    __slots__ = ("_size", "_validator")

    def __init__(self, document: Json) -> None:
        self._validator = Draft202012Validator(cast("Any", document))
        self._size = _count(document)

    def fault(self, value: Json) -> str | None:
        """Return what is wrong with *value* and where, as a JSON pointer into it; None when it fits."""
        if (work := self._size * _count(value)) > MAX_WORK:
            return f"The value is too large for its schema: it may take {work} steps; at most {MAX_WORK} are allowed."
        errors = cast("Iterator[ValidationError]", self._validator.iter_errors(cast("Any", value)))  # pyright: ignore[reportUnknownMemberType]
        error = next(errors, None)
        return None if error is None else f"{_pointer(error) or 'The value'}: {_told(error)}"[:MAX_DETAIL]


def schema_of(edge: Input | Output | None) -> Schema | None:
    """Return what a value must be at an edge, if anything is said about it."""
    return Schema(edge.schema_.document) if edge is not None and edge.schema_ is not None else None


def _told(error: ValidationError | SchemaError) -> str:
    """Say what is wrong without the value itself, which may be large or personal."""
    if error.validator == "required":
        return f"{error.message}."  # a name that the schema gives
    if error.validator == "additionalProperties":
        return "it has properties that the schema does not name."
    if not isinstance(error.validator, str):
        return "nothing fits here."  # the schema is `false`
    return f"it does not fit {error.validator}: {error.validator_value!r}."


def _pointer(error: ValidationError | SchemaError) -> str:
    return "".join(f"/{escape(part)}" for part in error.absolute_path)


def _count(value: Json) -> int:
    match value:
        case list():
            return 1 + sum(map(_count, value))
        case dict():
            return 1 + sum(map(_count, value.values()))
        case _:
            return 1


def wrong(document: Json, pointer: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield what is wrong with a schema itself: JSON pointer, message and remedy."""
    found = False
    for at, message, remedy in _foreign(document, pointer):
        found = True
        yield at, message, remedy
    if found:
        return
    try:
        Draft202012Validator.check_schema(cast("Any", document))
    except SchemaError as error:
        yield pointer + _pointer(error), f"This is no valid schema: {_told(error)}", "See JSON Schema 2020-12."


def _foreign(document: Json, pointer: str) -> Iterator[tuple[str, str, str]]:
    if not isinstance(document, dict):
        return
    for name in sorted(set(document) - KEYWORDS):
        remedy = did_you_mean(name, KEYWORDS)
        yield f"{pointer}/{escape(name)}", f"A schema in a flow has no keyword {name!r}.", remedy
    for at, inner in _inner(document):
        yield from _foreign(inner, f"{pointer}/{at}")


def _inner(document: JsonObject) -> Iterator[tuple[str, Json]]:
    for name in sorted(document):
        value = document[name]
        if name in _ONE:
            yield name, value
        elif name in _MANY and isinstance(value, list):
            yield from ((f"{name}/{at}", each) for at, each in enumerate(value))
        elif name in _NAMED and isinstance(value, Mapping):
            yield from ((f"{name}/{escape(key)}", value[key]) for key in sorted(value))

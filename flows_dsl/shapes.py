"""What is known of values when a flow is checked: their fields and types, as far as anything is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from orderloom.domain.model import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Shape:
    """A value's shape. Without fields, items or choices it may be anything, or one of CEL's simple types."""

    type: str = "DYN"
    """``BOOL``, ``INT``, ``DOUBLE``, ``STRING``, ``LIST``, ``MAP`` or ``DYN``."""
    fields: Mapping[str, "Shape"] | None = field(default=None, hash=False)
    """All fields of an object; None when they are not known."""
    open: bool = False
    """An object may have more fields than the known ones."""
    item: "Shape | None" = None
    choices: tuple["Shape", ...] = ()

    def get(self, part: str) -> "Shape | None":
        """Return the shape of a field, or of an item by ``[n]``; None when there is certainly none."""
        if self.choices:
            found = [it for each in self.choices if (it := each.get(part)) is not None]
            return join(found) if found else None
        if part.startswith("["):
            return self.item or (ANY if self.type in {"DYN", "LIST"} else None)
        if self.fields is not None:
            return self.fields.get(part, ANY if self.open else None)
        return ANY if self.type in {"DYN", "MAP"} else None

    def names(self) -> list[str]:
        """Return the fields that it may have."""
        return sorted({*(self.fields or ()), *(name for each in self.choices for name in each.names())})


ANY = Shape()


def obj(fields: Mapping[str, Shape]) -> Shape:
    """Return the shape of an object with these fields and no others."""
    return Shape("MAP", dict(fields))


def list_of(item: Shape) -> Shape:
    """Return the shape of a list."""
    return Shape("LIST", item=item)


def of_schema(schema: Json) -> Shape:
    """Return the shape that a JSON Schema demands, as far as that is plain; what may be missing may be anything."""
    found = ANY
    match schema:
        case {"anyOf": list() as choices} | {"oneOf": list() as choices}:
            found = join(map(of_schema, choices))
        case {"enum": list() as values}:
            found = join(map(of_value, values))
        case {"const": value}:
            found = of_value(value)
        case {"type": "object"}:
            found = _of_object(schema)
        case {"type": "array"}:
            found = list_of(of_schema(schema.get("items")))
        case {"type": str() as name}:
            found = _OF_JSON.get(name, ANY)
        case _:
            pass
    return found


def _of_object(schema: JsonObject) -> Shape:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, dict) else {}
    needed = required if isinstance(required, list) else []
    fields = {name: of_schema(each) if name in needed else ANY for name, each in known.items()}
    return Shape("MAP", fields, open=schema.get("additionalProperties") is not False)


def join(shapes: Iterable[Shape]) -> Shape:
    """Return the shape of a value that has one of *shapes*."""
    found: list[Shape] = []
    for shape in shapes:
        for each in shape.choices or (shape,):
            if each not in found:
                found.append(each)
    if not found or ANY in found:
        return ANY
    if len(found) == 1:
        return found[0]
    types = {it.type for it in found}
    return Shape(types.pop() if len(types) == 1 else "DYN", choices=tuple(found))


_SIMPLE = {bool: "BOOL", int: "INT", float: "DOUBLE", str: "STRING"}


@lru_cache(maxsize=512)
def of_model(model: type[BaseModel]) -> Shape:
    """Return the shape of what *model* holds, as JSON."""
    return obj({info.alias or name: _of(info.annotation) for name, info in model.model_fields.items()})


def _of(annotation: Any) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(arguments[0])
    if origin is Literal:
        return join(of_value(it) for it in arguments)
    if origin in {Union, UnionType}:
        # A value that may be missing is compared with null: nothing is said about its type.
        return ANY if NoneType in arguments else join(map(_of, arguments))
    if origin in {list, tuple}:
        return list_of(_of(arguments[0]))
    return _of_class(cast("type[Any]", annotation)) if isinstance(annotation, type) else ANY


def _of_class(class_: type[Any]) -> Shape:
    if issubclass(class_, BaseModel):
        return of_model(class_)
    if issubclass(class_, Enum):
        return join(of_value(it.value) for it in class_)
    if issubclass(class_, datetime):
        return _SHAPES[str]
    return _SHAPES.get(class_, ANY)


_SHAPES: dict[type[Any], Shape] = {simple: Shape(name) for simple, name in _SIMPLE.items()}


_OF_JSON = {"boolean": Shape("BOOL"), "integer": Shape("INT"), "string": Shape("STRING")}
"""A JSON number may be either of CEL's."""


def of_value(value: object) -> Shape:
    """Return the shape of a literal."""
    return _SHAPES.get(type(value), ANY)

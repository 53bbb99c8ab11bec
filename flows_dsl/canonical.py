"""One text for one value: canonical JSON, and the bounds that values in a flow keep."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from json import JSONEncoder
from math import isfinite

from flows_dsl.durations import iso_duration
from orderloom.domain.model import Json

SAFE_INTEGER = 2**53
"""The largest whole number that a double holds exactly."""

MAX_DEPTH = 64
"""How deep a value may be nested."""


_ENCODER = JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


class NotJson(ValueError):
    """A value that JSON cannot hold."""


def canonical_json(value: object) -> str:
    """Return *value* as JSON with sorted keys and no spaces; the same text in every process."""
    return _ENCODER.encode(value)


def size(value: object) -> int:
    """Return how many bytes *value* takes as canonical JSON."""
    return len(canonical_json(value).encode())


def canonical(value: object, depth: int = 0) -> Json:
    """
    Return *value* as plain JSON: keys sorted, whole doubles as integers, times and durations as ISO 8601.

    Raises:
        NotJson: it holds bytes, a type, a key that is no string, an infinite number, or is nested too deep.
    """
    if depth > MAX_DEPTH:
        raise NotJson(f"it is nested deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return _number(value)
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case timedelta():
            return iso_duration(value)
        case Mapping():
            return _object(dict(value), depth)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case list() | tuple():
            return [canonical(item, depth + 1) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            raise NotJson(f"JSON cannot hold a value of type {type(value).__name__}")


def _number(value: float) -> int | float:
    if not isfinite(value):
        raise NotJson("JSON cannot hold an infinite number or NaN")
    return int(value) if value.is_integer() and abs(value) <= SAFE_INTEGER else value


def _object(value: dict[object, object], depth: int) -> Json:
    if not all(isinstance(key, str) for key in value):
        raise NotJson("the keys of an object must be strings")
    return {str(key): canonical(value[key], depth + 1) for key in sorted(value, key=str)}

"""Durations as the specification writes them: ISO 8601 text or an object of units. Days have 24 hours."""

import re
from collections.abc import Mapping
from datetime import timedelta

UNITS = ("days", "hours", "minutes", "seconds", "milliseconds")
"""The fields of a duration written as an object."""

_ISO = re.compile(
    r"P(?!$)(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?!$)(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?(?:(?P<seconds>\d+(?:\.\d{1,6})?)S)?)?"
)
LONGEST = timedelta(days=90)
"""How long a listen, a wait that is not constant, or collecting the events of a start may last."""

_UTMOST = timedelta(days=36_500)


class NotDuration(ValueError):
    """A value that is no duration, or one longer than 100 years."""


def duration(value: object) -> timedelta:
    """
    Return *value* as a duration; years and months are refused because their length varies.

    Raises:
        NotDuration: *value* is no ISO 8601 duration and no object of units.
    """
    match value:
        case str():
            return _from_text(value)
        case Mapping():
            return _from_units({str(name): amount for name, amount in value.items()})  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case _:
            raise NotDuration(f"{value!r} is no duration")


def _from_text(text: str) -> timedelta:
    match = _ISO.fullmatch(text)
    if match is None:
        raise NotDuration(f"{text!r} is no ISO 8601 duration such as PT15M or P2D (years and months are not supported)")
    try:
        return _bounded(timedelta(**{unit: float(amount) for unit, amount in match.groupdict().items() if amount}))
    except OverflowError:
        raise NotDuration(f"{text!r} is longer than 100 years") from None


def _from_units(units: dict[str, object]) -> timedelta:
    amounts: dict[str, float] = {}
    for unit, amount in units.items():
        if unit not in UNITS or isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
            raise NotDuration(f"{unit}: {amount!r} is no part of a duration; use {', '.join(UNITS)} with numbers >= 0")
        amounts[unit] = amount
    if not amounts:
        raise NotDuration("a duration needs at least one unit")
    try:
        return _bounded(timedelta(**amounts))
    except (OverflowError, ValueError):
        raise NotDuration(f"{units!r} is longer than 100 years") from None


def _bounded(value: timedelta) -> timedelta:
    if value > _UTMOST:
        raise NotDuration("a duration may be at most 100 years")
    return value


def iso_duration(value: timedelta) -> str:
    """Return *value* as ISO 8601 text in seconds: ``PT90S``, ``PT0.5S``, ``-PT1S``."""
    sign = "-" if value < timedelta(0) else ""
    whole, micros = divmod(abs(value) // timedelta(microseconds=1), 1_000_000)
    fraction = f".{micros:06d}".rstrip("0") if micros else ""
    return f"{sign}PT{whole}{fraction}S"


def iso_days(value: timedelta) -> str:
    """Return *value* as people write it: in days when it is a whole number of them, such as ``P90D``."""
    return f"P{value.days}D" if value == timedelta(days=value.days) else iso_duration(value)

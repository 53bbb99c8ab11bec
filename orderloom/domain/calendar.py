"""
A location's calendar: which of its days the work belongs to that it is given now.

Days and times are the location's own, whatever the clocks of the servers say: an order at 23:30 UTC is tomorrow's
work in Tokyo already.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.model import Frozen


class Weekday(StrEnum):
    """The days of a week, Monday first as ISO 8601 counts them."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEK = tuple(Weekday)
_DAY = timedelta(days=1)


def _known(name: str) -> str:
    """Refuse a time zone that the IANA database does not have."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # not there; not a name; the name of a folder
        raise _unknown(name) from None
    return name


def _unknown(name: str) -> PydanticCustomError:
    return PydanticCustomError(
        "calendar.time_zone_unknown", "{name} is no time zone: take a name such as Europe/Berlin", {"name": name}
    )


TimeZone = Annotated[str, StringConstraints(max_length=100), AfterValidator(_known)]
"""A name of the IANA time zone database."""

TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
"""Hours and minutes on the wall, ``HH:MM``."""


class Calendar(Frozen):
    """When a location works."""

    time_zone: TimeZone = "UTC"
    cut_off: TimeOfDay | None = None
    """Work that comes at this time of the location's day or later is the next working day's. None: midnight."""
    closed: Annotated[tuple[Weekday, ...], Field(max_length=7)] = ()
    """Days of every week on which nobody works."""
    holidays: Annotated[tuple[date, ...], Field(max_length=1_000)] = ()
    """Single days on which nobody works."""

    @model_validator(mode="after")
    def _opens(self) -> Self:
        if len(set(self.closed)) == len(_WEEK):
            raise PydanticCustomError(
                "calendar.never_open", "closed names every day of the week: leave one out, or make it inactive"
            )
        return self

    def works_on(self, day: date) -> bool:
        """Tell whether the location works on *day*."""
        return _WEEK[day.weekday()] not in self.closed and day not in self.holidays

    def today(self, now: datetime) -> date:
        """Return the date at the location at *now*, which knows its time zone."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()


def business_day(calendar: Calendar, now: datetime) -> date:
    """
    Return the day that work taken at *now* belongs to: today before the cut-off, else the next working day.

    Args:
        now: a time that knows its time zone.
    """
    local = now.astimezone(ZoneInfo(calendar.time_zone))
    first = local.date()
    if calendar.cut_off is not None and local.time() >= time.fromisoformat(calendar.cut_off):
        first += _DAY
    return next(day for day in _from(first) if calendar.works_on(day))


def _from(day: date) -> Iterator[date]:
    while True:
        yield day
        day += _DAY

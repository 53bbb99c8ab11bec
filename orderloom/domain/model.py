"""The base of every value that crosses a border: frozen, and closed to unknown fields."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    JsonValue,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

type Json = JsonValue
"""Any value that JSON can hold."""

type JsonObject = dict[str, JsonValue]
"""A JSON object."""


class _Unchecked:
    """Has pydantic take a value as it is."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.any_schema()


type TrustedJson = Annotated[JsonValue, _Unchecked]
"""JSON that we made ourselves: models hold it without looking at each value in it."""

type TrustedObject = dict[str, TrustedJson]
"""A JSON object whose values we made ourselves."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
"""A name given by a person or another system: letters, digits and ``._:/-``, at most 100 characters."""

_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def within_reach(moment: datetime) -> bool:
    """Return whether *moment*, which knows its time zone, lies in the years from 1900 to 2199."""
    return _EARLIEST <= moment < _LATEST


def _checked(moment: datetime) -> datetime:
    if not within_reach(moment):
        raise PydanticCustomError("field.out_of_range", "must lie in the years from 1900 to 2199")
    return moment


Instant = Annotated[AwareDatetime, AfterValidator(_checked)]
"""A moment with its time zone, in the years from 1900 to 2199: a database and a timer hold it in any zone."""


class Frozen(BaseModel):
    """A value: it never changes after construction, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(BaseModel):
    """A value that crosses a process border: frozen; unknown fields are ignored so that it can grow."""

    model_config = ConfigDict(frozen=True, extra="ignore")

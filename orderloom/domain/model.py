"""The base of every value that crosses a border: frozen, and closed to unknown fields."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, JsonValue, StringConstraints

type Json = JsonValue
"""Any value that JSON can hold."""

type JsonObject = dict[str, JsonValue]
"""A JSON object."""

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]
"""A name given by a person or another system: letters, digits and ``._:/-``, at most 100 characters."""


class Frozen(BaseModel):
    """A value: it never changes after construction, and an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Message(BaseModel):
    """A value that crosses a process border: frozen; unknown fields are ignored so that it can grow."""

    model_config = ConfigDict(frozen=True, extra="ignore")

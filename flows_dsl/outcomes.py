"""What comes of doing a task."""

from dataclasses import dataclass, field
from typing import Literal

from orderloom.domain.model import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Done:
    """The task has this raw output and, if it is a switch, leads there."""

    output: Json
    then: str | None = None


@dataclass(frozen=True, slots=True)
class Enter:
    """The task is a block: its list is to be run."""

    path: str
    role: Literal["do", "try", "catch", "for", "foreach"] = "do"
    variables: JsonObject = field(default_factory=dict[str, Json])
    round: str | None = None
    """Which round of a loop it is."""
    input: tuple[Json] | None = None
    """Its input, if it is not the task's."""


type Outcome = Done | Enter

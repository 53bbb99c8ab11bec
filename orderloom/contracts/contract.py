"""What a contract of an action says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, JsonObject


class Runs(StrEnum):
    """Where an action runs (design, section 5)."""

    LOCAL = "local"
    """One transaction in our PostgreSQL."""
    OUTSIDE = "outside"
    """A transaction that writes intents, calls to the gateway, a transaction that records the outcomes."""


@dataclass(frozen=True, kw_only=True)
class ActionContract[I: Frozen, O: Frozen]:
    """One core action, as authors of flows see it."""

    name: str
    input: type[I]
    output: type[O]
    changes: str
    """What it changes, in one sentence."""
    major: int = 1
    errors: tuple[type[OrderloomError], ...] = ()
    compensation: str | None = None
    """The action that undoes it, or None where nothing needs undoing or nothing can."""
    undo_with: Mapping[str, str] = field(default_factory=dict[str, str])
    """The compensation's arguments: each is ``call`` (the key of the call), or a field, as ``input.attempt``."""
    final: str = ""
    """Why nothing undoes it, in one sentence."""
    runs: Runs = Runs.LOCAL

    @property
    def activity(self) -> str:
        """Return its name among Temporal's activities."""
        return f"{self.name}@{self.major}"

    @property
    def undone_by(self) -> str | None:
        """Return the name of its compensation among Temporal's activities."""
        if self.compensation is None or "@" in self.compensation:
            return self.compensation
        return f"{self.compensation}@1"

    def undo_arguments(self, call: str, input: JsonObject, output: JsonObject) -> JsonObject:
        """Return what its compensation is told of the call with this key; without what a failed call did not return."""
        known: dict[str, JsonObject] = {"input": input, "output": output}
        told: JsonObject = {}
        for name, source in self.undo_with.items():
            part, _, field = source.partition(".")
            if part == "call":
                told[name] = call
            elif field in known[part]:
                told[name] = known[part][field]
        return told

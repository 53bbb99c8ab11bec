"""Where a flow instance stands, as plain data: dumped at any quiet point, it goes on from there elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import AwareDatetime, ConfigDict, TypeAdapter

from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import TrustedJson, TrustedObject


class State:
    """A part of it. Parts are read and set at every step, so they are checked only where they come in."""

    __slots__ = ()
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    @classmethod
    def load(cls, dumped: TrustedObject) -> Self:
        """
        Return what ``dump`` was made of.

        Raises:
            ValidationError: it is something else.
        """
        return _adapter(cls).validate_python(dumped)

    def dump(self) -> TrustedObject:
        """Return it as JSON, without what is as at the beginning."""
        return _adapter(type(self)).dump_python(self, mode="json", exclude_defaults=True)


@cache
def _adapter(part: type[State]) -> TypeAdapter[Any]:
    return TypeAdapter(part)


@dataclass(slots=True, kw_only=True)
class Active(State):
    """The task that a frame is at."""

    phase: Literal["ready", "run", "inside", "again", "finish", "fault"] = "ready"
    """``inside``: its block runs in the next frame. ``again``: a ``try`` waits for its next try."""
    entered: bool = False
    """Whether its condition held and this visit was counted."""
    visit: int = 0
    input: TrustedJson = None
    deadline: AwareDatetime | None = None
    """When its timeout is over."""
    until: AwareDatetime | None = None
    """When what it waits for is due."""
    received: list[TrustedObject | None] = field(default_factory=list[TrustedObject | None])
    """With ``listen`` to all: the event that each filter has got."""
    attempt: int = 0
    """How often a ``try`` has been tried again."""
    failed_at: AwareDatetime | None = None
    """When a ``try`` has failed first."""
    output: TrustedJson = None
    """Its raw output, once it has one."""
    then: str | None = None
    """Where a ``switch`` leads."""
    tried: int = 0
    """How often its work was tried and failed, by the runner's attempts and by operators."""
    called: bool = False
    """Whether its action or event was asked for and failed, so that asking again needs another key."""
    asked: TrustedObject | None = None
    """The arguments that its action was called with, or the event that it emits, until that has succeeded."""
    arguments: TrustedObject | None = None
    """What an operator gave instead of the evaluated arguments."""
    fault: Problem | None = None
    """The error that waits for an operator."""
    finished: bool = False
    """Whether it failed after its work was done, in what its output becomes."""
    items: list[TrustedJson] | None = None
    """With ``for``: what it goes through."""
    visited: str = ""
    """What tells this visit of a ``for`` from others, in the names of its rounds."""
    at: int = 0
    """How many of the items, or of the events that ``foreach`` handles, are done."""
    collected: list[TrustedJson] = field(default_factory=list[TrustedJson])
    """With ``listen`` until: what was read of each event; with ``foreach``, what came of each."""
    handling: bool = False
    """With ``foreach``: the tasks for an event are under way."""
    ending: list[TrustedObject | None] = field(default_factory=list[TrustedObject | None])
    """With ``listen`` until other events: the one that each of their filters has got."""
    branches: list["Branch"] = field(default_factory=list["Branch"])
    """With ``fork``."""
    child: "InstanceState | None" = None
    """With ``run``: the flow that runs inside."""


@dataclass(slots=True, kw_only=True)
class Frame(State):
    """A list of tasks that is under way."""

    path: str
    role: Literal["do", "try", "catch", "for", "foreach", "branch"] = "do"
    """``branch``: of the list only the task at ``index`` runs."""
    rounds: list[str] = field(default_factory=list[str])
    """The round of each ``for`` and ``foreach`` around, the outermost first: an index, or the id of an event."""
    index: int = 0
    input: TrustedJson = None
    """The raw input of the task at ``index``."""
    variables: TrustedObject = field(default_factory=dict[str, TrustedJson])
    """What enclosing catches have named."""
    active: Active | None = None


@dataclass(slots=True, kw_only=True)
class Branch(State):
    """A branch of a fork."""

    phase: Literal["runs", "done", "won", "lost"] = "runs"
    """``lost``: another one has won, or the fork failed: it ends what cannot be left, and does no more."""
    frames: list[Frame] = field(default_factory=list[Frame])
    output: TrustedJson = None
    calls: list[str] = field(default_factory=list[str])
    """The keys of what it has done (``Done.key``), the oldest first."""
    consumed: dict[str, str] = field(default_factory=dict[str, str])
    """The event that each listening loop around has consumed last in this branch: not one that another branch took."""
    heard: str | None = None
    """The event that it has consumed last, until the strand around knows."""


@dataclass(slots=True, kw_only=True)
class Done(State):
    """A call that was done, or that may have moved money before it failed: as much of it as undoing it takes."""

    key: str
    """Of its step, without the instance."""
    task: str
    """JSON pointer of the task, as people see it."""
    action: str
    arguments: TrustedObject = field(default_factory=dict[str, TrustedJson])
    """Of the action that undoes it."""


@dataclass(slots=True, kw_only=True)
class Undone(State):
    """What became of undoing one call."""

    task: str
    action: str
    outcome: Literal["undone", "skipped", "final"]
    """``skipped``: an operator left it as it is. ``final``: nothing undoes it."""
    by: str | None = None
    """The action that undid it."""
    reason: str | None = None


@dataclass(slots=True, kw_only=True)
class InstanceState(State):
    """A flow instance: dump it when the instance is quiet, and another ``FlowInstance`` goes on with the same keys."""

    flow: str
    """Hash of the flow."""
    instance: str
    """Id of the event that started it, ``@``, hash of the flow."""
    events: list[TrustedObject]
    """The events that started it, which are its input unless it runs inside another flow."""
    inside: bool = False
    """It runs in a task of another flow."""
    given: TrustedJson = None
    """Its input then."""
    started_at: AwareDatetime
    phase: Literal["begin", "tasks", "end", "undo", "done"] = "begin"
    frames: list[Frame] = field(default_factory=list[Frame])
    value: TrustedJson = None
    """The filtered input, later the output."""
    context: TrustedJson = field(default_factory=dict[str, TrustedJson])
    deadline: AwareDatetime | None = None
    fault: Problem | None = None
    """An error outside any task that waits for an operator."""
    visits: dict[str, int] = field(default_factory=dict[str, int])
    """How often the task at each path was entered, in a loop that listens since its last event."""
    generations: dict[str, int] = field(default_factory=dict[str, int])
    """How often operators had each task done again."""
    calls: list[Done] = field(default_factory=list[Done])
    """What it has done, oldest first; while it is undone, what is still to be."""
    undone: list[Undone] = field(default_factory=list[Undone])
    undo: str | None = None
    """The process exception at which an operator asked for everything to be undone."""
    faults: dict[str, int] = field(default_factory=dict[str, int])
    """How often each task has waited for an operator before."""
    consumed: dict[str, str] = field(default_factory=dict[str, str])
    """The event that each listening loop consumed last."""
    heard: str | None = None
    """The event that any of its listens consumed last."""
    detached: dict[str, "InstanceState"] = field(default_factory=dict[str, "InstanceState"])
    """Flows that were started and not waited for, by their instance; all end before this one does."""

    @property
    def input(self) -> TrustedJson:
        """Return the input of the workflow."""
        return self.given if self.inside else cast("TrustedJson", self.events)

    @classmethod
    def within(cls, flow: str, instance: str, given: TrustedJson, now: datetime) -> "InstanceState":
        """Return the state of a flow that runs inside a task of another one, with the input *given*."""
        return cls(flow=flow, instance=instance, events=[], inside=True, given=given, started_at=now)

    @classmethod
    def start(cls, flow: str, event: Event, now: datetime, also: Sequence[Event] = ()) -> "InstanceState":
        """Return the state of an instance that *event* starts; *also* are further events of its input."""
        events = [it.model_dump(mode="json") for it in (event, *also)]
        return cls(flow=flow, instance=f"{event.id}@{flow}", events=events, started_at=now)

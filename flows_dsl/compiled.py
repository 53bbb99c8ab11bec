"""What a flow is once it is compiled: plain values and expressions that are ready to run. Nothing here changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from flows_dsl.durations import LONGEST
from flows_dsl.expressions import Condition, Language, Template
from flows_dsl.runner import Retry
from flows_dsl.schemas import Schema
from orderloom.domain.model import Json, JsonObject

type Concurrency = Literal["parallel", "queue", "drop", "replace"]

CONTINUE, EXIT, END = "continue", "exit", "end"
DIRECTIVES = (CONTINUE, EXIT, END)
"""What ``then`` may say besides the name of a task in the same list."""


@dataclass(frozen=True, slots=True)
class Loop:
    """Neighbouring tasks that a jump backward repeats and that listen: a round is known by the event it consumed."""

    list_path: str
    first: int
    last: int
    depth: int = 0
    """How many ``for`` and ``foreach`` stand around it."""

    @property
    def id(self) -> str:
        """Return its name among the loops of the flow."""
        return f"{self.list_path}/{self.first}-{self.last}"

    def holds(self, path: str) -> bool:
        """Return whether the task at *path* stands in it, at any depth."""
        if not path.startswith(f"{self.list_path}/"):
            return False
        index = path[len(self.list_path) + 1 :].split("/", 1)[0]
        return index.isdigit() and self.first <= int(index) <= self.last


@dataclass(frozen=True, slots=True)
class EventMatch:
    """One event filter: attributes to be equal, and what the event's data must be."""

    type: str
    attributes: tuple[tuple[str, str], ...] = ()
    condition: Condition | None = None
    data: Template | None = None
    correlations: tuple["Correlation", ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """A value taken from an event, and what it must be equal to; without that, what the others of a set have."""

    name: str
    source: Template
    expect: Template | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A core action with its major version, and how often its transient failures are tried again."""

    action: str
    arguments: Template
    retry: Retry | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """Tasks one after another; ``path`` names the list."""

    path: str


@dataclass(frozen=True, slots=True)
class Emit:
    """An event to add to the journal."""

    type: Template
    data: Template


@dataclass(frozen=True, slots=True)
class For:
    """Tasks that are done for each item of a list; ``path`` names the list of the tasks."""

    path: str
    each: str
    at: str
    items: Template
    condition: Condition | None
    """Must hold before each round."""


@dataclass(frozen=True, slots=True)
class Fork:
    """Tasks that run beside each other; ``path`` names the list that holds one for each branch."""

    path: str
    compete: bool


@dataclass(frozen=True, slots=True)
class RunFlow:
    """Another flow to run; ``flow`` is its name among those that are part of this one."""

    flow: str
    input: Template
    wait: bool


@dataclass(frozen=True, slots=True)
class ForEach:
    """What is done with each event that a ``listen`` takes; ``path`` names the list of the tasks."""

    path: str | None
    item: str
    at: str
    output_as: Template | None
    export_as: Template | None
    output_schema: Schema | None = None
    export_schema: Schema | None = None


@dataclass(frozen=True, slots=True)
class Listen:
    """Events to wait for; with ``until`` or ``ends`` all that come before that."""

    mode: Literal["one", "any", "all"]
    filters: tuple[EventMatch, ...]
    envelope: bool
    repeats: bool = False
    """It takes events until something ends it."""
    until: Condition | None = None
    """Ends it when it holds of what was taken."""
    ends: "Listen | None" = None
    """Events that end it."""
    foreach: ForEach | None = None

    @property
    def types(self) -> frozenset[str]:
        """Return the event types that it may take."""
        own = frozenset(it.type for it in self.filters)
        return own | self.ends.types if self.ends else own


@dataclass(frozen=True, slots=True)
class Raise:
    """An error to raise."""

    error: Template


@dataclass(frozen=True, slots=True)
class Assign:
    """The output to make."""

    value: Template


@dataclass(frozen=True, slots=True)
class Case:
    """One way out of a switch."""

    when: Condition | None
    then: str


@dataclass(frozen=True, slots=True)
class Switch:
    """Ways out, the first that holds is taken."""

    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class RetryLoop:
    """When a caught error leads to another try, and after how long. ``count`` is the tries after the first."""

    when: Condition | None
    except_when: Condition | None
    delay: Template
    growth: Literal["constant", "linear", "exponential"]
    factor: float
    increment: timedelta | None
    longest: timedelta | None
    count: int | None
    within: timedelta | None
    jitter: tuple[timedelta, timedelta] | None = None
    """The least and the most that is added to each delay."""


@dataclass(frozen=True, slots=True)
class Try:
    """Tasks whose errors are handled. ``handler`` is the path of the list that does it, if any."""

    path: str
    filter: tuple[tuple[str, Template], ...]
    variable: str
    when: Condition | None
    except_when: Condition | None
    retry: RetryLoop | None
    handler: str | None


@dataclass(frozen=True, slots=True)
class Wait:
    """Time to let pass."""

    duration: Template


type Body = Call | Block | Emit | For | Fork | Listen | Raise | RunFlow | Assign | Switch | Try | Wait


@dataclass(frozen=True, slots=True)
class CompiledTask:
    """One task. ``path`` is short and stands in keys; ``reference`` is the JSON pointer that people see."""

    name: str
    path: str
    reference: str
    body: Body
    condition: Condition | None = None
    input_from: Template | None = None
    output_as: Template | None = None
    export_as: Template | None = None
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    export_schema: Schema | None = None
    timeout: Template | None = None
    then: str = CONTINUE
    loops: tuple[Loop, ...] = ()
    """The listening loops that it stands in, the innermost last."""


@dataclass(frozen=True, slots=True)
class CompiledList:
    """The tasks of one list, and where each name stands."""

    path: str
    tasks: tuple[CompiledTask, ...]
    index: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CompiledFlow:
    """A flow, ready to run. Two with the same hash do the same."""

    name: str
    version: str
    hash: str
    language: Language
    concurrency: Concurrency
    starts_on: tuple[str, ...]
    """The event types that start an instance."""
    lists: Mapping[str, CompiledList]
    descriptor: JsonObject
    """What expressions see as ``workflow.definition``."""
    input_from: Template | None = None
    output_as: Template | None = None
    input_schema: Schema | None = None
    output_schema: Schema | None = None
    timeout: Template | None = None
    inner: Mapping[str, "CompiledFlow"] = field(default_factory=dict[str, "CompiledFlow"])
    """The flows that its tasks run, by ``namespace/name:version``."""
    starts_with: tuple[EventMatch, ...] = ()
    """With ``schedule.on.all``: the events that must all have come."""
    collects_for: timedelta = LONGEST
    """How long the first of them waits for the others."""

    @property
    def label(self) -> str:
        """Return its name and version, as people know it."""
        return f"{self.name}:{self.version}"


def same(expected: Json, actual: Json) -> bool:
    """Return whether *actual* is *expected*, or an object that has at least its fields."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(name in actual and same(value, actual[name]) for name, value in expected.items())
    return type(expected) is type(actual) and expected == actual

"""The parts of a document that hold no tasks: data flow, events, errors, retries. Names are the specification's."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag

from orderloom.domain.model import Json, JsonObject

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$")]

Label = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]

Version = Annotated[
    str,
    StringConstraints(
        max_length=200, pattern=r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
    ),
]

Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,40}$")]


def _expression(value: object) -> object:
    """Accept what YAML reads as true or false where a condition stands."""
    return str(value).lower() if isinstance(value, bool) else value


Condition = Annotated[str, BeforeValidator(_expression)]


class Node(BaseModel):
    """A part of a document: closed to unknown fields, and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class EdgeSchema(Node):
    """What a value must be: a JSON Schema that stands in the flow."""

    format: Literal["json"] = "json"
    document: Json = None
    resource: Json = None


class Input(Node):
    """How the input is changed before it is used, and what it must be before that."""

    from_: Json = Field(default=None, alias="from")
    schema_: EdgeSchema | None = Field(default=None, alias="schema")


class Output(Node):
    """How the output is changed before it is handed on, and what it must be after that."""

    as_: Json = Field(default=None, alias="as")
    schema_: EdgeSchema | None = Field(default=None, alias="schema")


class Timeout(Node):
    """How long something may take."""

    after: Json


class Correlation(Node):
    """A value to take from an event, and what it must be equal to."""

    from_: str = Field(alias="from")
    expect: Json = None


class EventFilter(Node):
    """Which events are meant: attributes compared literally; ``data`` may be a condition or values to be equal to."""

    with_: JsonObject = Field(alias="with")
    correlate: dict[Variable, Correlation] | None = None


def _strategy(value: object) -> str:
    return "events" if isinstance(value, dict | Listen) else "condition"


Until = Annotated[
    Annotated["Listen", Tag("events")] | Annotated[Literal[False] | Condition, Tag("condition")],
    Discriminator(_strategy),
]
"""What ends a listen: a condition on what was taken, other events, or nothing at all."""


class Listen(Node):
    """What is listened for: one event, any of several, or all of them."""

    one: EventFilter | None = None
    any: list[EventFilter] | None = None
    all: list[EventFilter] | None = None
    until: Until | None = None


class ListenTo(Node):
    """The events to wait for, and how they are handed on."""

    to: Listen
    read: Literal["data", "envelope", "raw"] = "data"


class Items(Node):
    """What a ``for`` goes through, and the names of the item and of its index."""

    each: Variable = "item"
    in_: str = Field(alias="in")
    at: Variable = "index"


class FlowReference(Node):
    """Another flow, and its input."""

    namespace: Label
    name: Label
    version: Version | Literal["latest"] = "latest"
    input: Json = None


class Run(Node):
    """What is run: a flow, and whether it is waited for. The other kinds of process are refused with a reason."""

    workflow: FlowReference | None = None
    await_: bool = Field(default=True, alias="await")
    container: Json = None
    script: Json = None
    shell: Json = None


class EmitEvent(Node):
    """The event to emit."""

    with_: JsonObject = Field(alias="with")


class Emit(Node):
    """What is emitted."""

    event: EmitEvent


class RaiseError(Node):
    """The error to raise, or the name of one under ``use.errors``."""

    error: JsonObject | str


class Case(Node):
    """One way out of a ``switch``; without ``when`` it is taken when no other one holds."""

    when: Condition | None = None
    then: str


class Attempts(Node):
    """How often to try again."""

    count: Annotated[int, Field(ge=1, le=100)] | None = None
    duration: Json = None


class RetryLimit(Node):
    """When to give up."""

    attempt: Attempts | None = None
    duration: Json = None


class Backoff(Node):
    """How the delay grows: exactly one of them."""

    constant: JsonObject | None = None
    exponential: JsonObject | None = None
    linear: JsonObject | None = None


class Jitter(Node):
    """Bounds of what is added to each delay, so that many who failed together do not come back together."""

    from_: Json = Field(alias="from")
    to: Json


class RetryPolicy(Node):
    """When and how often a ``try`` is tried again."""

    when: Condition | None = None
    except_when: Condition | None = Field(default=None, alias="exceptWhen")
    delay: Json = None
    backoff: Backoff | None = None
    limit: RetryLimit | None = None
    jitter: Jitter | None = None


class ErrorFilter(Node):
    """Which errors are caught: each attribute must be equal."""

    with_: JsonObject = Field(alias="with")

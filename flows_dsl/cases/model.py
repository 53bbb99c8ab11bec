"""The file ``NAME.test.yaml``: cases of the flow ``NAME.yaml``."""

from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from flows_dsl.durations import NotDuration, duration
from orderloom.domain.model import Frozen, Json, JsonObject


def _checked(value: str) -> str:
    try:
        duration(value)
    except NotDuration as error:
        raise PydanticCustomError("duration", "{reason}", {"reason": str(error)}) from None
    return value


Span = Annotated[str, AfterValidator(_checked), Field(description="ISO 8601, such as `PT30M` or `P1D`.")]


class Part(Frozen):
    """A part of the file. One with a ``bare`` field may be written as that field's value alone."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    bare: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _from_bare(cls, value: Any) -> Any:
        return {cls.bare: value} if cls.bare and isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Let editors know of the short way to write it."""
        schema = handler.resolve_ref_schema(handler(core))
        return {"anyOf": [{"type": "string"}, schema]} if cls.bare else schema


class Reply(Part):
    """What an action does when it is called: it returns something, which may be left out if it is empty, or fails."""

    returns: Json = None
    """Its output, checked against the action's contract; fields with a default may be left out."""
    fault: str | None = None
    """Code of the error that it raises (`payment.declined`); one that its contract names."""
    detail: str | None = None
    """What the error says; else its title."""
    facts: JsonObject = {}
    """What the error tells machines."""
    order: JsonObject = {}
    """Fields of the order's header that are others afterwards."""
    takes: Span | None = None
    """Virtual time that it takes."""
    nth: Annotated[int, Field(ge=1)] | None = None
    """This is only for the call with this number; the other replies are for the rest."""

    @model_validator(mode="after")
    def _one(self) -> "Reply":
        if self.returns is not None and self.fault is not None:
            raise PydanticCustomError("reply", "an action either returns something or fails")
        return self


def _listed(value: Any) -> Any:
    return cast("Any", value) if isinstance(value, list) else [value]


Replies = Annotated[list[Reply], BeforeValidator(_listed), Field(min_length=1)]
"""Used up from the front; the last one stays."""


class Start(Part):
    """The event that starts the flow. A bare word is its type."""

    bare = "type"

    type: str
    id: str = "100001:1"
    data: JsonObject = {}


class Coming(Part):
    """An event that comes later. A bare word is its type."""

    bare = "type"

    type: str
    after: Span = "PT0S"
    """Virtual time since the start."""
    id: str | None = None
    data: JsonObject = {}
    order: JsonObject = {}
    """Fields of the order's header that are others afterwards."""


class Decision(Part):
    """What an operator decides about an error that nobody caught. A bare word is its kind."""

    bare = "kind"

    kind: Literal["retry", "skip", "goto", "compensate", "cancel"]
    input: JsonObject | None = None
    """With `retry`: other arguments. With `goto`: the input of that task."""
    task: str | None = None
    """With `goto`: the task to go on with."""
    output: Json = None
    """With `skip`: what the task is taken to have returned."""


class ExpectedCall(Part):
    """A call of an action. A bare word is the action's name, and any arguments will do."""

    bare = "action"

    action: str
    task: str | None = None
    """The task that calls it."""
    with_: Annotated[JsonObject | None, Field(alias="with")] = None
    """Its arguments, no more and no less."""
    having: JsonObject | None = None
    """Some of its arguments."""


class ExpectedEvent(Part):
    """An event that the flow emits. A bare word is its type, and any data will do."""

    bare = "type"

    type: str
    with_: Annotated[JsonObject | None, Field(alias="with")] = None
    """Its data, no more and no less."""
    having: JsonObject | None = None
    """Some of its data."""


class ExpectedWait(Part):
    """Time that passes in a `wait` or before another attempt. A bare word is how long."""

    bare = "for"

    for_: Annotated[Span, Field(alias="for")]
    task: str | None = None
    """The task that waits."""


class ExpectedFault(Part):
    """An error that nobody catches. A bare word is its code or type."""

    bare = "type"

    type: str
    """Code (`order.moved`) or URI."""
    task: str | None = None
    """The task that it happens at."""
    having: JsonObject | None = None
    """Some fields of the error, such as `status` and `detail`."""


class Expect(Part):
    """What must follow. Each list is all there is, in order; a list that is left out is not compared.

    Without `faulted` or `waiting_for` the flow must end.
    """

    path: list[str] | None = None
    """The tasks that are done, by name. Names of the tasks around may stand before it: `authorize/ask-gateway`."""
    calls: list[ExpectedCall] | None = None
    emits: list[ExpectedEvent] | None = None
    waits: list[ExpectedWait] | None = None
    takes: Span | None = None
    """Virtual time from the start to the end."""
    output: Json = None
    """The flow's output, no more and no less."""
    faulted: ExpectedFault | None = None
    waiting_for: list[str] | None = None
    """Types of the events that the flow listens to in the end, because none comes."""

    @model_validator(mode="after")
    def _one(self) -> "Expect":
        given = self.model_fields_set & {"output", "faulted", "waiting_for"}
        if len(given) > 1:
            raise PydanticCustomError("outcome", "only one of output, faulted and waiting_for can be the outcome")
        return self


class Given(Part):
    """What a case begins with."""

    order: JsonObject = {}
    """Fields of the order's header that differ from a standard order's."""
    start: Start | None = None
    """Left out, it is the first event that the flow starts on, without data."""
    actions: dict[str, Replies] = {}
    """By action, what it does when it is called."""
    tasks: dict[str, Replies] = {}
    """By task, what the action does that it calls; this goes before `actions`."""


class Case(Given):
    """One case. What it gives goes before what the file gives for all."""

    case: str
    """What it shows, in a sentence."""
    events: list[Coming] = []
    operator: list[Decision] = []
    """Decisions about errors that nobody catches, one after another."""
    expect: Expect


class CaseFile(Given):
    """The cases of one flow, and what all of them begin with."""

    flow: str | None = None
    """The flow's file, seen from here; left out, it is `NAME.yaml` beside `NAME.test.yaml`."""
    cases: Annotated[list[Case], Field(min_length=1)]

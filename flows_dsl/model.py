"""
The documents of the Serverless Workflow DSL 1.0.3, as far as flows of orders use them.

Constructs of the specification that are known but not supported stand here too, so that the check can refuse them
with a reason. Field names are the specification's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, StringConstraints, Tag

from orderloom.domain.model import Json, JsonObject

TASKS = ("call", "do", "emit", "listen", "raise", "set", "switch", "try", "wait")
"""The kinds of task that run."""

REFUSED_TASKS = ("for", "fork", "run")
"""The kinds of task that the specification has and this runtime refuses."""

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


class Input(Node):
    """How the input is changed before it is used."""

    from_: Json = Field(default=None, alias="from")
    schema_: Json = Field(default=None, alias="schema")


class Output(Node):
    """How the output is changed before it is handed on."""

    as_: Json = Field(default=None, alias="as")
    schema_: Json = Field(default=None, alias="schema")


class Timeout(Node):
    """How long something may take."""

    after: Json


class Task(Node):
    """What every task may have."""

    if_: Condition | None = Field(default=None, alias="if")
    input: Input | None = None
    output: Output | None = None
    export: Output | None = None
    timeout: Timeout | str | None = None
    then: str | None = None
    metadata: JsonObject | None = None


class CallTask(Task):
    """Calls a core action; ``with`` holds its arguments."""

    call: str
    with_: JsonObject = Field(default={}, alias="with")


class DoTask(Task):
    """Runs tasks one after another."""

    do: "TaskList"


class EventFilter(Node):
    """Which events are meant: attributes compared literally; ``data`` may be a condition or values to be equal to."""

    with_: JsonObject = Field(alias="with")
    correlate: Json = None


class Listen(Node):
    """What is listened for: one event, any of several, or all of them."""

    one: EventFilter | None = None
    any: list[EventFilter] | None = None
    all: list[EventFilter] | None = None
    until: Json = None


class ListenTo(Node):
    """The events to wait for, and how they are handed on."""

    to: Listen
    read: Literal["data", "envelope", "raw"] = "data"


class ListenTask(Task):
    """Waits for events of the order."""

    listen: ListenTo
    foreach: Json = None


class EmitEvent(Node):
    """The event to emit."""

    with_: JsonObject = Field(alias="with")


class Emit(Node):
    """What is emitted."""

    event: EmitEvent


class EmitTask(Task):
    """Adds an event to the order's journal; it may start other flows."""

    emit: Emit


class RaiseError(Node):
    """The error to raise, or the name of one under ``use.errors``."""

    error: JsonObject | str


class RaiseTask(Task):
    """Raises an error."""

    raise_: RaiseError = Field(alias="raise")


class SetTask(Task):
    """Makes the task's output."""

    set: JsonObject | str


class Case(Node):
    """One way out of a ``switch``; without ``when`` it is always taken."""

    when: Condition | None = None
    then: str


class SwitchTask(Task):
    """Takes the first case that holds; goes on with the next task when none does."""

    switch: Annotated[
        list[Annotated[dict[Name, Case], Field(min_length=1, max_length=1)]], Field(min_length=1, max_length=100)
    ]


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


class RetryPolicy(Node):
    """When and how often a ``try`` is tried again."""

    when: Condition | None = None
    except_when: Condition | None = Field(default=None, alias="exceptWhen")
    delay: Json = None
    backoff: Backoff | None = None
    limit: RetryLimit | None = None
    jitter: Json = None


class ErrorFilter(Node):
    """Which errors are caught: each attribute must be equal."""

    with_: JsonObject = Field(alias="with")


class Catch(Node):
    """What is caught, and what is done about it."""

    errors: ErrorFilter | None = None
    as_: Variable = Field(default="error", alias="as")
    when: Condition | None = None
    except_when: Condition | None = Field(default=None, alias="exceptWhen")
    retry: RetryPolicy | str | None = None
    do: "TaskList | None" = None


class TryTask(Task):
    """Runs tasks and handles the errors that they raise."""

    try_: "TaskList" = Field(alias="try")
    catch: Catch


class WaitTask(Task):
    """Lets time pass."""

    wait: Json


class RefusedTask(BaseModel):
    """A task that does not run: of a kind that is refused, or broken in a way that was reported already."""

    model_config = ConfigDict(frozen=True, extra="allow")

    broken: bool = False


def kind_of(task: Any) -> str:
    """Return the key that says what kind of task it is: ``refused`` for unsupported ones, ``unknown`` for none."""
    if isinstance(task, RefusedTask):
        return "refused"
    if isinstance(task, Task):
        return next(kind for kind, model in MODELS.items() if isinstance(task, model))
    if not isinstance(task, Mapping):
        return "unknown"
    if "broken" in task or any(kind in task for kind in REFUSED_TASKS):
        return "refused"
    # `do` may stand beside another kind only where the other is a mistake: the more telling key names the task.
    return next((kind for kind in (*(it for it in TASKS if it != "do"), "do") if kind in task), "unknown")


type AnyTask = Annotated[
    Annotated[CallTask, Tag("call")]
    | Annotated[DoTask, Tag("do")]
    | Annotated[EmitTask, Tag("emit")]
    | Annotated[ListenTask, Tag("listen")]
    | Annotated[RaiseTask, Tag("raise")]
    | Annotated[SetTask, Tag("set")]
    | Annotated[SwitchTask, Tag("switch")]
    | Annotated[TryTask, Tag("try")]
    | Annotated[WaitTask, Tag("wait")]
    | Annotated[RefusedTask, Tag("refused")],
    Discriminator(
        kind_of,
        custom_error_type="task_kind",
        custom_error_message=f"A task needs exactly one of: {', '.join(TASKS)}",
    ),
]

type TaskList = Annotated[
    list[Annotated[dict[Name, AnyTask], Field(min_length=1, max_length=1)]], Field(min_length=1, max_length=200)
]

MODELS: dict[str, type[Task]] = {
    "call": CallTask,
    "do": DoTask,
    "emit": EmitTask,
    "listen": ListenTask,
    "raise": RaiseTask,
    "set": SetTask,
    "switch": SwitchTask,
    "try": TryTask,
    "wait": WaitTask,
}
"""The model of each kind of task."""


class Metadata(BaseModel):
    """Remarks of the author; ``concurrency`` is ours: what happens to an event while an instance runs."""

    model_config = ConfigDict(frozen=True, extra="allow")

    concurrency: Literal["parallel", "queue", "drop", "replace"] = "queue"


class DocumentHead(Node):
    """What the document is."""

    dsl: Literal["1.0.0", "1.0.1", "1.0.2", "1.0.3"]
    namespace: Label
    name: Label
    version: Version
    title: str | None = None
    summary: str | None = None
    tags: dict[str, str] | None = None
    metadata: Metadata = Metadata()


class Evaluate(Node):
    """The language of the expressions."""

    language: Literal["jq", "cel"] = "jq"
    mode: Literal["strict", "loose"] = "strict"


class Schedule(Node):
    """Which events start an instance."""

    on: Listen | None = None
    every: Json = None
    cron: Json = None
    after: Json = None


class Use(Node):
    """What tasks refer to by name."""

    retries: dict[str, RetryPolicy] = {}
    errors: dict[str, JsonObject] = {}
    timeouts: dict[str, Timeout] = {}
    authentications: Json = None
    catalogs: Json = None
    extensions: Json = None
    functions: Json = None
    secrets: Json = None


class FlowDocument(Node):
    """A flow, as its author wrote it."""

    document: DocumentHead
    evaluate: Evaluate = Evaluate()
    use: Use = Use()
    input: Input | None = None
    schedule: Schedule | None = None
    timeout: Timeout | str | None = None
    do: TaskList
    output: Output | None = None

    @property
    def name(self) -> str:
        """Return the name of the flow."""
        return self.document.name


def dumped(node: BaseModel) -> dict[str, Any]:
    """Return a part of a document as its author wrote it: the specification's names, nothing that was left out."""
    return node.model_dump(mode="json", by_alias=True, exclude_unset=True)

"""
The documents of the Serverless Workflow DSL 1.0.3, as far as flows of orders use them.

Constructs of the specification that are known but not supported stand here too, so that the check can refuse them
with a reason. Field names are the specification's.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from flows_dsl.parts import (
    Case,
    Condition,
    Emit,
    ErrorFilter,
    Input,
    Items,
    Label,
    Listen,
    ListenTo,
    Name,
    Node,
    Output,
    RaiseError,
    RetryPolicy,
    Run,
    Timeout,
    Variable,
    Version,
)
from orderloom.domain.model import Json, JsonObject

TASKS = ("call", "do", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait")
"""The kinds of task that run."""

LISTS = frozenset({"do", "try", "branches"})
"""The fields that hold lists of tasks."""


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


class ForEachEvent(Node):
    """What is done with each event that is taken, before the next one is."""

    item: Variable = "item"
    at: Variable = "index"
    do: "TaskList | None" = None
    output: Output | None = None
    export: Output | None = None


class ListenTask(Task):
    """Waits for events of the order."""

    listen: ListenTo
    foreach: ForEachEvent | None = None


class ForTask(Task):
    """Does tasks for each item of a list, one after another."""

    for_: Items = Field(alias="for")
    while_: Condition | None = Field(default=None, alias="while")
    do: "TaskList"


class Branches(Node):
    """Tasks that run beside each other; with ``compete`` until one of them is done."""

    branches: "TaskList"
    compete: bool = False


class ForkTask(Task):
    """Runs tasks beside each other."""

    fork: Branches


class RunTask(Task):
    """Runs another flow inside the task."""

    run: Run


class EmitTask(Task):
    """Adds an event to the order's journal; it may start other flows."""

    emit: Emit


class RaiseTask(Task):
    """Raises an error."""

    raise_: RaiseError = Field(alias="raise")


class SetTask(Task):
    """Makes the task's output."""

    set: JsonObject | str


class SwitchTask(Task):
    """Takes the first case that holds; goes on with the next task when none does."""

    switch: Annotated[
        list[Annotated[dict[Name, Case], Field(min_length=1, max_length=1)]], Field(min_length=1, max_length=100)
    ]


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


class BrokenTask(BaseModel):
    """A task that is broken in a way that was reported already."""

    model_config = ConfigDict(frozen=True, extra="allow")

    broken: bool = True


def kind_of(task: Any) -> str:
    """Return the key that says what kind of task it is: ``broken`` for a broken one, ``unknown`` for none."""
    if isinstance(task, BrokenTask):
        return "broken"
    if isinstance(task, Task):
        return next(kind for kind, model in MODELS.items() if isinstance(task, model))
    if not isinstance(task, Mapping):
        return "unknown"
    if "broken" in task:
        return "broken"
    # `do` may stand beside another kind only where the other is a mistake: the more telling key names the task.
    return next((kind for kind in (*(it for it in TASKS if it != "do"), "do") if kind in task), "unknown")


type AnyTask = Annotated[
    Annotated[CallTask, Tag("call")]
    | Annotated[DoTask, Tag("do")]
    | Annotated[EmitTask, Tag("emit")]
    | Annotated[ForTask, Tag("for")]
    | Annotated[ForkTask, Tag("fork")]
    | Annotated[ListenTask, Tag("listen")]
    | Annotated[RaiseTask, Tag("raise")]
    | Annotated[RunTask, Tag("run")]
    | Annotated[SetTask, Tag("set")]
    | Annotated[SwitchTask, Tag("switch")]
    | Annotated[TryTask, Tag("try")]
    | Annotated[WaitTask, Tag("wait")]
    | Annotated[BrokenTask, Tag("broken")],
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
    "for": ForTask,
    "fork": ForkTask,
    "listen": ListenTask,
    "raise": RaiseTask,
    "run": RunTask,
    "set": SetTask,
    "switch": SwitchTask,
    "try": TryTask,
    "wait": WaitTask,
}
"""The model of each kind of task."""


class Metadata(BaseModel):
    """Remarks of the author; two of them are ours, and say when instances start."""

    model_config = ConfigDict(frozen=True, extra="allow")

    concurrency: Literal["parallel", "queue", "drop", "replace"] = "queue"
    """What happens to an event while an instance runs."""
    collects_for: Json = Field(default=None, alias="collectsFor")
    """With ``schedule.on.all``: how long the first event of a set waits for the others, 90 days unless given."""


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


FUNCTION = r"^[a-z0-9]*[A-Z_][A-Za-z0-9_]*$"
"""The name of a function: a capital letter or an underscore tells it from that of an action."""


class Use(Node):
    """What tasks refer to by name."""

    retries: dict[str, RetryPolicy] = {}
    errors: dict[str, JsonObject] = {}
    timeouts: dict[str, Timeout] = {}
    functions: dict[Annotated[str, Field(pattern=FUNCTION)], CallTask] = {}
    """Calls of their own, which tasks call by name: what a task gives them ``with`` is their input."""
    authentications: Json = None
    catalogs: Json = None
    extensions: Json = None
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

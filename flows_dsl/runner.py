"""
What the interpreter asks of whoever runs a flow: the seam between the language and the world.

The order workflow implements it with Temporal, the tests and the desk tools with plain Python.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where an instance stands when it asks for something. Same step, same effect: all of it is in the key."""

    instance: str
    """Id of the event that started it, ``@``, hash of the flow."""
    path: str
    """JSON pointer of the task, with loop indexes: ``/do/2/try/0``."""
    visit: int = 0
    """How often this task was entered before, by jumps backward."""
    generation: int = 0
    """Raised when an operator retries or goes to a task."""
    consumed: str | None = None
    """Id of the event consumed last by the enclosing listen loop."""

    @property
    def key(self) -> str:
        """Return the idempotency key. It holds no counter of inbox order (design, section 5)."""
        return f"{self.instance}{self.path}#{self.visit}.{self.generation}" + (
            f"~{self.consumed}" if self.consumed else ""
        )


class Compensation(Frozen):
    """One call that an instance has done, and what undoes it."""

    task: str
    """JSON pointer of the task that called, as people see it."""
    action: str
    undone_by: str | None = None
    """The action that undoes it; None when nothing does."""
    reason: str | None = None
    """Why nothing undoes it."""


class Retry(Frozen):
    """Attempts of one call, as the author asked: seconds, factor, and limits."""

    attempts: int
    delay: float = 1.0
    factor: float = 2.0
    limit: float = 100.0


class FlowFailure(Exception):
    """An error inside a flow, as problem details; what ``catch`` filters on."""

    def __init__(self, problem: Problem, *, attempts: int = 1) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem
        self.attempts = attempts
        """How often the runner has tried before it gave up."""


class Fault(Frozen):
    """An error that nobody caught: what an operator is shown of it, and what the instance can do next."""

    problem: Problem
    flow: str = ""
    """Name and version of the flow that the task stands in."""
    flow_hash: str = ""
    task: str = ""
    """JSON pointer of the task, as people see it; empty when it is an expression of the flow itself."""
    input: Json = None
    """The arguments of the action or event, where there are any, else the task's input."""
    attempts: int = 1
    """How often the task has been tried, operators' retries included."""
    action: str | None = None
    """The core action that failed, with its major; its contract says which input and output are valid."""
    call: str | None = None
    """The key of the call or event that failed; None when it was something else."""
    finished: bool = False
    """The task's work was done: it failed in what its output becomes, and *skip* gives that."""
    within: tuple[str, ...] = ()
    """The tasks that the instance can go to: of the task's own list first, then of the lists around it."""
    undoing: bool = False
    """It is undoing a call that failed: that is tried again, or left as it is."""
    compensations: tuple[Compensation, ...] = ()
    """What *compensate* would do, in its order."""


class Resolution(Frozen):
    """What an operator decided about a fault."""

    kind: Literal["retry", "skip", "goto", "compensate", "cancel"]
    input: JsonObject | None = None
    """With ``retry``: the action's arguments, or the task's input. With ``goto``: the input of that task."""
    output: Json = None
    """With ``skip``: what the task is taken to have returned."""
    task: str | None = None
    """With ``goto``: one of the fault's ``within``."""
    exception: str | None = None
    """The process exception that this is decided about."""


type TaskEventKind = Literal["started", "completed", "faulted", "retried", "suspended", "resumed", "cancelled"]
"""
The lifecycle events of a task, as the specification names them.

``suspended`` is told when an operator is asked about an error, ``resumed`` when one has decided, and ``cancelled`` of
what a timeout or a faster branch has ended.
"""

type Observer = Callable[[str, str, TaskEventKind], None]
"""Is told the name of a task, its JSON pointer, and what became of it."""


class StepRunner(Protocol):
    """Runs what an instance asks for. Every method may be awaited for months; all are safe to ask again."""

    def now(self) -> datetime:
        """Return business time."""
        ...

    def order(self) -> Mapping[str, Json]:
        """Return the order's header, as of now."""
        ...

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """
        Run core action *action* (``name@major``) once for this step and return its output.

        Raises:
            FlowFailure: the action refused or failed for good.
        """
        ...

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Journal an event of the order."""
        ...

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """Return the first matching event that this instance has not consumed; None at the deadline."""
        ...

    async def wait(self, step: Step, until: datetime) -> None:
        """Return when business time has reached *until*."""
        ...

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """Raise a process exception for an error that nobody caught, and return what an operator decides."""
        ...

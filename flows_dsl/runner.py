"""
What the interpreter asks of whoever runs a flow: the seam between the language and the world.

The order workflow implements it with Temporal, the tests and the desk tools with plain Python.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, Protocol

from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json, JsonObject


class Step(Frozen):
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


class Retry(Frozen):
    """Attempts of one call, as the author asked: seconds, factor, and limits."""

    attempts: int
    delay: float = 1.0
    factor: float = 2.0
    limit: float = 100.0


class FlowFailure(Exception):
    """An error inside a flow, as problem details; what ``catch`` filters on."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.code}: {problem.detail}")
        self.problem = problem


class Resolution(Frozen):
    """What an operator decided about a fault."""

    kind: Literal["retry", "skip", "cancel"]
    input: JsonObject | None = None
    """With ``retry``: the action's arguments, instead of the evaluated ones."""
    output: Json = None
    """With ``skip``: the task's output."""


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

    async def fault(self, step: Step, problem: Problem, input: Json) -> Resolution:
        """Raise a process exception for an error that nobody caught, and return what an operator decides."""
        ...

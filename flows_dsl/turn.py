"""One task's turn: what its expressions see, the keys of its steps, and how much time it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

from flows_dsl.canonical import size
from flows_dsl.compiled import CompiledFlow, CompiledTask, ForEach, Loop
from flows_dsl.durations import LONGEST, NotDuration, duration
from flows_dsl.expressions import Condition, ExpressionFailed, Template
from flows_dsl.frames import Active, Branch, Frame, InstanceState
from flows_dsl.problems import MAX_CONTEXT, expression_failure, too_large, validation_failure
from flows_dsl.runner import Step, StepRunner
from flows_dsl.schemas import Schema
from orderloom.domain.model import Json, JsonObject


class TimeIsUp(Exception):
    """The timeout of a task or of a flow is over; *limit* says which."""

    def __init__(self, limit: "Limit") -> None:
        super().__init__(limit.at)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Limit:
    """A timeout under way."""

    at: datetime
    owner: object
    """The strand that has the task, or the instance whose flow it is."""
    depth: int = -1
    """The frame of the strand that is at the task."""


class Around(Protocol):
    """What a task runs in: a strand of tasks, with those around it."""

    branch: Branch | None
    """The branch of a fork that it is, if it is one."""

    @property
    def consumed(self) -> dict[str, str]:
        """The event that each listening loop consumed last, as far as this strand is concerned."""
        ...

    @property
    def prefix(self) -> str:
        """The path that all of its tasks have in common."""
        ...

    def limit(self) -> Limit | None:
        """Return the timeout that is over first, of the tasks and flows around; of equal ones the outermost."""
        ...

    def noted(self, call: str) -> None:
        """Take note of a call that was done, by its key."""
        ...

    async def fork(self, branches: Sequence[Branch], *, compete: bool) -> None:
        """Run *branches* beside each other to their ends; with *compete* until one of them has won."""
        ...

    async def inside(self, flow: CompiledFlow, state: InstanceState) -> Json:
        """Run the flow that stands in *state* to its end, and return its output."""
        ...

    def detach(self, flow: CompiledFlow, state: InstanceState) -> None:
        """Let the flow that stands in *state* run beside everything else of the instance."""
        ...


@dataclass(slots=True)
class Turn:
    """A task of an instance, at work."""

    flow: CompiledFlow
    state: InstanceState
    runner: StepRunner
    frame: Frame
    task: CompiledTask
    around: Around

    @property
    def active(self) -> Active:
        """Return what is remembered of the task."""
        if self.frame.active is None:
            self.frame.active = Active()
        return self.frame.active

    def step(self, suffix: str = "") -> Step:
        """Return the step that the task is at."""
        where = self.where
        names = (self.loop(it) for it in reversed(self.task.loops))
        consumed = (self.around.consumed[name] for name in names if name in self.around.consumed)
        return Step(
            instance=self.state.instance,
            path=f"{where}{suffix}",
            visit=self.active.visit,
            generation=self.state.generations.get(where, 0),
            consumed=next(consumed, None),
        )

    @property
    def where(self) -> str:
        """Return the task's path with the rounds of the loops around it: ``/do/2/do/0[3]``."""
        return located(self.task.path, self.frame.rounds)

    def loop(self, loop: Loop) -> str:
        """Return the name of a listening loop around, in this round of what is around it."""
        return located(loop.id, self.frame.rounds[: loop.depth])

    def fault_step(self) -> Step:
        """Return the step of waiting for an operator: another one each time, whether or not the task is done again."""
        return replace(self.step(), generation=self.state.faults.get(self.where, 0))

    def scope(self, input: Json, **more: Json) -> dict[str, Json]:
        """Return the variables that an expression of the task sees."""
        return {
            **self.frame.variables,
            "input": input,
            "context": self.state.context,
            "order": dict(self.runner.order()),
            "workflow": workflow_variable(self.flow, self.state),
            "task": {"name": self.task.name, "reference": self.task.reference},
            **more,
        }

    def evaluate(self, template: Template, input: Json, *here: Json, **more: Json) -> Json:
        """
        Return *template*'s value; *here*, when given, is jq's ``.`` instead of the input.

        Raises:
            FlowFailure: an expression has no value.
        """
        if template.constant:
            return template.evaluate({})
        try:
            return template.evaluate(self.scope(input, **more), here[0] if here else input)
        except ExpressionFailed as error:
            raise expression_failure(str(error), self.task.reference) from None

    def holds(
        self,
        condition: Condition | None,
        input: Json,
        more: Mapping[str, Json] = MappingProxyType({}),
        *,
        default: bool = True,
    ) -> bool:
        """
        Return whether *condition* holds, *default* when there is none; *more* are variables beside the usual ones.

        Raises:
            FlowFailure: it yields anything but true or false.
        """
        if condition is None:
            return default
        try:
            return condition.holds({**self.scope(input), **more}, input)
        except ExpressionFailed as error:
            raise expression_failure(str(error), self.task.reference) from None

    def after(self, template: Template, input: Json) -> datetime:
        """
        Return the instant that lies *template*'s duration from now.

        Raises:
            FlowFailure: it yields no duration.
        """
        try:
            return self.runner.now() + duration(self.evaluate(template, input))
        except NotDuration as error:
            raise expression_failure(str(error), self.task.reference) from None

    def timeout(self, template: Template, input: Json) -> datetime:
        """
        Return the instant at which a timeout is over.

        Raises:
            FlowFailure: it yields no duration, or a computed one beyond what the check allows for constant ones.
        """
        due = self.after(template, input)
        if not template.constant and due - self.runner.now() > LONGEST:
            detail = f"A computed timeout may be at most {LONGEST.days} days."
            raise expression_failure(detail, self.task.reference)
        return due

    def limit(self) -> Limit | None:
        """Return the timeout that ends this turn first."""
        return self.around.limit()

    def taken(self, value: Json) -> Json:
        """
        Return what the task gets of the raw input *value*.

        Raises:
            FlowFailure: the input does not fit its schema, or an expression has no value.
        """
        task = self.task
        fit(task.input_schema, value, task.reference)
        return value if task.input_from is None else self.evaluate(task.input_from, value)

    def handed_on(self, edge: CompiledTask | ForEach, output: Json) -> Json:
        """
        Return what is handed on of the raw *output*, and export to the context.

        Raises:
            FlowFailure: either does not fit its schema, or an expression has no value.
        """
        if edge.output_as is not None:
            output = self.evaluate(edge.output_as, self.active.input, output, output=output)
        fit(edge.output_schema, output, self.task.reference)
        if edge.export_as is not None:
            self._export(edge.export_as, edge.export_schema, output)
        return output

    def _export(self, template: Template, schema: Schema | None, output: Json) -> None:
        context = self.evaluate(template, self.active.input, output, output=output)
        fit(schema, context, self.task.reference)
        if (bytes_ := size(context)) > MAX_CONTEXT:
            raise too_large("The context", bytes_, MAX_CONTEXT, self.task.reference)
        self.state.context = context

    def consume(self, ids: str, *, keep: Sequence[str] = ()) -> None:
        """
        Begin a new round of each listening loop around: its tasks are known by the event, not by how many came before.

        In a branch that is so for its own tasks alone: when another branch took an event says nothing about them.
        It is not so for the tasks at the paths *keep* and what is in them, which have begun that round already, or go
        on as they began.
        """
        state = self.state
        state.heard = ids
        if self.around.branch is not None:
            self.around.branch.heard = ids
        for loop in self.task.loops:
            self.around.consumed[self.loop(loop)] = ids
            state.visits = {
                path: count
                for path, count in state.visits.items()
                if not self._in_round(loop, path) or any(within(it, path.partition("[")[0]) for it in keep)
            }

    def _in_round(self, loop: Loop, path: str) -> bool:
        task, _, rounds = path.partition("[")
        here = located("", self.frame.rounds[: loop.depth])
        return loop.holds(task) and f"[{rounds}".startswith(here or "[") and within(self.around.prefix, task)


def fit(schema: Schema | None, value: Json, instance: str) -> None:
    """
    Hold that *value* fits *schema*, if there is one.

    Raises:
        FlowFailure: it does not.
    """
    if schema is not None and (wrong := schema.fault(value)) is not None:
        raise validation_failure(wrong, instance)


def within(prefix: str, path: str) -> bool:
    """Return whether the task at *path* is that at *prefix*, or stands in it."""
    return path == prefix or path.startswith(f"{prefix}/")


def located(path: str, rounds: Sequence[str]) -> str:
    """Return *path* in these rounds of the loops around."""
    return path + "".join(f"[{it}]" for it in rounds) if rounds else path


def sooner(first: Limit | None, second: Limit | None) -> Limit | None:
    """Return the limit that is over first; of equal ones *first*."""
    if first is None or second is None:
        return first or second
    return second if second.at < first.at else first


def workflow_variable(flow: CompiledFlow, state: InstanceState) -> JsonObject:
    """Return what expressions see as ``workflow``."""
    return {
        "id": state.instance,
        "definition": flow.descriptor,
        "input": state.input,
        "startedAt": {"iso8601": state.started_at.isoformat().replace("+00:00", "Z")},
    }


def root_scope(flow: CompiledFlow, state: InstanceState, order: Mapping[str, Json], **more: Json) -> dict[str, Json]:
    """Return the variables that the flow's own expressions see, outside any task."""
    given: dict[str, Json] = {
        "context": state.context,
        "order": dict(order),
        "workflow": workflow_variable(flow, state),
    }
    return {**given, **more}

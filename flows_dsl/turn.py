"""One task's turn: what its expressions see, the keys of its steps, and how much time it has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import cast

from flows_dsl.canonical import canonical
from flows_dsl.compiled import CompiledFlow, CompiledTask
from flows_dsl.durations import NotDuration, duration
from flows_dsl.expressions import Condition, ExpressionFailed, Template
from flows_dsl.frames import Active, Frame, InstanceState
from flows_dsl.problems import expression_failure
from flows_dsl.runner import Step, StepRunner
from orderloom.domain.model import Json, JsonObject


class TimeIsUp(Exception):
    """The timeout of a task is over; ``frame`` is the frame that is at it, or -1 for the whole flow."""

    def __init__(self, frame: int) -> None:
        super().__init__(frame)
        self.frame = frame


@dataclass(slots=True)
class Turn:
    """A task of an instance, at work."""

    flow: CompiledFlow
    state: InstanceState
    runner: StepRunner
    frame: Frame
    task: CompiledTask

    @property
    def active(self) -> Active:
        """Return what is remembered of the task."""
        if self.frame.active is None:
            self.frame.active = Active()
        return self.frame.active

    def step(self, suffix: str = "") -> Step:
        """Return the step that the task is at."""
        consumed = (self.state.consumed[it.id] for it in reversed(self.task.loops) if it.id in self.state.consumed)
        return Step(
            instance=self.state.instance,
            path=f"{self.task.path}{suffix}",
            visit=self.active.visit,
            generation=self.state.generations.get(self.task.path, 0),
            consumed=next(consumed, None),
        )

    def fault_step(self) -> Step:
        """Return the step of waiting for an operator: another one each time, whether or not the task is done again."""
        return self.step().model_copy(update={"generation": self.state.faults.get(self.task.path, 0)})

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

    def deadline(self) -> tuple[datetime, int] | None:
        """Return the earliest timeout that ends this turn, and the frame that is at the task it belongs to."""
        return earliest_deadline(self.state)

    def event_data(self, data: Template | None, input: Json) -> Json:
        """Return what an event's data must be equal to."""
        return None if data is None else canonical(self.evaluate(data, input))


def earliest_deadline(state: InstanceState) -> tuple[datetime, int] | None:
    """Return the earliest timeout under way, and the frame that is at its task; -1 stands for the whole flow."""
    found = [
        (frame.active.deadline, depth)
        for depth, frame in enumerate(state.frames)
        if frame.active is not None and frame.active.deadline is not None
    ]
    if state.deadline is not None:
        found.append((state.deadline, -1))
    return min(found, default=None)


def workflow_variable(flow: CompiledFlow, state: InstanceState) -> JsonObject:
    """Return what expressions see as ``workflow``."""
    return {
        "id": state.instance,
        "definition": flow.descriptor,
        "input": cast("Json", state.events),
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

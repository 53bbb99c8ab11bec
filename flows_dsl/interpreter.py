"""
Runs one instance of a flow, step by step, over a ``StepRunner``. Deterministic: no clock, no order but the document's.

All that it knows stands in ``InstanceState``: a stack of frames, one for each list of tasks under way. Whenever it
is blocked in ``next_event``, ``wait`` or ``fault``, that state may be dumped and go on in another ``FlowInstance``.
"""

from datetime import timedelta
from typing import Literal, cast

from flows_dsl.canonical import size
from flows_dsl.catching import catches, retry_at
from flows_dsl.compensating import close, path_of, undo
from flows_dsl.compiled import CONTINUE, END, EXIT, CompiledFlow, Try
from flows_dsl.durations import NotDuration, duration
from flows_dsl.executors import EXECUTORS, TIMED, Enter, Outcome
from flows_dsl.expressions import ExpressionFailed, Template
from flows_dsl.faulting import fault_of, go_to, retry, root_fault, skip
from flows_dsl.frames import Frame, InstanceState
from flows_dsl.problems import (
    CompensationAsked,
    FlowCancelled,
    FlowUndone,
    as_variable,
    expression_failure,
    timeout_failure,
    too_large,
)
from flows_dsl.runner import FlowFailure, Resolution, Step, StepRunner
from flows_dsl.turn import TimeIsUp, Turn, earliest_deadline, root_scope
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json, JsonObject

INTERPRETER_VERSION = 1
"""Raised whenever the same flow could do something else than before; part of a release's pin."""

MAX_CONTEXT = 32 * 1024
"""Bytes of the context."""


class FlowInstance:
    """One instance of a flow."""

    def __init__(self, flow: CompiledFlow, state: InstanceState, runner: StepRunner) -> None:
        assert state.flow == flow.hash, f"{state.instance} is no instance of {flow.label}"
        self._flow = flow
        self._runner = runner
        self.state = state

    async def run(self) -> Json:
        """
        Run to the end and return the flow's output.

        Raises:
            FlowCancelled: an operator ended it at an error.
            FlowUndone: an operator ended it, and what it had done is undone.
        """
        state = self.state
        while state.phase != "done":
            try:
                if state.fault is not None:
                    await self._resolve_root(state.fault)
                elif state.phase == "undo":
                    await self._undo()
                elif state.phase == "begin":
                    self._begin()
                elif state.phase == "end":
                    self._end()
                else:
                    await self._advance()
            except FlowFailure as failure:
                state.fault = failure.problem
            except CompensationAsked as asked:
                state.phase, state.frames, state.deadline = "undo", [], None
                state.undo = asked.exception
        return state.value

    async def _undo(self) -> None:
        await undo(self.state, self._runner)
        raise FlowUndone

    def _begin(self) -> None:
        state, flow = self.state, self._flow
        value: Json = cast("Json", state.events)
        state.value = self._root(flow.input_from, value, value)
        if flow.timeout is not None:
            state.deadline = state.started_at + self._allowed(flow.timeout)
        state.frames = [Frame(path="/do", input=state.value)]
        state.phase = "tasks"

    def _end(self) -> None:
        self.state.value = self._root(self._flow.output_as, self.state.value, self.state.value, output=self.state.value)
        self.state.phase = "done"

    def _root(self, template: Template | None, value: Json, input: Json, **more: Json) -> Json:
        """Evaluate an expression of the flow itself."""
        if template is None:
            return value
        scope = root_scope(self._flow, self.state, self._runner.order(), input=input, task={}, **more)
        try:
            return template.evaluate(scope, value)
        except ExpressionFailed as error:
            raise expression_failure(str(error), "") from None

    def _allowed(self, template: Template) -> timedelta:
        try:
            return duration(self._root(template, None, cast("Json", self.state.events)))
        except NotDuration as error:
            raise expression_failure(str(error), "") from None

    async def _resolve_root(self, problem: Problem) -> None:
        """Ask an operator about an error outside any task: retry evaluates again, skip sets the value."""
        state = self.state
        path = path_of(state) if state.phase == "undo" else ""
        step = Step(instance=state.instance, path=path, generation=state.generations.get(path, 0))
        decision = await self._runner.fault(step, root_fault(self._flow, state, problem, step.generation))
        state.fault = None
        state.generations[path] = step.generation + 1
        if decision.kind == "cancel":
            raise FlowCancelled(problem)
        if state.phase == "undo":
            self._resolve_undo(decision)
        elif decision.kind == "compensate":
            raise CompensationAsked(problem, decision.exception)
        elif decision.kind == "skip":
            state.value, state.deadline = decision.output, None
            state.phase = "done"
        else:
            self._resume_root(decision)

    def _resolve_undo(self, decision: Resolution) -> None:
        """Leave a call as it is, or try once more to undo it."""
        if decision.kind == "skip" and self.state.calls:
            close(self.state, "skipped")
        elif decision.kind == "skip":
            raise FlowUndone

    def _resume_root(self, decision: Resolution) -> None:
        state = self.state
        if decision.kind == "goto":
            state.frames = state.frames[:1] or [Frame(path="/do", input=state.value)]
            go_to(self._flow, state, state.frames, decision)
            state.phase = "tasks"
        if state.phase == "tasks" and self._flow.timeout is not None:
            state.deadline = self._runner.now() + self._allowed(self._flow.timeout)

    def _turn(self, depth: int) -> Turn:
        frame = self.state.frames[depth]
        task = self._flow.lists[frame.path].tasks[frame.index]
        return Turn(self._flow, self.state, self._runner, frame, task)

    async def _advance(self) -> None:
        """Do the next thing: go on with the task that the innermost frame is at, or leave its list."""
        frame = self.state.frames[-1]
        if frame.index >= len(self._flow.lists[frame.path].tasks):
            self._leave(frame.input)
            return
        turn = self._turn(-1)
        if frame.active is not None and frame.active.phase == "fault":
            await self._resolve(turn)
            return
        try:
            await self._work(turn)
        except TimeIsUp as up:
            self._expire(up.frame)
        except FlowFailure as failure:
            turn.active.tried += failure.attempts
            self._fail(failure.problem)

    async def _work(self, turn: Turn) -> None:
        if turn.frame.active is None or turn.active.phase == "ready":
            self._check_time()
            if not self._enter(turn):
                self._go(turn.frame, turn.frame.input, CONTINUE)
                return
        if turn.active.phase in {"run", "again"}:
            outcome: Outcome = await EXECUTORS[type(turn.task.body)](turn)
            if isinstance(outcome, Enter):
                self._push(turn.frame, outcome.path, outcome.role, {})
                return
            turn.active.output, turn.active.then = outcome.output, outcome.then
            turn.active.phase = "finish"
        output = self._finish(turn)
        self._go(turn.frame, output, self._direction(turn))

    def _check_time(self) -> None:
        limit = earliest_deadline(self.state)
        if limit is not None and limit[0] <= self._runner.now():
            raise TimeIsUp(limit[1])

    def _enter(self, turn: Turn) -> bool:
        """Begin a task; return whether it is to run at all."""
        frame, task, active = turn.frame, turn.task, turn.active
        if not active.entered:
            if not turn.holds(task.condition, frame.input):
                return False
            active.entered, active.visit = True, self.state.visits.get(task.path, 0)
            self.state.visits[task.path] = active.visit + 1
        active.input = frame.input if task.input_from is None else turn.evaluate(task.input_from, frame.input)
        if task.timeout is not None and isinstance(task.body, TIMED):
            active.deadline = turn.after(task.timeout, active.input)
        active.phase = "run"
        return True

    def _finish(self, turn: Turn) -> Json:
        """Return the task's output after ``output.as``, and export to the context."""
        active, task, state = turn.active, turn.task, self.state
        output = active.output
        if task.output_as is not None:
            output = turn.evaluate(task.output_as, active.input, output, output=output)
        if task.export_as is not None:
            context = turn.evaluate(task.export_as, active.input, output, output=output)
            if (bytes_ := size(context)) > MAX_CONTEXT:
                raise too_large("The context", bytes_, MAX_CONTEXT, task.reference)
            state.context = context
        return output

    @staticmethod
    def _direction(turn: Turn) -> str:
        then = turn.active.then
        return turn.task.then if then is None or (then == CONTINUE and turn.task.then != CONTINUE) else then

    def _go(self, frame: Frame, output: Json, then: str) -> None:
        """Leave the task that *frame* is at with *output* in the direction of *then*."""
        frame.active, frame.input = None, output
        if then == END:
            self.state.frames, self.state.deadline = [], None
            self.state.value, self.state.phase = output, "end"
        elif then == EXIT:
            self._leave(output)
        elif then == CONTINUE:
            frame.index += 1
        else:
            frame.index = self._flow.lists[frame.path].index[then]

    def _leave(self, output: Json) -> None:
        """End the innermost list: its output is that of the task it belongs to, or of the flow."""
        state = self.state
        state.frames.pop()
        if not state.frames:
            state.value, state.phase, state.deadline = output, "end", None
            return
        around = self._turn(-1).active
        around.output, around.phase, around.deadline = output, "finish", None

    def _push(self, frame: Frame, path: str, role: Literal["do", "try", "catch"], variables: JsonObject) -> None:
        assert frame.active is not None
        frame.active.phase = "inside"
        self.state.frames.append(
            Frame(path=path, role=role, input=frame.active.input, variables={**frame.variables, **variables})
        )

    def _expire(self, depth: int) -> None:
        """End what runs inside the task whose time is up, and let it fail."""
        if depth < 0:
            self.state.deadline = None
            self.state.fault = timeout_failure("").problem
            return
        del self.state.frames[depth + 1 :]
        turn = self._turn(-1)
        turn.active.deadline = None
        self._fail(timeout_failure(turn.task.reference).problem)

    def _fail(self, problem: Problem) -> None:
        """Hand *problem* to the nearest ``try`` around that catches it; else the task waits for an operator."""
        state = self.state
        if problem.instance is None:
            problem = problem.model_copy(update={"instance": self._turn(-1).task.reference})
        for depth in range(len(state.frames) - 1, 0, -1):
            if state.frames[depth].role != "try":
                continue
            around = self._turn(depth - 1)
            try:
                caught = catches(around, problem)
                if caught:
                    del state.frames[depth:]
                    self._handle(around, problem)
                    return
            except FlowFailure as failure:
                del state.frames[depth:]
                problem = failure.problem
        turn = self._turn(-1)
        turn.active.finished = turn.active.phase == "finish"
        turn.active.phase, turn.active.fault = "fault", problem

    def _handle(self, turn: Turn, problem: Problem) -> None:
        """Try again, or run the handler, or go on after the ``try``."""
        body, active = cast("Try", turn.task.body), turn.active
        until = retry_at(turn, problem)
        if until is not None:
            active.phase, active.until = "again", until
            active.attempt += 1
        elif body.handler is not None:
            self._push(turn.frame, body.handler, "catch", {body.variable: as_variable(problem)})
        else:
            active.phase, active.output = "finish", active.input

    async def _resolve(self, turn: Turn) -> None:
        """Raise a process exception for an error that nobody caught, and do what an operator decides."""
        active, state, path = turn.active, self.state, turn.task.path
        fault = fault_of(turn, state.frames)
        decision = await self._runner.fault(turn.fault_step(), fault)
        state.faults[path] = state.faults.get(path, 0) + 1
        active.fault = None
        match decision.kind:
            case "cancel":
                raise FlowCancelled(fault.problem)
            case "compensate":
                raise CompensationAsked(fault.problem, decision.exception)
            case "goto":
                go_to(self._flow, state, state.frames, decision)
            case "skip" if active.finished:
                self._go(turn.frame, decision.output, self._direction(turn))
            case "skip":
                skip(turn, decision)
            case "retry":
                retry(turn, decision)

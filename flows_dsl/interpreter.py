"""
Runs one instance of a flow, step by step, over a ``StepRunner``. Deterministic: no clock, no order but the document's.

All that it knows stands in ``InstanceState``: a tree of frames, one for each list of tasks under way. Whenever it is
blocked in ``next_event``, ``wait`` or ``fault``, that state may be dumped and go on in another ``FlowInstance``.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from flows_dsl.compensating import absorb, close, path_of, planned, undo
from flows_dsl.compiled import CompiledFlow
from flows_dsl.durations import NotDuration, duration
from flows_dsl.expressions import ExpressionFailed, Template
from flows_dsl.faulting import go_to, root_fault
from flows_dsl.frames import Frame, InstanceState
from flows_dsl.problems import CompensationAsked, FlowCancelled, FlowUndone, expression_failure, timeout_failure
from flows_dsl.runner import Compensation, FlowFailure, Observer, Resolution, Step, StepRunner
from flows_dsl.strand import Ended, Strand
from flows_dsl.turn import Limit, TimeIsUp, fit, root_scope, sooner
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json

INTERPRETER_VERSION = 1
"""Raised whenever the same flow could do something else than before; part of a release's pin."""


class FlowInstance:
    """One instance of a flow, or a flow that runs inside a task of another one."""

    def __init__(
        self,
        flow: CompiledFlow,
        state: InstanceState,
        runner: StepRunner,
        around: Strand | None = None,
        *,
        observe: Observer | None = None,
    ) -> None:
        """Take the flow, where it stands, what runs its steps, the strand it runs inside, and who wants to know."""
        assert state.flow == flow.hash, f"{state.instance} is no instance of {flow.label}"
        self.flow = flow
        self.state = state
        self.runner = runner
        self.observe = observe
        self._around = around
        self._strand: Strand | None = None
        self._stopping = False
        self._detached: list[asyncio.Task[None]] = []

    async def run(self) -> Json:
        """
        Run to the end and return the flow's output.

        Raises:
            FlowCancelled: an operator ended it at an error.
            FlowUndone: an operator ended it, and what it had done is undone.
            FlowFailure, Stopped: it runs inside a task, where that is seen to.
        """
        for state in list(self.state.detached.values()):
            self.detach(_inner(self.flow, state.flow), state)
        try:
            await self._to_the_end()
        except (FlowCancelled, FlowUndone):
            await self._detached_end()
            raise
        except BaseException:
            for task in self._detached:
                task.cancel()
            raise
        finally:
            if self._around is not None:
                absorb(self.state, self._around.state)
        await self._detached_end()
        return self.state.value

    async def _to_the_end(self) -> None:
        state = self.state
        while state.phase != "done":
            try:
                await self._next_phase()
            except FlowFailure as failure:
                if self._around is not None:
                    raise
                state.fault = failure.problem
            except CompensationAsked as asked:
                if self._around is not None:
                    raise
                state.phase, state.frames, state.deadline = "undo", [], None
                state.undo = asked.exception

    async def _next_phase(self) -> None:
        state = self.state
        if state.fault is not None:
            await self._resolve(state.fault)
        elif state.phase == "undo":
            await undo(state, self.runner)
            raise FlowUndone
        elif state.phase == "begin":
            self._begin()
        elif state.phase == "end":
            self._end()
        else:
            await self._tasks()

    def _begin(self) -> None:
        state, flow = self.state, self.flow
        fit(flow.input_schema, state.input, "")
        state.value = self._root(flow.input_from, state.input, state.input)
        if flow.timeout is not None:
            state.deadline = state.started_at + self._allowed(flow.timeout)
        state.frames = [Frame(path="/do", input=state.value)]
        state.phase = "tasks"

    async def _tasks(self) -> None:
        state = self.state
        self._strand = Strand(self, state.frames, self)
        if self._stopping:
            self._strand.stop()
        try:
            output = await self._strand.run()
        except Ended as ended:
            output = ended.output
        except TimeIsUp as up:
            if up.limit.owner is not self:
                raise
            state.deadline = None
            raise timeout_failure("") from None
        finally:
            self._strand = None
        state.frames, state.deadline = [], None
        state.value, state.phase = output, "end"

    def _end(self) -> None:
        state = self.state
        output = self._root(self.flow.output_as, state.value, state.value, output=state.value)
        fit(self.flow.output_schema, output, "")
        state.value, state.phase = output, "done"

    def _root(self, template: Template | None, value: Json, input: Json, **more: Json) -> Json:
        """Evaluate an expression of the flow itself."""
        if template is None:
            return value
        scope = root_scope(self.flow, self.state, self.runner.order(), input=input, task={}, **more)
        try:
            return template.evaluate(scope, value)
        except ExpressionFailed as error:
            raise expression_failure(str(error), "") from None

    def _allowed(self, template: Template) -> timedelta:
        try:
            return duration(self._root(template, None, self.state.input))
        except NotDuration as error:
            raise expression_failure(str(error), "") from None

    async def _resolve(self, problem: Problem) -> None:
        """Ask an operator about an error outside any task: retry evaluates again, skip sets the value."""
        state = self.state
        path = path_of(state) if state.phase == "undo" else ""
        step = Step(instance=state.instance, path=path, generation=state.generations.get(path, 0))
        decision = await self.runner.fault(step, root_fault(self.flow, state, problem, step.generation, self.planned()))
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
            self._resume(decision)

    def _resolve_undo(self, decision: Resolution) -> None:
        """Leave a call as it is, or try once more to undo it."""
        if decision.kind == "skip" and self.state.calls:
            close(self.state, "skipped")
        elif decision.kind == "skip":
            raise FlowUndone

    def _resume(self, decision: Resolution) -> None:
        state = self.state
        if decision.kind == "goto":
            state.frames = state.frames[:1] or [Frame(path="/do", input=state.value)]
            go_to(self.flow, state, state.frames, decision)
            state.phase = "tasks"
        if state.phase == "tasks" and self.flow.timeout is not None:
            state.deadline = self.runner.now() + self._allowed(self.flow.timeout)

    # What stands around the tasks.

    def limit(self) -> Limit | None:
        """Return the timeout that is over first, of the flow and of all around it."""
        found = self._around.limit() if self._around is not None else None
        return found if self.state.deadline is None else sooner(found, Limit(self.state.deadline, self))

    def catches(self, problem: Problem) -> bool:
        """Return whether something around the flow catches *problem*."""
        return self._around is not None and self._around.catches(problem)

    def noted(self, call: str) -> None:
        """Take note of a call that was done."""
        if self._around is not None:
            self._around.noted(f"{self.state.instance}{call}".removeprefix(self._around.state.instance))

    def planned(self) -> tuple[Compensation, ...]:
        """Return what undoing would do, the latest call first: what this flow has done, then the flows around it."""
        return planned(self.state) + (() if self._around is None else self._around.instance.planned())

    def within(self, flow: CompiledFlow, state: InstanceState, around: Strand) -> "FlowInstance":
        """Return the flow that runs inside a task of this one."""
        return FlowInstance(flow, state, self.runner, around, observe=self.observe)

    def stop(self) -> None:
        """Do no more than what must come to its end, and then raise ``Stopped``."""
        self._stopping = True
        if self._strand is not None:
            self._strand.stop()

    def must_end(self) -> bool:
        """Return whether something is under way that must come to its end."""
        return self._strand is not None and self._strand.must_end()

    # Flows that nobody waits for.

    def detach(self, flow: CompiledFlow, state: InstanceState) -> None:
        """Let the flow that stands in *state* run beside all tasks; the outermost instance ends when it has ended."""
        if self._around is not None:
            self._around.detach(flow, state)
            return
        self.state.detached[state.instance] = state
        self._detached.append(asyncio.create_task(self._run_detached(flow, state)))

    async def _run_detached(self, flow: CompiledFlow, state: InstanceState) -> None:
        with suppress(FlowCancelled, FlowUndone):  # an operator ended it; the others go on
            await FlowInstance(flow, state, self.runner, observe=self.observe).run()
        del self.state.detached[state.instance]

    async def _detached_end(self) -> None:
        await asyncio.gather(*self._detached)


def _inner(flow: CompiledFlow, hash: str) -> CompiledFlow:
    """Return the flow with this hash among those that *flow* runs, at any depth."""
    for inner in flow.inner.values():
        if inner.hash == hash:
            return inner
        with suppress(LookupError):
            return _inner(inner, hash)
    raise LookupError(hash)

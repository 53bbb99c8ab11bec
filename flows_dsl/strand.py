"""
Does the tasks of one strand, one after another: those of a flow, or of a branch of a fork.

A strand is a stack of frames, one for each list of tasks under way. What stands around it, other strands and flows,
may end it by a timeout, by catching its error, or because another branch was faster.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

from flows_dsl.branches import Branches, Stopped
from flows_dsl.catching import catches, retry_at
from flows_dsl.compiled import CONTINUE, END, EXIT, CompiledFlow, Try
from flows_dsl.executors import EXECUTORS, TIMED, Enter, Outcome
from flows_dsl.faulting import fault_of, go_to, retry, skip
from flows_dsl.frames import Branch, Frame, InstanceState
from flows_dsl.problems import (
    CompensationAsked,
    FlowCancelled,
    as_variable,
    timeout_failure,
)
from flows_dsl.runner import FlowFailure, StepRunner, TaskEventKind
from flows_dsl.turn import Limit, TimeIsUp, Turn, sooner
from orderloom.domain.errors import Problem
from orderloom.domain.model import Json

if TYPE_CHECKING:
    from flows_dsl.interpreter import FlowInstance


class Ended(Exception):
    """A task said that the whole flow ends, with this output."""

    def __init__(self, output: Json) -> None:
        super().__init__()
        self.output = output


class Outer(Protocol):
    """What stands around a strand: another strand, or the instance of its flow."""

    def limit(self) -> Limit | None:
        """Return the timeout that is over first."""
        ...

    def catches(self, problem: Problem) -> bool:
        """Return whether an error that leaves the strand is caught, or taken over in another way."""
        ...

    def noted(self, call: str) -> None:
        """Take note of a call that was done."""
        ...


class Strand:
    """One stack of frames at work."""

    def __init__(
        self, instance: "FlowInstance", frames: list[Frame], outer: Outer, branch: Branch | None = None
    ) -> None:
        """Take the instance that it belongs to, where it stands, and what is around it."""
        self.instance = instance
        self.frames = frames
        self.branch = branch
        self._prefix = f"{frames[0].path}/{frames[0].index}" if branch is not None and frames else "/do"
        self.outer = outer
        self.output: Json = None
        self._stopping = False
        self._forked: Branches | None = None
        self._inner: FlowInstance | None = None

    @property
    def flow(self) -> CompiledFlow:
        """Return the flow that it runs."""
        return self.instance.flow

    @property
    def state(self) -> InstanceState:
        """Return the state of the instance."""
        return self.instance.state

    @property
    def runner(self) -> StepRunner:
        """Return what runs its steps."""
        return self.instance.runner

    @property
    def consumed(self) -> dict[str, str]:
        """The event that each listening loop consumed last, as far as this strand is concerned."""
        return self.state.consumed if self.branch is None else self.branch.consumed

    @property
    def prefix(self) -> str:
        """The path that all of its tasks have in common."""
        return self._prefix

    async def run(self) -> Json:
        """
        Do tasks until the outermost list is left, and return its output.

        Raises:
            Ended: a task ends the whole flow.
            Stopped: it was told to stop.
            FlowFailure, TimeIsUp: something around it takes over.
            FlowCancelled: an operator ended the instance.
        """
        while self.frames:
            if self._stopping and not self._has_begun():
                raise Stopped
            await self._advance()
        return self.output

    def stop(self) -> None:
        """Do no more than what must come to its end, and then raise ``Stopped``."""
        if not self._stopping:
            self._cancelled(self.frames)
        self._stopping = True
        if self._forked is not None:
            self._forked.stop()
        if self._inner is not None:
            self._inner.stop()

    def must_end(self) -> bool:
        """Return whether something is under way that must come to its end: a call, or branches that have one."""
        if self._inner is not None:
            return self._inner.must_end()
        return self._forked is not None or self._has_begun()

    def _has_begun(self) -> bool:
        active = self.frames[-1].active if self.frames else None
        if active is None or active.phase != "run":
            return False
        return active.asked is not None or bool(active.branches) or active.child is not None

    def limit(self) -> Limit | None:
        """Return the timeout that is over first, of the tasks of this strand and of all around it."""
        found = self.outer.limit()
        for depth, frame in enumerate(self.frames):
            if frame.active is not None and frame.active.deadline is not None:
                found = sooner(found, Limit(frame.active.deadline, self, depth))
        return found

    def noted(self, call: str) -> None:
        """Take note of a call that was done."""
        if self.branch is not None:
            self.branch.calls = [*(it for it in self.branch.calls if it != call), call]
        self.outer.noted(call)

    def catches(self, problem: Problem) -> bool:
        """Return whether a ``try`` around the task that the strand is at catches *problem*, here or further out."""
        for depth in range(len(self.frames) - 1, 0, -1):
            if self.frames[depth].role == "try":
                try:
                    if catches(self._turn(depth - 1), problem):
                        return True
                except FlowFailure:
                    return True  # that error takes the place of this one
        return self.outer.catches(problem)

    def _turn(self, depth: int) -> Turn:
        frame = self.frames[depth]
        task = self.flow.lists[frame.path].tasks[frame.index]
        return Turn(self.flow, self.state, self.runner, frame, task, self)

    def _tell(self, frame: Frame, event: TaskEventKind) -> None:
        if self.instance.observe is not None:
            task = self.flow.lists[frame.path].tasks[frame.index]
            self.instance.observe(task.name, task.reference, event)

    def _cancelled(self, frames: Sequence[Frame]) -> None:
        """Tell that the tasks that *frames* are at do not go on, the innermost first."""
        for frame in reversed(frames):
            if frame.active is not None:
                self._tell(frame, "cancelled")

    async def _advance(self) -> None:
        """Do the next thing: go on with the task that the innermost frame is at, or leave its list."""
        frame = self.frames[-1]
        if frame.index >= len(self.flow.lists[frame.path].tasks):
            self._leave(frame.input)
            return
        turn = self._turn(-1)
        if frame.active is not None and frame.active.phase == "fault":
            await self._resolve(turn)
            return
        try:
            await self._work(turn)
        except TimeIsUp as up:
            if up.limit.owner is not self:
                raise
            self._expire(up.limit.depth)
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
                self._push(turn.frame, outcome)
                return
            turn.active.output, turn.active.then = outcome.output, outcome.then
            turn.active.phase = "finish"
        output = turn.handed_on(turn.task, turn.active.output)
        self._go(turn.frame, output, self._direction(turn))

    def _check_time(self) -> None:
        limit = self.limit()
        if limit is not None and limit.at <= self.runner.now():
            raise TimeIsUp(limit)

    def _enter(self, turn: Turn) -> bool:
        """Begin a task; return whether it is to run at all."""
        frame, task, active = turn.frame, turn.task, turn.active
        if not active.entered:
            if not turn.holds(task.condition, frame.input):
                return False
            self._tell(frame, "started")
            active.entered, active.visit = True, self.state.visits.get(turn.where, 0)
            self.state.visits[turn.where] = active.visit + 1
        active.input = turn.taken(frame.input)
        if task.timeout is not None and isinstance(task.body, TIMED):
            active.deadline = turn.timeout(task.timeout, active.input)
        active.phase = "run"
        return True

    @staticmethod
    def _direction(turn: Turn) -> str:
        then = turn.active.then
        return turn.task.then if then is None or (then == CONTINUE and turn.task.then != CONTINUE) else then

    def _go(self, frame: Frame, output: Json, then: str) -> None:
        """Leave the task that *frame* is at with *output* in the direction of *then*."""
        if frame.active is not None and frame.active.entered:
            self._tell(frame, "completed")
        if then == END:
            raise Ended(output)
        frame.active, frame.input = None, output
        if then == EXIT or frame.role == "branch":
            self._leave(output)
        elif then == CONTINUE:
            frame.index += 1
        else:
            frame.index = self.flow.lists[frame.path].index[then]

    def _leave(self, output: Json) -> None:
        """End the innermost list: its output is that of the task it belongs to, or of the strand."""
        left = self.frames.pop()
        if not self.frames:
            self.output = output
            return
        around = self._turn(-1).active
        around.output = output
        if left.role in {"for", "foreach"}:
            around.phase = "run"  # which asks for the next round
        else:
            around.phase, around.deadline = "finish", None

    def _push(self, frame: Frame, into: Enter) -> None:
        assert frame.active is not None
        frame.active.phase = "inside"
        self.frames.append(
            Frame(
                path=into.path,
                role=into.role,
                rounds=[*frame.rounds, into.round] if into.round is not None else frame.rounds,
                input=frame.active.input if into.input is None else into.input[0],
                variables={**frame.variables, **into.variables},
            )
        )

    def _expire(self, depth: int) -> None:
        """End what runs inside the task whose time is up, and let it fail."""
        self._cancelled(self.frames[depth + 1 :])
        del self.frames[depth + 1 :]
        turn = self._turn(-1)
        turn.active.deadline = None
        self._fail(timeout_failure(turn.task.reference).problem)

    def _fail(self, problem: Problem) -> None:
        """Hand *problem* to the nearest ``try`` of the strand that catches it; else it stays with the task."""
        frames = self.frames
        if problem.instance is None:
            problem = problem.model_copy(update={"instance": self._turn(-1).task.reference})
        self._tell(frames[-1], "faulted")
        for depth in range(len(frames) - 1, 0, -1):
            if frames[depth].role != "try":
                continue
            around = self._turn(depth - 1)
            try:
                caught = catches(around, problem)
                if caught:
                    del frames[depth:]
                    self._handle(around, problem)
                    return
            except FlowFailure as failure:
                del frames[depth:]
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
            self._tell(turn.frame, "retried")
        elif body.handler is not None:
            self._push(turn.frame, Enter(body.handler, "catch", {body.variable: as_variable(problem)}))
        else:
            active.phase, active.output = "finish", active.input

    async def _resolve(self, turn: Turn) -> None:
        """
        Hand an error on to what stands around the strand, if that catches it; else ask an operator.

        Raises:
            FlowFailure: it is caught outside of the strand.
            FlowCancelled: an operator ended the instance.
        """
        active, state = turn.active, self.state
        assert active.fault is not None
        if self.outer.catches(active.fault):
            raise FlowFailure(active.fault)
        fault = fault_of(turn, self.frames, self.instance.planned())
        self._tell(turn.frame, "suspended")
        decision = await self.runner.fault(turn.fault_step(), fault)
        self._tell(turn.frame, "resumed")
        state.faults[turn.where] = state.faults.get(turn.where, 0) + 1
        active.fault = None
        match decision.kind:
            case "cancel":
                raise FlowCancelled(fault.problem)
            case "compensate":
                raise CompensationAsked(fault.problem, decision.exception)
            case "goto":
                go_to(self.flow, state, self.frames, decision)
            case "skip" if active.finished:
                self._go(turn.frame, decision.output, self._direction(turn))
            case "skip":
                skip(turn, decision)
            case "retry":
                retry(turn, decision)

    async def fork(self, branches: Sequence[Branch], *, compete: bool) -> None:
        """
        Run *branches* beside each other to their ends; with *compete* until one of them has won.

        Raises:
            Stopped: this strand was told to stop; all of them have.
        """
        strands = [Strand(self.instance, branch.frames, self, branch) for branch in branches]
        self._forked = Branches(branches, strands, compete=compete)
        if self._stopping:
            self._forked.stop()
        try:
            await self._forked.run()
        finally:
            self._forked = None
        if self._stopping:
            raise Stopped

    async def inside(self, flow: CompiledFlow, state: InstanceState) -> Json:
        """
        Run the flow that stands in *state* to its end, and return its output.

        Raises:
            Stopped: this strand was told to stop; it has.
        """
        self._inner = self.instance.within(flow, state, self)
        if self._stopping:
            self._inner.stop()
        try:
            return await self._inner.run()
        finally:
            self._inner = None

    def detach(self, flow: CompiledFlow, state: InstanceState) -> None:
        """Let the flow that stands in *state* run beside everything else of the instance."""
        self.instance.detach(flow, state)

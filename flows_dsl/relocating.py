"""Finds the place of an instance's state in another version of its flow, by the names of tasks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from flows_dsl.addresses import Address, Addresses, shown, translated
from flows_dsl.compiled import DIRECTIVES, CompiledFlow, CompiledTask, Fork, Listen, RunFlow
from flows_dsl.frames import Active, Branch, Frame, InstanceState, State
from flows_dsl.turn import located
from orderloom.domain.errors import OrderloomError

STATE = frozenset({
    "flow", "instance", "events", "inside", "given", "started_at", "phase", "frames", "value", "context", "deadline",
    "fault", "visits", "generations", "calls", "undone", "undo", "faults", "consumed", "heard", "detached",
})  # fmt: skip
FRAME = frozenset({"path", "role", "rounds", "index", "input", "variables", "active"})
ACTIVE = frozenset({
    "phase", "entered", "visit", "input", "deadline", "until", "received", "attempt", "failed_at", "output", "then",
    "tried", "called", "asked", "arguments", "fault", "finished", "items", "visited", "at", "collected", "handling",
    "ending", "branches", "child",
})  # fmt: skip
BRANCH = frozenset({"phase", "frames", "output", "calls", "consumed", "heard"})
"""The parts of a state that are known here. One with others is not moved."""


class MoveRefused(OrderloomError):
    """The order cannot be moved to that release: an instance of a flow has no place there.

    Let it go on until it has left the task that is named, or put the task back into the flow, under its name.
    """

    code = "release.move_refused"
    status = 409


class Relocation:
    """The way of one instance from its flow to another version of that."""

    def __init__(self, old: CompiledFlow, new: CompiledFlow, state: InstanceState, moves: int) -> None:
        """Take both flows, where the instance stands, and how often it was moved before."""
        self._old, self._new = old, new
        self._from, self._to = Addresses(old), Addresses(new)
        self._state = state
        self._mark = f"/^{moves}"
        """What it did, and what it runs, under its old id is not what the same path may do or run under the new one."""
        self._instance = ""
        self._loops: dict[str, str] = {}

    def moved(self, instance: str) -> InstanceState:
        """
        Return the state as it goes on under the id *instance*.

        Raises:
            MoveRefused: it has no place in the other flow.
        """
        state, self._instance = self._state, instance
        if state.phase == "undo":
            raise self._stays("is undoing what it did")
        self._require_known(state, STATE)
        frames = self._frames(state.frames)
        changed = {
            "flow": self._new.hash,
            "instance": instance,
            "frames": frames,
            "visits": translated(state.visits, self._from, self._to),
            "generations": translated(state.generations, self._from, self._to),
            "faults": translated(state.faults, self._from, self._to),
            "consumed": self._consumed(state.consumed),
            "calls": [replace(call, key=self._mark + call.key) for call in state.calls],
            "detached": {moved.instance: moved for moved in self._detached(state)},
        }
        return replace(state, **changed)

    def _frames(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return a strand's frames; on the way the loops around are learned by their new names."""
        return [self._frame(frame) for frame in frames]

    def _frame(self, frame: Frame) -> Frame:
        self._require_known(frame, FRAME)
        tasks = self._old.lists[frame.path].tasks
        if frame.index >= len(tasks):
            address = self._from.of_list(frame.path)
            if address is None or address not in self._to.lists:
                raise self._refused(frame.path, "is gone")
            path = self._to.lists[address]
            return replace(frame, path=path, index=len(self._new.lists[path].tasks))
        task = tasks[frame.index]
        found = self._same(task)
        self._learn_loops(task, found, frame)
        path, _, index = found.path.rpartition("/")
        active = None if frame.active is None else self._active(task, found, frame.active)
        return replace(frame, path=path, index=int(index), active=active)

    def _same(self, task: CompiledTask) -> CompiledTask:
        address = self._from.of_task(task.path)
        if address is None or address not in self._to.tasks:
            raise self._refused(task.path, "is gone")
        found = self._to.tasks[address]
        if type(found.body) is not type(task.body):
            raise self._refused(task.path, "is of another kind")
        return found

    def _active(self, task: CompiledTask, found: CompiledTask, active: Active) -> Active:
        self._require_known(active, ACTIVE)
        names = self._new.lists[found.path.rpartition("/")[0]].index
        if active.then is not None and active.then not in DIRECTIVES and active.then not in names:
            raise self._refused(task.path, f"leads to {active.then!r}, which is gone")
        changed: dict[str, object] = {}
        match task.body, found.body:
            case Listen() as old, Listen() as new:
                if _partly_heard(active) and _filters(old) != _filters(new):
                    raise self._refused(task.path, "listens for other events than those it has got some of")
            case Fork() as old, Fork() as new if active.branches:
                changed["branches"] = self._branches(task, old, new, active.branches)
            case RunFlow() as old, RunFlow() as new if active.child is not None:
                changed["child"] = self._inner(self._old.inner[old.flow], self._new.inner[new.flow], active.child)
            case _:
                pass
        return replace(active, **changed)

    def _branches(self, task: CompiledTask, old: Fork, new: Fork, branches: Sequence[Branch]) -> list[Branch]:
        """Return the branches in the order of the new flow: the same ones, by name."""
        before = [each.name for each in self._old.lists[old.path].tasks]
        after = [each.name for each in self._new.lists[new.path].tasks]
        if old.compete != new.compete or sorted(before) != sorted(after):
            raise self._refused(task.path, "has other branches")
        by_name = dict(zip(before, branches, strict=True))
        return [self._branch(by_name[name]) for name in after]

    def _branch(self, branch: Branch) -> Branch:
        self._require_known(branch, BRANCH)
        frames = self._frames(branch.frames)
        calls = [self._mark + key for key in branch.calls]
        return replace(branch, frames=frames, calls=calls, consumed=self._consumed(branch.consumed))

    def _detached(self, state: InstanceState) -> Iterator[InstanceState]:
        """Yield the flows that run beside the instance, each in the flow of its name that the new one runs."""
        by_hash = {flow.hash: flow for flow in self._old.inner.values()}
        by_name = {flow.name: flow for flow in self._new.inner.values()}
        for inner in state.detached.values():
            old = by_hash[inner.flow]
            if old.name not in by_name:
                raise self._stays(f"runs {old.label}, which {self._new.label} does not run")
            yield self._inner(old, by_name[old.name], inner)

    def _inner(self, old: CompiledFlow, new: CompiledFlow, inner: InstanceState) -> InstanceState:
        instance = self._instance + self._mark + inner.instance.removeprefix(self._state.instance)
        moves = int(self._mark.removeprefix("/^"))
        return Relocation(old, new, inner, moves).moved(instance)

    def _learn_loops(self, task: CompiledTask, found: CompiledTask, frame: Frame) -> None:
        """Note what the listening loop of the frame's own list is called in the new flow, if both are in one."""
        old = [loop for loop in task.loops if loop.list_path == task.path.rpartition("/")[0]]
        new = [loop for loop in found.loops if loop.list_path == found.path.rpartition("/")[0]]
        for before, after in zip(old, new, strict=False):
            name = located(before.id, frame.rounds[: before.depth])
            self._loops[name] = located(after.id, frame.rounds[: after.depth])

    def _consumed(self, consumed: Mapping[str, str]) -> dict[str, str]:
        return {self._loops[name]: event for name, event in consumed.items() if name in self._loops}

    def _require_known(self, part: State, known: frozenset[str]) -> None:
        """Refuse a part of which nothing here says what becomes of it."""
        if unknown := sorted(part.dump().keys() - known):
            raise self._stays(f"is where it cannot be moved ({', '.join(unknown)})")

    def _stays(self, why: str) -> MoveRefused:
        detail = f"An instance of {self._old.label} {why}."
        return MoveRefused(detail, flow=self._old.label, instance=self._state.instance)

    def _refused(self, path: str, why: str) -> MoveRefused:
        address: Address = self._from.of_task(path) or self._from.of_list(path) or ()
        name = shown(address)
        detail = f"An instance of {self._old.label} stands at {name!r}, which {why} in {self._new.label}."
        return MoveRefused(detail, flow=self._old.label, task=name, instance=self._state.instance)


def _partly_heard(active: Active) -> bool:
    return any(active.received) or any(active.ending)


def _filters(listen: Listen) -> list[str]:
    ends = [] if listen.ends is None else [f"until {match.type}" for match in listen.ends.filters]
    return [match.type for match in listen.filters] + ends

"""Moves a waiting instance to another version of its flow: it keeps its place by the names of its tasks."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from flows_dsl.addresses import Address, Addresses, shown, translated
from flows_dsl.compiled import DIRECTIVES, CompiledFlow, CompiledTask, Listen
from flows_dsl.frames import Frame, InstanceState
from orderloom.contracts.moving import MovedTask, Whereabouts, instance_id
from orderloom.domain.errors import OrderloomError

_STATE = frozenset({
    "flow", "instance", "events", "started_at", "phase", "frames", "value", "context", "deadline", "fault",
    "visits", "generations", "calls", "undone", "undo", "faults", "consumed", "heard",
})  # fmt: skip
_FRAME = frozenset({"path", "role", "index", "input", "variables", "active"})
_ACTIVE = frozenset({
    "phase", "entered", "visit", "input", "deadline", "until", "received", "attempt", "failed_at", "output", "then",
    "tried", "called", "asked", "arguments", "fault", "finished",
})  # fmt: skip
"""The parts of a state that moving knows what to do with."""


class MoveRefused(OrderloomError):
    """The order cannot be moved to that release: an instance of a flow has no place there.

    Let it go on until it has left the task that is named, or put the task back into the flow, under its name.
    """

    code = "release.move_refused"
    status = 409


def move(
    whereabouts: Sequence[Whereabouts], known: Mapping[str, CompiledFlow], target: Sequence[str]
) -> list[Whereabouts]:
    """
    Return all instances as they go on in another release.

    Args:
        whereabouts: the instances, each at a quiet point.
        known: the flows of the instances and of the release, by hash.
        target: hashes of the release's flows.

    Raises:
        MoveRefused: one has no place there. Then none is moved.
    """
    by_name = {known[hash].name: known[hash] for hash in target}
    return [one if one.flow in target else _move(one, known[one.flow], by_name) for one in whereabouts]


def _move(one: Whereabouts, old: CompiledFlow, by_name: Mapping[str, CompiledFlow]) -> Whereabouts:
    if old.name not in by_name:
        raise MoveRefused(f"The release has no flow {old.name!r}.", flow=old.label, instance=one.instance)
    new, moves = by_name[old.name], one.moves + 1
    state = None
    if one.state is not None:
        instance = instance_id(one.event.id, new.hash, moves)
        moved = _Move(old, new, InstanceState.model_validate(one.state), one.moves).state(instance)
        state = moved.model_dump(mode="json", exclude_defaults=True)
    return one.model_copy(update={"flow": new.hash, "moves": moves, "state": state})


def moved_task(one: Whereabouts, known: Mapping[str, CompiledFlow], target: Sequence[str]) -> MovedTask:
    """Return where an instance stands, and the flow of the release that it would go on in."""
    flow = known[one.flow]
    to = next((known[hash] for hash in target if known[hash].name == flow.name), flow)
    return MovedTask(flow=flow.label, to=to.label, task=task_of(one, flow))


def task_of(one: Whereabouts, flow: CompiledFlow) -> str | None:
    """Return the task that an instance stands at, for people."""
    state = InstanceState.model_validate(one.state) if one.state is not None else None
    if state is None or not state.frames:
        return None
    frame = state.frames[-1]
    tasks = flow.lists[frame.path].tasks
    if frame.index >= len(tasks):
        return None
    address = Addresses(flow).of_task(tasks[frame.index].path)
    return None if address is None else shown(address)


class _Move:
    def __init__(self, old: CompiledFlow, new: CompiledFlow, state: InstanceState, moves: int) -> None:
        self._old, self._new = old, new
        self._from, self._to = Addresses(old), Addresses(new)
        self._state = state
        self._moves = moves

    def state(self, instance: str) -> InstanceState:
        state = self._state
        if state.phase == "undo":
            raise self._stays("is undoing what it did")
        self._require_known(state)
        frames = [self._frame(frame) for frame in state.frames]
        changed = {
            "flow": self._new.hash,
            "instance": instance,
            "frames": frames,
            "visits": translated(state.visits, self._from, self._to),
            "generations": translated(state.generations, self._from, self._to),
            "faults": translated(state.faults, self._from, self._to),
            "consumed": self._consumed(frames),
            # What it did under its old id is not what the same path may do under the new one.
            "calls": [call.model_copy(update={"key": f"/^{self._moves}{call.key}"}) for call in state.calls],
        }
        return state.model_copy(update=changed)

    def _require_known(self, state: InstanceState) -> None:
        """Refuse a state with a part of which nothing here says what becomes of it."""
        parts: list[tuple[BaseModel, frozenset[str]]] = [(state, _STATE)]
        parts += [(frame, _FRAME) for frame in state.frames]
        parts += [(frame.active, _ACTIVE) for frame in state.frames if frame.active is not None]
        for part, known in parts:
            if unknown := sorted(part.model_dump(exclude_defaults=True).keys() - known):
                raise self._stays(f"is where it cannot be moved ({', '.join(unknown)})")

    def _stays(self, why: str) -> MoveRefused:
        detail = f"An instance of {self._old.label} {why}."
        return MoveRefused(detail, flow=self._old.label, instance=self._state.instance)

    def _frame(self, frame: Frame) -> Frame:
        tasks = self._old.lists[frame.path].tasks
        if frame.index >= len(tasks):
            address = self._from.of_list(frame.path)
            if address is None or address not in self._to.lists:
                raise self._refused(frame.path, "is gone")
            path = self._to.lists[address]
            return frame.model_copy(update={"path": path, "index": len(self._new.lists[path].tasks)})
        task = tasks[frame.index]
        found = self._same(task, frame)
        path, _, index = found.path.rpartition("/")
        then = None if frame.active is None else frame.active.then
        if then is not None and then not in DIRECTIVES and then not in self._new.lists[path].index:
            raise self._refused(task.path, f"leads to {then!r}, which is gone")
        return frame.model_copy(update={"path": path, "index": int(index)})

    def _same(self, task: CompiledTask, frame: Frame) -> CompiledTask:
        address = self._from.of_task(task.path)
        if address is None or address not in self._to.tasks:
            raise self._refused(task.path, "is gone")
        found = self._to.tasks[address]
        if type(found.body) is not type(task.body):
            raise self._refused(task.path, "is of another kind")
        received = frame.active is not None and any(frame.active.received)
        if received and isinstance(found.body, Listen) and isinstance(task.body, Listen):
            before, after = ([match.type for match in body.filters] for body in (task.body, found.body))
            if before != after:
                raise self._refused(task.path, "listens for other events than those it has got some of")
        return found

    def _refused(self, path: str, why: str) -> MoveRefused:
        address: Address = self._from.of_task(path) or self._from.of_list(path) or ()
        name = shown(address)
        detail = f"An instance of {self._old.label} stands at {name!r}, which {why} in {self._new.label}."
        return MoveRefused(detail, flow=self._old.label, task=name, instance=self._state.instance)

    def _consumed(self, frames: Sequence[Frame]) -> dict[str, str]:
        """Return the events that loops consumed last under the loops' new names, as far as they are under way."""
        found: dict[str, str] = {}
        for before, after in zip(self._state.frames, frames, strict=True):
            old, new = _loop(self._old, before), _loop(self._new, after)
            if old is not None and new is not None and old in self._state.consumed:
                found[new] = self._state.consumed[old]
        return found


def _loop(flow: CompiledFlow, frame: Frame) -> str | None:
    """Return the listening loop of the frame's own list that it is in, if it is in one."""
    tasks = flow.lists[frame.path].tasks
    if frame.index >= len(tasks):
        return None
    return next((loop.id for loop in tasks[frame.index].loops if loop.list_path == frame.path), None)

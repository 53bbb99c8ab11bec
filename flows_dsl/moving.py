"""Moves a waiting instance to another version of its flow: it keeps its place by the names of its tasks."""

from collections.abc import Mapping, Sequence

from flows_dsl.addresses import Addresses, shown
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import InstanceState
from flows_dsl.relocating import MoveRefused, Relocation
from orderloom.contracts.moving import MovedTask, Whereabouts, instance_id

__all__ = ["MoveRefused", "move", "moved_task", "task_of"]


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
        moved = Relocation(old, new, InstanceState.load(one.state), one.moves).moved(instance)
        state = moved.dump()
    return one.model_copy(update={"flow": new.hash, "moves": moves, "state": state})


def moved_task(one: Whereabouts, known: Mapping[str, CompiledFlow], target: Sequence[str]) -> MovedTask:
    """Return where an instance stands, and the flow of the release that it would go on in."""
    flow = known[one.flow]
    to = next((known[hash] for hash in target if known[hash].name == flow.name), flow)
    return MovedTask(flow=flow.label, to=to.label, task=task_of(one, flow))


def task_of(one: Whereabouts, flow: CompiledFlow) -> str | None:
    """Return the task that an instance stands at, for people."""
    state = InstanceState.load(one.state) if one.state is not None else None
    if state is None or not state.frames:
        return None
    frame = state.frames[-1]
    tasks = flow.lists[frame.path].tasks
    if frame.index >= len(tasks):
        return None
    address = Addresses(flow).of_task(tasks[frame.index].path)
    return None if address is None else shown(address)

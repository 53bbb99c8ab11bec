"""Compares what has happened to an order with what other flows would have done."""

from collections.abc import Mapping, Sequence
from typing import Literal

from flows_dsl.addresses import Addresses, shown
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import InstanceState
from flows_dsl.past import Otherwise, Past, Unclear
from flows_dsl.simulating import hold, trace_of
from orderloom.contracts.messages import Event
from orderloom.domain.model import Frozen

NEVER_RAN = frozenset({"dropped", "replaced"})
"""Outcomes of instances that did not run to an end of their own: nothing is compared."""


class PastInstance(Frozen):
    """An instance that an order has, or had."""

    event: Event
    flow: str
    """Hash of its flow."""
    status: str


class Divergence(Frozen):
    """Where an order would first have done something else."""

    event: str
    """Type and id of the event that started the flow, or would have."""
    flow: str
    task: str | None = None
    """The task of the other flow, by the names on the way to it."""
    did: str
    """What was done."""
    would: str
    """What would have been done."""


class Verdict(Frozen):
    """What became of simulating one order."""

    order: str
    outcome: Literal["same", "different", "unclear"]
    """``unclear``: what is recorded does not say how it went on."""
    first: Divergence | None = None
    reason: str | None = None


async def judge(
    order: str,
    past: Past,
    instances: Sequence[PastInstance],
    known: Mapping[str, CompiledFlow],
    target: Mapping[str, CompiledFlow],
) -> Verdict:
    """
    Return whether *target*, flows by name, would have done to an order what its own flows did.

    Args:
        order: its number.
        past: what is recorded of it.
        instances: all that it has had.
        known: their flows by hash.
        target: the other flows by name.
    """
    if any(one.status == "moved" for one in instances):
        return Verdict(order=order, outcome="unclear", reason="it was moved to another release while under way")
    try:
        for event in past.events:
            mine = {known[one.flow].name: one for one in instances if one.event.seq == event.seq}
            if (found := _starts(event, mine, target)) is not None:
                return Verdict(order=order, outcome="different", first=found)
            for name, one in mine.items():
                if one.status not in NEVER_RAN and (found := await _differs(past, one, known, target[name])):
                    return Verdict(order=order, outcome="different", first=found)
    except Unclear as unclear:
        return Verdict(order=order, outcome="unclear", reason=f"what became of {unclear} is not recorded")
    return Verdict(order=order, outcome="same")


def _starts(event: Event, mine: Mapping[str, PastInstance], target: Mapping[str, CompiledFlow]) -> Divergence | None:
    """Return what is different in the flows that an event starts."""
    theirs = [flow.name for flow in target.values() if event.type in flow.starts_on]
    named = f"{event.type} {event.id}"
    for name in mine:
        if name not in theirs:
            return Divergence(event=named, flow=name, did="start", would="not start")
    for name in theirs:
        if name not in mine:
            return Divergence(event=named, flow=name, did="not start", would="start")
    return None


async def _differs(
    past: Past, one: PastInstance, known: Mapping[str, CompiledFlow], flow: CompiledFlow
) -> Divergence | None:
    if flow.hash == one.flow:
        return None
    finished = one.status not in {"running", "faulted"}
    trace = await trace_of(known[one.flow], past, one.event, finished=finished)
    try:
        await hold(flow, past, one.event, trace)
    except Otherwise as otherwise:
        return Divergence(
            event=f"{one.event.type} {one.event.id}",
            flow=flow.label,
            task=None if otherwise.got is None else _task(flow, otherwise.state),
            did="end" if otherwise.expected is None else str(otherwise.expected),
            would="end" if otherwise.got is None else str(otherwise.got),
        )
    return None


def _task(flow: CompiledFlow, state: InstanceState | None) -> str | None:
    if state is None or not state.frames:
        return None
    frame = state.frames[-1]
    tasks = flow.lists[frame.path].tasks
    address = Addresses(flow).of_task(tasks[frame.index].path) if frame.index < len(tasks) else None
    return None if address is None else shown(address)

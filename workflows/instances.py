"""The live instances of an order's flows: which may start, which must wait, and what ended."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from flows_dsl.compiled import CompiledFlow, Listen
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.problems import FlowCancelled, FlowUndone
from flows_dsl.release import unpack
from orderloom.contracts.messages import Event, FlowFinished, Standpoint
from orderloom.contracts.moving import Whereabouts
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.model import JsonObject
from workflows.gathering import Gathering
from workflows.runner import InstanceRunner, Order
from workflows.state import CarriedInstance, Start

MOST_DEPTH = 16
REMEMBERED = 200
"""Ended instances that are remembered, so that an event delivered twice does not start them again."""


class FlowsTooDeep(OrderloomError):
    """Flows start flows that start flows, deeper than is allowed.

    Look for an ``emit`` whose event starts a flow that leads back to the same ``emit``.
    """

    code = "flow.too_deep"
    status = 409


@lru_cache(maxsize=1024)
def flow_of(hash: str, body: str) -> tuple[CompiledFlow, frozenset[str]]:
    """Return the flow with this hash and the event types it may listen for; once a process, for flows never change."""
    flow = unpack(body)
    assert flow.hash == hash, f"the body of flow {hash} is that of {flow.hash}"
    return flow, _heard(flow)


def _heard(flow: CompiledFlow) -> frozenset[str]:
    bodies = (task.body for tasks in flow.lists.values() for task in tasks.tasks)
    own = [body.types for body in bodies if isinstance(body, Listen)]
    return frozenset[str]().union(*own, *(_heard(inner) for inner in flow.inner.values()))


@dataclass
class Live:
    """An instance that has started and not ended."""

    start: Start
    flow: CompiledFlow
    listens: frozenset[str]
    runner: InstanceRunner
    instance: FlowInstance
    task: asyncio.Task[None]
    suspended: bool = False


class Instances:
    """
    Starts instances as their flows' concurrency says, and keeps count of them.

    Attributes:
        queued: starts that wait for another instance of their group, or for the next run.
        ended: ids of instances that ended lately, oldest first.
        held: nothing is started while it is true; the run is too long and waits for a quiet point.
        crash: what an instance's task raised: a mistake in our code, which the workflow's task must show.
    """

    def __init__(self, order: Order) -> None:
        """Take the order that they share."""
        self._order = order
        self._live: dict[str, Live] = {}
        self.queued: list[Start] = []
        self.ended: dict[str, None] = {}
        self.held = False
        self.crash: BaseException | None = None
        self._gathering = Gathering(self._due, self._give_up)

    def __len__(self) -> int:
        """Return how many are live or wait to start."""
        return len(self._live) + len(self.waiting())

    def waiting(self) -> list[Start]:
        """Return the starts that wait: for another instance of their group, for other events, or for the next run."""
        return [*self._gathering.waiting(), *self.queued]

    def request(self, start: Start) -> None:
        """Start an instance as soon as its flow's concurrency allows; one that is known already stays as it is."""
        if self.knows(start):
            return
        self.queued.append(start)
        self.turn()

    def turn(self) -> None:
        """Start every queued instance that may start now, in the order in which they came."""
        if self.held or not self.queued:
            return
        waiting, self.queued = self.queued, []
        for start in waiting:
            self._admit(start)

    def wanted(self) -> frozenset[str]:
        """Return the event types that a listen of a live instance may name, now or later."""
        return frozenset(type for live in self._live.values() for type in live.listens)

    def listening(self) -> frozenset[str]:
        """Return the event types that a listen waits for now."""
        return frozenset(
            type for live in self._live.values() for types in live.runner.listening.values() for type in types
        )

    def since(self) -> int | None:
        """Return the number of the event that started the oldest instance that listens, if any does."""
        return min((live.start.event.seq for live in self._live.values() if live.runner.listening), default=None)

    def knows(self, start: Start) -> bool:
        """Return whether the instance is live, waits to start, or ended lately."""
        known = start.instance in self._live or start.instance in self.ended
        return known or any(_is(other, start) for other in (*self.waiting(), *(it.start for it in self._live.values())))

    def ring(self, event: Event) -> None:
        """Wake the listens for *event*'s type."""
        for live in self._live.values():
            live.runner.ring(event.type)

    def carried(self) -> list[CarriedInstance]:
        """Return where every live instance stands. Only at a quiet point."""
        return [
            CarriedInstance(
                start=live.start,
                state=live.instance.state.dump(),
                consumed=sorted(live.runner.consumed),
            )
            for live in self._live.values()
        ]

    def resume(self, carried: Iterable[CarriedInstance]) -> None:
        """Let instances of the run before go on from where they stood."""
        for one in carried:
            self._begin(one.start, InstanceState.load(one.state), set(one.consumed))

    def whereabouts(self) -> list[Whereabouts]:
        """Return every instance and where it stands: live ones, and those that wait to start."""
        live = [
            whereabouts_of(one.start, one.instance.state.dump(), one.runner.consumed) for one in self._live.values()
        ]
        return [*live, *(whereabouts_of(start, None) for start in self.waiting())]

    def stands(self, asking: str | None = None) -> Standpoint | None:
        """Return where the flows stand, if nothing is under way but a call of instance *asking*, or of none."""
        order, alone = self._order, list(self._live) == ([] if asking is None else [asking])
        if not alone or self.waiting() or self.held or order.calls or not order.certain:
            return None
        here = [it.model_dump(mode="json", exclude_defaults=True) for it in self.whereabouts()]
        return Standpoint(asking=here[0] if here else None)

    def suspend(self) -> list[Whereabouts]:
        """Stop every instance where it stands, and return all. Only at a quiet point; ``go_on`` must follow."""
        whereabouts, self.queued = self.whereabouts(), []
        self._gathering.clear()
        for live in self._live.values():
            live.suspended = True
            live.task.cancel()
        return whereabouts

    def go_on(self, whereabouts: Iterable[Whereabouts]) -> None:
        """Let instances go on from where they stand, and start those that have not begun, in place of all others."""
        self._live = {}
        for one in whereabouts:
            start = Start(flow=one.flow, event=one.event, depth=one.depth, moves=one.moves, gathered=one.gathered)
            if one.state is None:
                self.queued.append(start)
            else:
                self._begin(start, InstanceState.load(one.state), set(one.consumed))
        self.turn()

    def _admit(self, start: Start) -> None:
        flow, _ = self._flow(start)
        if flow.starts_with and not start.gathered:
            complete = self._gathering.add(start, flow)
            if complete is None:
                return
            start = complete
        rivals = [live for live in self._live.values() if live.flow.name == flow.name]
        if not rivals or flow.concurrency == "parallel":
            self._begin(start, state_of(start, self._order.transactions.time()), set())
        elif flow.concurrency == "drop":
            self._end(start, "dropped")
        else:
            if flow.concurrency == "replace":
                self._replace(rivals)
            self.queued.append(start)

    def _replace(self, rivals: Iterable[Live]) -> None:
        """End the instances that another one replaces, unless a call of theirs has to come to its end first."""
        for rival in rivals:
            if not rival.runner.calling:
                rival.task.cancel()

    def _flow(self, start: Start) -> tuple[CompiledFlow, frozenset[str]]:
        return flow_of(start.flow, self._order.transactions.flows[start.flow])

    def _begin(self, start: Start, state: InstanceState, consumed: set[int]) -> None:
        flow, listens = self._flow(start)
        runner = InstanceRunner(self._order, start, flow.label, consumed, partial(self.stands, start.instance))
        instance = FlowInstance(flow, state, runner)
        task = asyncio.create_task(self._run(start, instance))
        self._live[start.instance] = Live(start, flow, listens, runner, instance, task)

    async def _run(self, start: Start, instance: FlowInstance) -> None:
        mine = self._live[start.instance]
        try:
            await instance.run()
            outcome = "completed"
        except FlowCancelled:
            outcome = "cancelled"
        except FlowUndone:
            outcome = "compensated"
        except asyncio.CancelledError:
            if mine.suspended:
                return
            outcome = "replaced"
        except Exception as crash:  # noqa: BLE001  # raised again by the workflow's own task, which must fail
            self.crash = crash
            return
        del self._live[start.instance]
        self._end(start, outcome)
        self._order.inbox.keep(self.wanted())
        self.turn()

    def _due(self, instant: datetime) -> asyncio.Future[None]:
        return self._order.deadlines.at(instant)

    def _give_up(self, starts: Iterable[Start]) -> None:
        """Note that events start nothing: the others that the flow wants have not come in time."""
        for start in starts:
            self._end(start, "incomplete")

    def _end(self, start: Start, outcome: str) -> None:
        ids = [start.instance]
        others = (it for it in start.gathered if it.id != start.event.id)
        ids += [start.model_copy(update={"event": it}).instance for it in others]
        for id in ids:
            self.ended[id] = None
            self._order.transactions.end(FlowFinished(instance=id, outcome=outcome))
        while len(self.ended) > REMEMBERED:
            del self.ended[next(iter(self.ended))]


def state_of(start: Start, now: datetime) -> InstanceState:
    """Return the state of an instance that begins."""
    state = InstanceState.start(start.flow, start.event, now)
    state.instance = start.instance
    if start.gathered:
        state.events = [event.model_dump(mode="json") for event in start.gathered]
    return state


def _is(known: Start, start: Start) -> bool:
    """Return whether *known* is what *start* asks for, or has taken its event in."""
    if known.flow != start.flow:
        return False
    return known.instance == start.instance or any(it.id == start.event.id for it in known.gathered)


def whereabouts_of(start: Start, state: JsonObject | None, consumed: Iterable[int] = ()) -> Whereabouts:
    """Return where an instance stands that *start* has started; without *state* it has not begun."""
    return Whereabouts(
        flow=start.flow,
        event=start.event,
        depth=start.depth,
        moves=start.moves,
        state=state,
        consumed=sorted(consumed),
        gathered=start.gathered,
    )


def too_deep(event: Event) -> Problem:
    """Return the problem of an event that stands too deep to start flows."""
    return FlowsTooDeep(f"{event.type} {event.id} stands {MOST_DEPTH} flows deep and starts no more.").problem()

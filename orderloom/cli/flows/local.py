"""Runs a flow in this process, in real time, without an order and without a server."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from activities.calling import HttpCaller
from flows_dsl.compiled import CompiledFlow
from flows_dsl.frames import InstanceState
from flows_dsl.interpreter import FlowInstance
from flows_dsl.outside_calls import OUTSIDE_CALLS
from flows_dsl.runner import Fault, FlowFailure, Observer, Resolution, Retry, Step
from orderloom.bootstrap.clock import Clock
from orderloom.contracts.messages import Event
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.model import Json, JsonObject


class NeedsOrder(OrderloomError):
    """A core action was called, and there is no order.

    Try the flow with cases (`orderloom flows test`), where the answers of actions are given.
    """

    code = "flow.needs_order"
    status = 409


class NothingComes(OrderloomError):
    """The flow listens, and no event that it wants is left.

    Give events to take, or give the listen a timeout.
    """

    code = "flow.nothing_comes"
    status = 409


class Uncaught(Exception):
    """An error that nobody caught ended the flow."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class LocalRunner:
    """Lets real time pass, takes events from a list, makes HTTP calls, and calls no action."""

    def __init__(self, caller: HttpCaller, events: Sequence[Event] = ()) -> None:
        """Take what makes calls, and the events that the flow may listen for; what it emits comes after them."""
        self._caller = caller
        self._run = Clock().now().isoformat()
        self._events = list(events)
        self._came = asyncio.Event()

    def now(self) -> datetime:
        """Return the time."""
        return Clock().now()

    def order(self) -> Mapping[str, Json]:
        """Return nothing: there is no order."""
        return {}

    async def call(self, step: Step, action: str, arguments: JsonObject, retry: Retry | None) -> Json:
        """
        Make an HTTP call, as often as the author asked.

        Raises:
            FlowFailure: it did not succeed, or an action was called.
        """
        if action not in OUTSIDE_CALLS:
            raise FlowFailure(NeedsOrder(f"{action} acts on an order.", action=action).problem())
        attempt = 1
        while True:
            try:
                return await self._caller.call(action, f"{self._run}{step.key}", arguments)
            except FlowFailure:
                if retry is None or attempt >= retry.attempts:
                    raise
                await asyncio.sleep(min(retry.delay * retry.factor ** (attempt - 1), retry.limit))
                attempt += 1

    async def emit(self, step: Step, type: str, data: JsonObject) -> None:
        """Let the flow's own listens hear the event."""
        seq = len(self._events) + 1
        self._events.append(Event(seq=seq, id=f"{step.key}", source="orderloom", type=type, time=self.now(), data=data))
        self._came.set()

    async def next_event(
        self, step: Step, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """
        Return the first event that matches and was not taken; None at the deadline.

        Raises:
            Uncaught: none matches, and there is no deadline.
        """
        del step
        while True:
            found = next((it for it in self._events if it.type in types and matches(it)), None)
            if found is not None:
                self._events.remove(found)
                return found
            if deadline is None:
                raise Uncaught(NothingComes(f"It listens for {', '.join(sorted(types))}.").problem())
            self._came.clear()
            try:
                async with asyncio.timeout(max(0.0, (deadline - self.now()).total_seconds())):
                    await self._came.wait()
            except TimeoutError:
                return None

    async def wait(self, step: Step, until: datetime) -> None:
        """Let time pass."""
        del step
        await asyncio.sleep(max(0.0, (until - self.now()).total_seconds()))

    async def fault(self, step: Step, fault: Fault) -> Resolution:
        """
        End the flow: nobody is there to decide.

        Raises:
            Uncaught: always.
        """
        del step
        raise Uncaught(fault.problem)


async def run_locally(
    flow: CompiledFlow,
    given: Json,
    *,
    events: Sequence[Event] = (),
    allowed: Collection[str] = (),
    observe: Observer | None = None,
) -> Json:
    """
    Run *flow* with the input *given* and return its output; it may call loopback and the hosts *allowed*.

    Raises:
        Uncaught: an error that nobody caught.
    """
    runner = LocalRunner(HttpCaller(allowed, loopback=True), events)
    state = InstanceState.within(flow.hash, f"local@{flow.hash}", given, runner.now())
    return await FlowInstance(flow, state, runner, observe=observe).run()

"""What is recorded of an order, what an instance made of it, and the journal as it comes along."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from flows_dsl.canonical import canonical_json
from flows_dsl.frames import InstanceState
from flows_dsl.runner import FlowFailure, Resolution
from orderloom.contracts.messages import Event
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json, JsonObject

SETTLED = 10
"""Turns of the event loop in which nothing moves, after which every branch of an instance waits for something."""


class StillThere(BaseException):
    """The instance has come as far as is recorded."""


class Unclear(BaseException):
    """What is recorded does not say how it went on."""


class Otherwise(BaseException):
    """The other flow does something else than what was done."""

    def __init__(self, expected: "Effect | None", got: "Effect | None") -> None:
        super().__init__(expected, got)
        self.expected = expected
        self.got = got
        self.state: InstanceState | None = None


class Effect(Frozen):
    """One thing that an instance did or met."""

    kind: Literal["call", "emit", "wait", "event", "fault"]
    what: str
    """Action, event type, instant, id of the event taken (or ``timeout``), code of the error."""
    arguments: Json = None

    def __str__(self) -> str:
        """Return it for people."""
        arguments = "" if self.arguments in (None, {}) else f" {canonical_json(self.arguments)}"
        return f"{self.kind} {self.what}{arguments}"


WAITS = Effect(kind="wait", what="for what has not come")
"""The instance is still there."""


class Answer(Frozen):
    """What a call was answered with, the number of the journal after it, and the digest of what was asked."""

    output: Json
    seq: int
    asked: str


class Decided(Frozen):
    """An error that waited for an operator, and what was decided; None: nothing yet."""

    problem: Problem
    resolution: Resolution | None


@dataclass(frozen=True)
class Past:
    """
    What is recorded of an order.

    Args:
        events: its journal.
        answers: by idempotency key; None for a call that was begun and has no answer yet.
        faults: by instance and path, in their order.
        header: what expressions saw, by number of the journal.
        until: how far it is recorded.
        errors: what an action may raise, by name with major.
        settled: the last number of the transaction that entered a number of the journal.
    """

    events: Sequence[Event]
    answers: Mapping[str, Answer | None]
    faults: Mapping[str, Sequence[Decided]]
    header: Callable[[int], JsonObject]
    until: datetime
    errors: Callable[[str], Sequence[Problem]]
    settled: Callable[[int], int] = int


class Pending:
    """Nothing was got yet: the instance is at it."""


type Got = Json | FlowFailure | Resolution | Pending


@dataclass(frozen=True)
class Met:
    """An effect, what the instance got for it, and the number of the journal after it."""

    effect: Effect
    got: Got
    seq: int


@dataclass
class Trace:
    """What an instance did and met."""

    met: list[Met] = field(default_factory=list[Met])
    ended: bool = False
    """It ran to its end; else it is still there."""


class Journal:
    """What both runs share: the clock, the journal's number, and the events that come."""

    def __init__(self, past: Past, start: Event) -> None:
        self._past = past
        self._clock = start.time
        self._seq = past.settled(start.seq)
        self._start = start.seq
        self._taken: set[int] = set()
        self._waiting: list[_Turn] = []
        self._driver: asyncio.Task[None] | None = None
        self._moves = 0

    def now(self) -> datetime:
        """Return business time, as far as the journal tells it."""
        return self._clock

    def order(self) -> Mapping[str, Json]:
        """Return the header as of the journal's number."""
        return self._past.header(self._seq)

    def reach(self, seq: int) -> None:
        """Let the journal be as far as *seq*."""
        self._seq = max(self._seq, self._past.settled(seq))
        times = [event.time for event in self._past.events if event.seq <= self._seq]
        self._clock = max([self._clock, *times])
        self._moves += 1

    async def pass_to(self, instant: datetime) -> None:
        """
        Let business time reach *instant*.

        Raises:
            StillThere: that is beyond what is recorded.
        """
        await self._turn(instant if instant <= self._past.until else None)
        self._clock = max(self._clock, instant)
        self.reach(max((event.seq for event in self._past.events if event.time <= self._clock), default=0))

    async def take(
        self, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        """
        Take the event that a listen would have got; None when its time was up first.

        Raises:
            StillThere: neither has come.
        """
        while (event := self._first(types, matches, deadline)) is not None:
            await self._turn(event.time)
            if event is self._first(types, matches, deadline):
                self._taken.add(event.seq)
                self.reach(event.seq)
                return event
        if deadline is None:
            await self._turn(None)
            raise StillThere
        await self.pass_to(deadline)
        return None

    def _first(
        self, types: frozenset[str], matches: Callable[[Event], bool], deadline: datetime | None
    ) -> Event | None:
        for event in self._past.events:
            late = deadline is not None and event.time > deadline and event.time > self._clock
            wanted = event.seq > self._start and event.type in types and event.seq not in self._taken
            if wanted and not late and matches(event):
                return event
        return None

    async def _turn(self, at: datetime | None) -> None:
        """Return when it is the turn of what comes at this instant: branches beside each other go by time."""
        waiting = _Turn(at, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._driver is None or self._driver.done():
            self._driver = asyncio.create_task(self._drive())
        try:
            await waiting.come
        finally:
            self._waiting.remove(waiting)
            self._moves += 1

    async def _drive(self) -> None:
        """Let the earliest of those that wait go on whenever nothing else goes on; none of them when none can."""
        while self._waiting:
            before, still = self._moves, 0
            while still < SETTLED:
                await asyncio.sleep(0)
                before, still = self._moves, still + 1 if before == self._moves else 0
            coming = [each for each in self._waiting if each.at is not None and not each.come.done()]
            if coming:
                min(coming, key=lambda each: (each.at is None, each.at)).come.set_result(None)
                continue
            for each in self._waiting:
                if not each.come.done():
                    each.come.set_exception(StillThere())


@dataclass(eq=False)
class _Turn:
    """Something that is waited for: when it comes, or None for what does not."""

    at: datetime | None
    come: asyncio.Future[None]

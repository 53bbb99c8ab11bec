"""What operators decide about process exceptions, for the instances that wait at them."""

import asyncio
from typing import cast

from orderloom.contracts.messages import Event

RESOLVE_REQUESTED = "exception.resolve.requested"
"""The type of the event that brings a decision."""


class Decisions:
    """A future for each exception; one that was given up is of an instance or branch that ended meanwhile."""

    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[Event]] = {}

    def about(self, exception: str) -> asyncio.Future[Event]:
        """Return a future of the decision about an exception; a new one where the one before was given up."""
        if (known := self._futures.get(exception)) is None or known.cancelled():
            known = self._futures[exception] = asyncio.get_running_loop().create_future()
        return known

    def take(self, event: Event) -> None:
        """Hand on what was decided, if *event* brings a decision; of several the first counts."""
        if event.type == RESOLVE_REQUESTED:
            decision = self.about(cast("str", event.data.get("exception")))
            if not decision.done():
                decision.set_result(event)

    @property
    def wanted(self) -> frozenset[str]:
        """Return the types of events that are waited for."""
        return frozenset({RESOLVE_REQUESTED} if any(not one.done() for one in self._futures.values()) else ())

    @property
    def left(self) -> list[str]:
        """Return the exceptions that nobody waits at any more though nothing was decided."""
        return [exception for exception, future in self._futures.items() if future.cancelled()]

    def forget(self, exceptions: list[str]) -> None:
        """Let go of exceptions that PostgreSQL knows to be left."""
        for exception in exceptions:
            del self._futures[exception]

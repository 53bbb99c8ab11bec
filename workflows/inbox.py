"""Journaled events that instances of flows may still want to see."""

from collections.abc import Callable, Iterable

from orderloom.contracts.messages import Event
from orderloom.domain.errors import OrderloomError

CAPACITY = 500


class InboxFull(OrderloomError):
    """A flow listens for events and does not take them.

    Look at the flow that waits: what it listens for comes more often than it takes it. Its events are kept up to a
    limit; from there on they stay in the journal only.
    """

    code = "flow.inbox_full"
    status = 409


class Inbox:
    """Events by their number in the journal, each once; what no live instance can want is let go."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self._events = {event.seq: event for event in events}

    def __len__(self) -> int:
        """Return how many events are kept."""
        return len(self._events)

    def add(self, event: Event, wanted: frozenset[str]) -> bool:
        """Keep *event* if an instance names its type. False when there is no room for it."""
        if event.type not in wanted or event.seq in self._events:
            return True
        if len(self._events) >= CAPACITY:
            return False
        self._events[event.seq] = event
        return True

    def first(
        self, after: int, types: frozenset[str], consumed: frozenset[int], matches: Callable[[Event], bool]
    ) -> Event | None:
        """Return the event with the lowest number above *after*, of one of *types*, not *consumed*, that matches."""
        for seq in sorted(self._events):
            event = self._events[seq]
            if seq > after and event.type in types and seq not in consumed and matches(event):
                return event
        return None

    def keep(self, wanted: frozenset[str]) -> None:
        """Let go of every event whose type is not *wanted* by a live instance any more."""
        self._events = {seq: event for seq, event in self._events.items() if event.type in wanted}

    def events(self) -> list[Event]:
        """Return the kept events in sequence."""
        return [self._events[seq] for seq in sorted(self._events)]

"""Sets of events that start a flow together (``schedule.on.all``): what has come of each, and until when it waits."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from flows_dsl.canonical import canonical_json
from flows_dsl.compiled import CompiledFlow, EventMatch
from flows_dsl.expressions import ExpressionFailed
from flows_dsl.matching import value_in
from orderloom.contracts.messages import Event
from workflows.state import Start


@dataclass
class _Set:
    """The events that have come so far, by filter; *values* are what they correlate by."""

    flow: str
    values: str
    due: datetime
    starts: list[Start | None]
    waiting: asyncio.Task[None] | None = field(default=None, repr=False)


class Gathering:
    """
    The incomplete sets of an order.

    An event joins the oldest set of its flow that lacks one of its type and correlates with it; else it begins a set.
    Its deadline counts from the event that began it, so that it is the same whoever counts.
    """

    def __init__(
        self, due: Callable[[datetime], asyncio.Future[None]], give_up: Callable[[Iterable[Start]], None]
    ) -> None:
        """Take what returns a future of an instant, and what is told of events whose set has not become complete."""
        self._due = due
        self._give_up = give_up
        self._sets: list[_Set] = []

    def waiting(self) -> list[Start]:
        """Return the starts that wait for others, as they came."""
        found = [start for each in self._sets for start in each.starts if start is not None]
        return sorted(found, key=lambda start: start.event.seq)

    def clear(self) -> None:
        """Forget everything."""
        for each in self._sets:
            _stop(each)
        self._sets = []

    def add(self, start: Start, flow: CompiledFlow) -> Start | None:
        """Add the event that *start* is for; return the start of the instance when its set is complete."""
        if not any(_lets(wanted, start.event) for wanted in flow.starts_with):
            self._give_up([start])
            return None
        joined = self._joined(start, flow)
        at = next(
            at for at, wanted in enumerate(flow.starts_with) if _lets(wanted, start.event) and not joined.starts[at]
        )
        joined.starts[at] = start
        complete = [it for it in joined.starts if it is not None]
        if len(complete) < len(joined.starts):
            return None
        self._sets.remove(joined)
        _stop(joined)
        last = max(complete, key=lambda it: it.event.seq)
        return last.model_copy(update={"gathered": [it.event for it in complete]})

    def _joined(self, start: Start, flow: CompiledFlow) -> _Set:
        wanted = [each for each in flow.starts_with if _lets(each, start.event)]
        values = canonical_json(_values(wanted[0], start.event))
        for each in self._sets:
            lacks = any(
                it is None and _lets(filter, start.event)
                for it, filter in zip(each.starts, flow.starts_with, strict=True)
            )
            if each.flow == start.flow and each.values == values and lacks:
                return each
        made = _Set(start.flow, values, start.event.time + flow.collects_for, [None] * len(flow.starts_with))
        self._sets.append(made)
        made.waiting = asyncio.create_task(self._wait(made))
        return made

    async def _wait(self, one: _Set) -> None:
        due = self._due(one.due)
        try:
            await due
        finally:
            due.cancel()
        if one in self._sets:
            self._sets.remove(one)
            self._give_up([start for start in one.starts if start is not None])


def _stop(one: _Set) -> None:
    if one.waiting is not None:
        one.waiting.cancel()


def _lets(wanted: EventMatch, event: Event) -> bool:
    """Return whether the filter takes the event: of its type, and with a value for each correlation."""
    if wanted.type != event.type:
        return False
    try:
        _values(wanted, event)
    except ExpressionFailed:
        return False
    return True


def _values(wanted: EventMatch, event: Event) -> dict[str, object]:
    scope = {"data": event.data, "event": event.model_dump(mode="json")}
    return {it.name: value_in(event, it.source, scope) for it in wanted.correlations}

"""``listen``: one event, one of each kind, or all that come until something ends it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

from flows_dsl.canonical import canonical, size
from flows_dsl.compiled import Listen
from flows_dsl.matching import acceptor
from flows_dsl.outcomes import Done, Enter, Outcome
from flows_dsl.problems import MAX_RESULT, too_large
from flows_dsl.turn import TimeIsUp, Turn
from orderloom.contracts.messages import Event
from orderloom.domain.model import Json, JsonObject


async def do_listen(turn: Turn) -> Outcome:
    """
    Take the events that are wanted; the output is the list of what was read of them.

    With one filter for each it is in the order of the filters, else in that in which the events were taken. With
    ``foreach`` it is the list of what came of the tasks for each event.

    Raises:
        TimeIsUp: a timeout is over before.
        FlowFailure: a filter has no value, or what was read is over its cap.
    """
    body, active = cast("Listen", turn.task.body), turn.active
    if not active.received:
        active.received = [None] * len(body.filters)
    if body.repeats or body.foreach is not None:
        return await _one_by_one(turn, body)
    while not _complete(body, active.received):
        _place(await _next(turn, [_Open(turn, body, active.received)]))
    found = [event for event in active.received if event is not None]
    turn.consume(",".join(sorted(str(event["id"]) for event in found)))
    return Done([_read(body, event) for event in found])


async def _one_by_one(turn: Turn, body: Listen) -> Outcome:
    """Take events until the condition holds, the ending ones have come, or each filter has had its own."""
    active = turn.active
    if active.handling:
        _handled(turn, body)
    while not _ended(turn, body):
        event = await _take(turn, body)
        if event is None:
            continue
        turn.consume(str(event["id"]))
        if body.foreach is not None and body.foreach.path is not None:
            active.handling = True
            variables: JsonObject = {body.foreach.item: _read(body, event), body.foreach.at: active.at}
            return Enter(body.foreach.path, "foreach", variables, round=str(event["id"]))
        _collect(turn, _read(body, event))
    collected, active.collected, active.ending, active.at = active.collected, [], [], 0
    return Done(collected)


async def _take(turn: Turn, body: Listen) -> JsonObject | None:
    """Wait for the next event and return it; None when it is one of those that end the task."""
    active = turn.active
    wanted = _Open(turn, body, [None] * len(body.filters) if body.repeats else active.received)
    if body.ends is None:
        found = await _next(turn, [wanted])
    else:
        active.ending = active.ending or [None] * len(body.ends.filters)
        found = await _next(turn, [_Open(turn, body.ends, active.ending), wanted])
    _place(found)
    return found.event.model_dump(mode="json") if found.open is wanted else None


def _handled(turn: Turn, body: Listen) -> None:
    """Take in what came of the tasks for an event."""
    active, foreach = turn.active, body.foreach
    assert foreach is not None
    output = turn.handed_on(foreach, active.output)
    active.handling, active.at = False, active.at + 1
    _collect(turn, output)


def _collect(turn: Turn, value: Json) -> None:
    active = turn.active
    active.collected = [*active.collected, value]
    if (bytes_ := size(active.collected)) > MAX_RESULT:
        raise too_large("What was read of the events", bytes_, MAX_RESULT, turn.task.reference)


def _ended(turn: Turn, body: Listen) -> bool:
    active = turn.active
    if not body.repeats:
        return _complete(body, active.received)
    if body.ends is not None and active.ending and _complete(body.ends, active.ending):
        return True
    if body.until is None or not active.collected:
        return False
    collected = cast("Json", active.collected)
    return turn.holds(body.until, collected, {"events": collected})


def _complete(body: Listen, received: Sequence[JsonObject | None]) -> bool:
    return all(received) if body.mode == "all" else any(received)


def _read(body: Listen, event: JsonObject) -> Json:
    return event if body.envelope else event["data"]


class _Open:
    """Filters that still wait for an event, and where it goes."""

    def __init__(self, turn: Turn, body: Listen, received: list[JsonObject | None]) -> None:
        self.received = received
        self._accepts: list[tuple[int, str, Callable[[Event], bool]]] = []
        input = turn.active.input
        for at, wanted in enumerate(body.filters):
            if received[at] is None:
                data = None if wanted.data is None else canonical(turn.evaluate(wanted.data, input))
                expected = {
                    it.name: canonical(turn.evaluate(it.expect, input))
                    for it in wanted.correlations
                    if it.expect is not None
                }
                self._accepts.append((at, wanted.type, acceptor(turn, wanted, input, data, expected)))

    @property
    def types(self) -> frozenset[str]:
        return frozenset(type for _, type, _ in self._accepts)

    def place(self, event: Event) -> int | None:
        """Return the first filter that lets *event* pass."""
        return next((at for at, _, accepts in self._accepts if accepts(event)), None)


@dataclass(frozen=True, slots=True)
class _Found:
    event: Event
    open: _Open
    at: int


def _place(found: _Found) -> None:
    found.open.received[found.at] = found.event.model_dump(mode="json")


async def _next(turn: Turn, listens: Sequence[_Open]) -> _Found:
    def place(event: Event) -> _Found | None:
        places = ((open_, open_.place(event)) for open_ in listens)
        return next((_Found(event, open_, at) for open_, at in places if at is not None), None)

    limit = turn.limit()
    types = frozenset(type for open_ in listens for type in open_.types)
    event = await turn.runner.next_event(
        turn.step(), types, lambda event: place(event) is not None, limit.at if limit else None
    )
    if event is None:
        assert limit is not None
        raise TimeIsUp(limit)
    found = place(event)
    assert found is not None
    return found

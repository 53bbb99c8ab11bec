"""What a schedule makes of events that its own transaction has journaled and not written yet."""

from datetime import UTC, datetime

from activities.scheduling import failed_since, woken_since
from orderloom.contracts.messages import Event
from orderloom.domain.model import JsonObject

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def _event(seq: int, type: str, data: JsonObject | None = None) -> Event:
    return Event(seq=seq, id=f"e{seq}", source="orderloom", type=type, time=NOW, data=data or {})


def _attempted(seq: int, outcome: str, **more: bool) -> Event:
    return _event(seq, "routing.attempted", {"outcome": outcome, **more})


def test_attempts_of_the_transaction_count() -> None:
    """An attempt that found nothing counts like one in the journal; one that was woken or found a route does not."""
    own = [_attempted(5, "NONE"), _attempted(6, "NONE", woken=True), _attempted(7, "ROUTED")]

    assert failed_since(2, own, "order.released") == 3


def test_attempts_before_the_reason_do_not_count() -> None:
    """What asked for a schedule in this transaction makes all attempts before it forgotten."""
    own = [_attempted(5, "NONE"), _event(6, "order.released"), _attempted(7, "NONE")]

    assert failed_since(2, own, "order.released") == 1


def test_only_what_came_after_the_schedule_wakes_it() -> None:
    """An event before a schedule was planned does not wake it; one after it does, and no other type ever."""
    own = [_event(5, "routing.scheduled"), _event(6, "items.cancelled"), _event(7, "stock.reserved")]

    assert woken_since(["stock.restocked"], own) == {"items.cancelled"}
    assert woken_since(["stock.restocked"], own[1:]) == {"stock.restocked", "items.cancelled"}

"""The life of a process exception: what may follow what, and what a change comes to."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderloom.domain.errors import OrderloomError
from orderloom.domain.exception_policy import ExceptionPolicy, deadline_of
from orderloom.domain.exception_status import (
    ACTIVE,
    TRANSITIONS,
    UNSETTLED,
    ChangeException,
    ExceptionStatus,
    FlowWaits,
    Tracked,
    TransitionRefused,
    category_of_status,
    change,
    told,
)
from orderloom.domain.exceptions import ExceptionClosed
from orderloom.domain.remedies import Situation, allowed_actions, suggestions

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
S = ExceptionStatus


def _tracked(status: ExceptionStatus = S.NEW, **more: Any) -> Tracked:
    return Tracked(id="100001-X1", status=status, severity="High", priority="Low", **more)


def test_the_statuses_come_to_the_categories_of_the_reference() -> None:
    """New and Triaged are active, Paused, Ignored and Voided inactive, Resolved is resolved; two are final."""
    assert {status: category_of_status(status) for status in S} == {
        S.NEW: "ACTIVE",
        S.TRIAGED: "ACTIVE",
        S.PAUSED: "INACTIVE",
        S.IGNORED: "INACTIVE",
        S.VOIDED: "INACTIVE",
        S.RESOLVED: "RESOLVED",
    }
    assert {S.NEW, S.TRIAGED} == ACTIVE
    assert set(S) - set(UNSETTLED) == {S.VOIDED, S.RESOLVED}
    assert all(S.NEW not in following for following in TRANSITIONS.values())


@given(st.sampled_from(S), st.sampled_from(["triaged", "paused", "ignored", "voided"]), st.booleans())
def test_only_what_may_follow_follows(status: ExceptionStatus, to: str, awaited: bool) -> None:
    """Every other status is refused, and voiding is while a flow waits; a final one has its end."""
    current = _tracked(status, awaited=awaited)
    wanted = ChangeException(status=to)  # type: ignore[arg-type]
    if status in {S.VOIDED, S.RESOLVED}:
        expected: type[OrderloomError] | None = ExceptionClosed
    elif status == to:
        expected = None
    elif S(to) not in TRANSITIONS[status]:
        expected = TransitionRefused
    else:
        expected = FlowWaits if to == "voided" and awaited else None
    if expected is not None:
        with pytest.raises(expected):
            change(NOW, current, wanted)
        return
    columns = change(NOW, current, wanted)
    ended = {"ended_at": NOW} if to == "voided" else {}
    assert columns == ({} if status == to else {"status": to, **ended})


def test_a_change_tells_what_was_and_what_is() -> None:
    """Null takes owner and deadline away; what is so already is left out; a new deadline may pass anew."""
    current = _tracked(owner="ines", deadline=NOW)
    columns = change(
        NOW, current, ChangeException.model_validate({"owner": None, "deadline": None, "severity": "High"})
    )
    assert columns == {"owner": None, "deadline": None, "escalated_at": None}
    assert told(current, columns) == {
        "owner": {"from": "ines", "to": None},
        "deadline": {"from": NOW.isoformat(), "to": None},
    }
    assert change(NOW, current, ChangeException.model_validate({"status": None, "owner": "ines"})) == {}
    with pytest.raises(ValidationError, match="nothing is to be changed"):
        ChangeException(by="ines", reason="why not")


@pytest.mark.parametrize(
    ("rules", "category", "severity", "hours"),
    [
        ({}, "Payment", "High", 4.0),
        ({}, "Fulfillment", "High", 24.0),
        ({}, "Payment", "Low", 72.0),
        ({"High": 1.0}, "Payment", "High", 1.0),
        ({"Fulfillment": 2.0, "High": 1.0}, "Fulfillment", "High", 2.0),
        ({"Fulfillment/High": 0.5, "Fulfillment": 2.0}, "Fulfillment", "High", 0.5),
        ({"Return": 8.0}, "Fulfillment", "Low", 72.0),
    ],
)
def test_the_most_exact_rule_says_the_deadline(
    rules: dict[str, float], category: str, severity: str, hours: float
) -> None:
    """Category with severity, then category, then severity; the channel's own rules before those that hold anyway."""
    assert deadline_of(ExceptionPolicy(deadlines=rules), category, severity, NOW) == NOW + timedelta(hours=hours)


def _reasons(situation: Situation) -> dict[str, str | None]:
    return {each.action: each.reason for each in allowed_actions(situation) if not each.allowed}


def test_each_action_that_is_not_allowed_says_why() -> None:
    """Where a flow waits it can be told what to do; where none does, the exception is resolved; settled is settled."""
    waiting = Situation(status=S.NEW, waits=True, action="capture-payment@1", within=("a", "b"), undoable=1, calls=3)
    assert _reasons(waiting) == {
        "void": "a flow waits at it: decide what the flow does",
        "unassign": "nobody has it",
    }
    does = {each.action: each.does for each in allowed_actions(waiting)}
    assert does["compensate"] == "1 of the flow's 3 calls are undone, 2 stay, and it ends"
    assert does["retry"].startswith("capture-payment@1 is tried again")

    told = _reasons(Situation(status=S.IGNORED, owner="ines"))
    assert told == {
        **dict.fromkeys(("retry", "skip", "goto", "compensate"), "no flow waits at it"),
        "pause": "what is ignored does not become paused",
        "ignore": "it is ignored already",
    }
    undoing = _reasons(Situation(status=S.TRIAGED, owner="ines", waits=True, undoing=True))
    assert {"goto", "compensate"} < set(undoing)
    assert {"retry", "skip", "resolve"}.isdisjoint(undoing)
    assert set(_reasons(Situation(status=S.RESOLVED)).values()) == {"it is resolved"}


def test_what_helps_is_told_by_the_code() -> None:
    """Of what the flow could do only what it can do now is suggested."""
    waiting, told = Situation(status=S.NEW, waits=True), Situation(status=S.NEW)
    assert [each.do for each in suggestions("payment.declined", waiting)] == ["retry"]
    assert [each.do for each in suggestions("payment.declined", told)] == ["resolve"]
    assert [each.do for each in suggestions("routing.abandoned", told)] == ["route again", "reschedule", "change order"]
    assert [each.do for each in suggestions("never.heard", waiting)] == ["retry"]
    assert suggestions("never.heard", Situation(status=S.RESOLVED)) == ()

"""
The life of a process exception: which status may follow which, what a person may change, and what each change was.

Statuses and their categories are those of reference 2.6. Whatever changes goes through ``change``.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from orderloom.domain.errors import OrderloomError
from orderloom.domain.exceptions import ExceptionClosed
from orderloom.domain.model import Frozen, Json, JsonObject

Severity = Literal["High", "Low"]
"""How bad it is, and how soon it is wanted to be seen to."""

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
"""Of somebody who works here, as the company calls them: a user name, a team."""

Reason = Annotated[str, StringConstraints(max_length=500)]
"""Why something is changed. Nothing of a customer: it is kept in the clear."""


class ExceptionStatus(StrEnum):
    """Where a process exception stands."""

    NEW = "new"
    TRIAGED = "triaged"
    PAUSED = "paused"
    IGNORED = "ignored"
    VOIDED = "voided"
    RESOLVED = "resolved"


type StatusCategory = Literal["ACTIVE", "INACTIVE", "RESOLVED"]
"""What a status comes to: waits for somebody, does not, is settled."""

_S = ExceptionStatus

TRANSITIONS: Mapping[ExceptionStatus, frozenset[ExceptionStatus]] = {
    _S.NEW: frozenset({_S.TRIAGED, _S.PAUSED, _S.IGNORED, _S.VOIDED, _S.RESOLVED}),
    _S.TRIAGED: frozenset({_S.PAUSED, _S.IGNORED, _S.VOIDED, _S.RESOLVED}),
    _S.PAUSED: frozenset({_S.TRIAGED, _S.IGNORED, _S.VOIDED, _S.RESOLVED}),
    _S.IGNORED: frozenset({_S.TRIAGED, _S.VOIDED, _S.RESOLVED}),
    _S.VOIDED: frozenset(),
    _S.RESOLVED: frozenset(),
}
"""Which status may follow which. Nothing becomes new again, and the last two are final."""

ACTIVE = frozenset({_S.NEW, _S.TRIAGED})
"""Those that an order counts: reference ``ActiveProcessExceptionCount``."""

UNSETTLED = tuple(status for status, following in TRANSITIONS.items() if following)
"""Those that something still follows: a flow may wait at them, and nothing is raised twice."""


def category_of_status(status: ExceptionStatus) -> StatusCategory:
    """Return what *status* comes to."""
    if status is _S.RESOLVED:
        return "RESOLVED"
    return "ACTIVE" if status in ACTIVE else "INACTIVE"


class TransitionRefused(OrderloomError):
    """The process exception cannot come to this status from the one it has.

    The facts name those that it can come to.
    """

    code = "exception.transition_refused"
    status = 409


class FlowWaits(OrderloomError):
    """A flow waits at the process exception.

    Decide what the flow does: retry, skip, goto, compensate or resolve. Pause or ignore it to see to it later.
    """

    code = "exception.flow_waits"
    status = 409


class ChangeException(Frozen):
    """What a person changes of a process exception beside deciding about it; what is left out stays."""

    status: Annotated[
        Literal["triaged", "paused", "ignored", "voided"] | None,
        Field(
            description="triaged: somebody has seen it. paused, ignored: it does not count as active. voided: it never "
            "was one; final, and not while a flow waits. It is resolved by deciding about it."
        ),
    ] = None
    owner: Annotated[Name | None, Field(description="Who sees to it; null takes it from whoever does.")] = None
    deadline: Annotated[AwareDatetime | None, Field(description="When it must be settled; null: never.")] = None
    severity: Severity | None = None
    priority: Severity | None = None
    by: Annotated[Name, Field(description="Who changes it.")] = "operators"
    reason: Annotated[Reason, Field(description="Why, in words; nothing of a customer.")] = ""

    @model_validator(mode="after")
    def _something(self) -> "ChangeException":
        if not self.model_fields_set.intersection(CHANGEABLE):
            raise ValueError(f"nothing is to be changed: name at least one of {', '.join(CHANGEABLE)}")
        return self


CHANGEABLE = ("status", "owner", "deadline", "severity", "priority")
"""What a change names; null counts for owner and deadline only."""
_NULLABLE = frozenset({"owner", "deadline"})


class Tracked(Frozen):
    """What of a process exception a person can change, as it stands."""

    id: str
    status: ExceptionStatus
    owner: str | None = None
    deadline: AwareDatetime | None = None
    severity: Severity
    priority: Severity
    awaited: bool = False
    """A flow waits at it."""


def change(now: datetime, current: Tracked, wanted: ChangeException) -> dict[str, Json | datetime]:
    """
    Return the columns that *wanted* changes of *current*, those left out that are so already.

    Raises:
        ExceptionClosed: it is settled.
        TransitionRefused: the status may not follow the one it has.
        FlowWaits: it is to be voided, and a flow waits at it.
    """
    if not TRANSITIONS[current.status]:
        raise ExceptionClosed(f"process exception {current.id} is {current.status}", exception=current.id)
    columns: dict[str, Json | datetime] = {}
    for name in CHANGEABLE:
        value = getattr(wanted, name)
        given = name in wanted.model_fields_set and (value is not None or name in _NULLABLE)
        if given and value != getattr(current, name):
            columns[name] = value
    if "status" in columns:
        columns |= _moved(now, current, ExceptionStatus(str(columns["status"])))
    if "deadline" in columns:
        columns["escalated_at"] = None
    return columns


def _moved(now: datetime, current: Tracked, to: ExceptionStatus) -> dict[str, Json | datetime]:
    following = TRANSITIONS[current.status]
    if to not in following:
        known = sorted(following - {_S.RESOLVED})
        detail = f"process exception {current.id} is {current.status}, and cannot be {to}: only {', '.join(known)}"
        raise TransitionRefused(detail, exception=current.id, status=current.status, possible=[*known])
    if to is _S.VOIDED and current.awaited:
        raise FlowWaits(f"a flow waits at process exception {current.id}", exception=current.id)
    return {"ended_at": now} if not TRANSITIONS[to] else {}


def told(current: Tracked, columns: Mapping[str, Json | datetime]) -> JsonObject:
    """Return what *columns* change of *current*, for its history: each field with what it was and what it is."""
    return {
        name: {"from": _plain(getattr(current, name)), "to": _plain(columns[name])}
        for name in CHANGEABLE
        if name in columns
    }


def _plain(value: Json | datetime) -> Json:
    return value.isoformat() if isinstance(value, datetime) else value

"""What a channel wants of process exceptions: when each must be settled, and what is raised when time passes."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from orderloom.domain.model import Frozen

Hours = Annotated[float, Field(gt=0, le=24 * 366)]

DEADLINES: dict[str, float] = {"Payment/High": 4.0, "High": 24.0, "Low": 72.0}
"""Hours by category and severity, by category, or by severity; the most exact of them counts."""


class ExceptionPolicy(Frozen):
    """The deadlines of process exceptions, and how long a location may take to answer."""

    deadlines: dict[str, Hours] = {}
    """Hours by ``Category/Severity``, ``Category`` or ``Severity``, before those that hold anyway."""
    accept_within: Annotated[float, Field(gt=0)] | None = None
    """Seconds in which a location must accept a fulfillment order, else an exception is raised; None: never."""


def deadline_of(policy: ExceptionPolicy, category: str, severity: str, now: datetime) -> datetime | None:
    """Return when an exception that is raised *now* must be settled; the most exact rule counts, the policy's first."""
    for rules in (policy.deadlines, DEADLINES):
        for name in (f"{category}/{severity}", category, severity):
            if name in rules:
                return now + timedelta(hours=rules[name])
    return None

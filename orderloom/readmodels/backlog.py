"""What has been left lying: for whoever watches a deployment. Every count has an index that holds no more than it."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CompoundSelect, Select, and_, func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders, outbox
from orderloom.persistence.tables.waiting import proposals
from orderloom.readmodels.exceptions import OPEN
from orderloom.readmodels.pools import LATELY

LATE = timedelta(minutes=1)
"""A deadline that passed longer ago has been missed."""


class Examined(Frozen):
    """What the doctor's last examination came to."""

    findings: int
    age_seconds: float
    """How long ago it ended."""


class Backlog(Frozen):
    """What waits, over all orders."""

    undelivered: int
    """Intake rows that no order has answered."""
    oldest_seconds: float
    """Age of the oldest of them; 0 without any."""
    dead: int
    """Intake rows that were given up."""
    unpublished: int
    """Journal entries that have no place in the feed yet."""
    overdue: int
    """Orders whose next deadline passed more than a minute ago."""
    exceptions: dict[str, int]
    """Open process exceptions by category."""
    proposals: dict[str, int] = {}
    """By status: what waits for its order's answer (``open``), and what ended in the last hour."""
    examined: Examined | None = None
    """None: the doctor does not run by itself, or has not yet."""


async def backlog(conn: AsyncConnection, now: datetime, examined: Examined | None = None) -> Backlog:
    """Count what waits at *now* (business time), in three statements; tell what the doctor found last."""
    counts = (await conn.execute(_counts(now))).mappings().one()
    exceptions = (await conn.execute(_EXCEPTIONS)).all()
    held = (await conn.execute(_proposals(now))).all()
    oldest = counts["oldest"]
    return Backlog(
        undelivered=counts["undelivered"],
        oldest_seconds=0.0 if oldest is None else (now - oldest).total_seconds(),
        dead=counts["dead"],
        unpublished=counts["unpublished"],
        overdue=counts["overdue"],
        exceptions={row.category: row.open for row in exceptions},
        proposals={row.status: row.proposals for row in held},
        examined=examined,
    )


def _counts(now: datetime) -> Select[int, datetime | None, int, int, int]:
    # Written out: a partial index is for the statement that names its condition, whatever the parameters are.
    waiting = intake.c.status == literal_column("'received'")
    overdue = and_(orders.c.closed_at.is_(None), orders.c.next_due_at < now - LATE)
    return select(
        select(func.count()).where(waiting).scalar_subquery().label("undelivered"),
        select(func.min(intake.c.received_at)).where(waiting).scalar_subquery().label("oldest"),
        select(func.count()).where(intake.c.status == literal_column("'dead'")).scalar_subquery().label("dead"),
        select(func.count()).where(outbox.c.position.is_(None)).scalar_subquery().label("unpublished"),
        select(func.count()).where(overdue).scalar_subquery().label("overdue"),
    )


def _proposals(now: datetime) -> CompoundSelect[*tuple[Any, ...]]:
    status = proposals.c.status
    counted = select(status, func.count().label("proposals")).group_by(status)
    return counted.where(status == literal_column("'open'")).union_all(
        counted.where(proposals.c.ended_at > now - LATELY)
    )


_EXCEPTIONS = (
    select(process_exceptions.c.category, func.count().label("open"))
    .where(process_exceptions.c.status.in_(OPEN))
    .group_by(process_exceptions.c.category)
    .order_by(process_exceptions.c.category)
)

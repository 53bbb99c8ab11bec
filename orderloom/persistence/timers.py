"""
What time has passed for: deadlines of process exceptions, fulfillment orders that nobody accepted, questions about
routes whose answer nobody came for, proposals that have ended, and waves of long ago.
"""

from datetime import datetime, timedelta

from sqlalchemy import DateTime, bindparam, delete, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.persistence.tables.fulfillment import routing_searches
from orderloom.persistence.tables.waiting import proposals, waves

NOT_ACCEPTED = "fulfillment.not_accepted"
"""Code of the exception of a fulfillment order that its location has not accepted in time."""

ABANDONED = timedelta(days=1)
"""So old is a question about routes that nobody asks any more: its order was cancelled, or its flow went on."""
ENDED = timedelta(days=1)
"""So long is a proposal kept after its end."""
PAST = timedelta(days=30)
"""So long is kept what a wave came to; routing attempts go on naming its number."""


class Overdue(Frozen):
    """An active process exception whose deadline has passed, and which nobody was told of."""

    exception: str
    order: str | None
    mark: str
    """What tells this passing from another: a changed deadline is a change more."""


class Unaccepted(Frozen):
    """A fulfillment order that its location should have accepted."""

    id: str
    order: str


_NOW = bindparam("now", type_=DateTime(timezone=True))
_OVERDUE = text(
    """
    SELECT due.exception, due.order, due.mark
    FROM (SELECT e.id AS exception, e.order_id AS order, e.deadline,
                 e.id || '#' || (SELECT COUNT(*) FROM exception_changes c WHERE c.exception_id = e.id) AS mark
          FROM process_exceptions e
          WHERE e.status IN ('new', 'triaged') AND e.escalated_at IS NULL AND e.deadline <= :now) due
    WHERE NOT EXISTS (SELECT 1 FROM intake i
                      WHERE i.source = 'timer' AND i.type = 'exception.deadline.passed' AND i.external_id = due.mark)
    ORDER BY due.deadline, due.exception LIMIT :limit
    """
).bindparams(_NOW)
_UNACCEPTED = text(
    """
    SELECT f.id, f.order_id AS order
    FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id
    WHERE f.status = 'allocated' AND f.hold_reason IS NULL AND f.created_at < :now
        AND f.created_at + make_interval(secs => (o.policy #>> '{exceptions,accept_within}')::float) <= :now
        AND NOT EXISTS (SELECT 1 FROM intake i
                        WHERE i.source = 'timer' AND i.type = 'fulfillment.unaccepted' AND i.external_id = f.id)
    ORDER BY f.created_at, f.id LIMIT :limit
    """
).bindparams(_NOW)
_ESCALATE = text(
    """
    WITH due AS (
        UPDATE process_exceptions e SET escalated_at = :now, priority = 'High'
        FROM (SELECT id, priority FROM process_exceptions
              WHERE id = :exception AND order_id IS NULL AND status IN ('new', 'triaged') AND escalated_at IS NULL
                  AND deadline <= :now FOR UPDATE) before
        WHERE e.id = before.id RETURNING e.id, before.priority
    )
    INSERT INTO exception_changes (exception_id, number, at, by, reason, changes, key)
    SELECT due.id, 1 + (SELECT COUNT(*) FROM exception_changes c WHERE c.exception_id = due.id), :now, 'timer', '',
           jsonb_build_object('escalated', jsonb_build_object('from', due.priority, 'to', 'High')), 'timer'
    FROM due
    """
).bindparams(_NOW)


async def overdue(conn: AsyncConnection, now: datetime, limit: int = 200) -> list[Overdue]:
    """Return active exceptions whose deadline has passed *now* and that are not escalated, the earliest first."""
    return [Overdue.model_validate(row) for row in (await conn.execute(_OVERDUE, _at(now, limit))).mappings()]


async def unaccepted(conn: AsyncConnection, now: datetime, limit: int = 200) -> list[Unaccepted]:
    """Return fulfillment orders that are not accepted *now* though the order's policy wants it, each once."""
    return [Unaccepted.model_validate(row) for row in (await conn.execute(_UNACCEPTED, _at(now, limit))).mappings()]


async def escalate(conn: AsyncConnection, exception: str, now: datetime) -> None:
    """Raise the priority of an overdue exception that belongs to no order, once."""
    await conn.execute(_ESCALATE, {"exception": exception, "now": now})


async def clear_searches(conn: AsyncConnection, now: datetime) -> None:
    """Forget questions about routes that are abandoned; an order that would still ask one asks it anew."""
    await conn.execute(delete(routing_searches).where(routing_searches.c.at < now - ABANDONED))


async def clear_waves(conn: AsyncConnection, now: datetime, limit: int = 1000) -> None:
    """Forget the oldest proposals that have ended and the oldest waves, of either at most *limit*."""
    ended, wave = proposals.c, waves.c
    old_proposals = select(ended.id).where(ended.ended_at < now - ENDED).order_by(ended.ended_at).limit(limit)
    old_waves = select(wave.id).where(wave.at < now - PAST).order_by(wave.at).limit(limit)
    await conn.execute(delete(proposals).where(ended.id.in_(old_proposals)))
    await conn.execute(delete(waves).where(wave.id.in_(old_waves)))


def _at(now: datetime, limit: int) -> dict[str, object]:
    return {"now": now, "limit": limit}

"""Routing schedules of all orders, by status and date."""

from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen, Instant
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.readmodels.order_documents import RoutingScheduleView

_table = routing_schedules.c

ScheduleStatus = Literal["scheduled", "completed", "abandoned"]
"""What a routing schedule is: planned, carried out, or given up."""


class ScheduleFilter(Frozen):
    """Which routing schedules are meant; all that is given must be so."""

    status: Annotated[ScheduleStatus, Field(description="Only those that are so.")] = "scheduled"
    due_before: Annotated[Instant | None, Field(description="Only those whose date is before that.")] = None


class OrderedSchedule(RoutingScheduleView):
    """A routing schedule, and its order."""

    order: str


async def schedules_page(
    conn: AsyncConnection, wanted: ScheduleFilter, *, after: tuple[str, int] | None, limit: int
) -> list[OrderedSchedule]:
    """Return at most *limit* schedules as *wanted*, the earliest first, from behind that with the key *after*."""
    query = (
        select(
            _table.order_id.label("order"),
            _table.number,
            _table.status,
            _table.reason,
            _table.scheduled_at,
            _table.ended_at,
        )
        .where(_table.status == wanted.status)
        .order_by(_table.scheduled_at, _table.order_id, _table.number)
        .limit(limit)
    )
    if wanted.due_before is not None:
        query = query.where(_table.scheduled_at < wanted.due_before)
    if after is not None:
        order, number = after
        key = (_table.order_id == order) & (_table.number == number)
        mark = select(_table.scheduled_at, _table.order_id, _table.number).where(key).scalar_subquery()
        query = query.where(tuple_(_table.scheduled_at, _table.order_id, _table.number) > mark)
    return [OrderedSchedule.model_validate(row) for row in (await conn.execute(query)).mappings()]

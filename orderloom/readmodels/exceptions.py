"""Process exceptions, for people to see and act on."""

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Select, Text, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen
from orderloom.persistence.tables.operations import process_exceptions

OPEN: Sequence[ColumnElement[str]] = (literal_column("'new'", Text), literal_column("'triaged'", Text))
"""
The statuses of an exception that waits for somebody.

Written out: a partial index is for the statement that names its condition, whatever the parameters are.
"""


class ExceptionView(Frozen):
    """A process exception: what went wrong, where, and which flow waits for it."""

    id: str
    order: str | None
    """None when it is about something that belongs to no order, such as an imported row."""
    category: str
    code: str
    detail: str
    severity: str
    priority: str
    status: str
    attached_to: str | None
    flow: str | None
    """The flow that waits, when one does; then *retry* and *skip* are possible."""
    task: str | None
    error: Problem | None
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


def _select() -> Select[*tuple[Any, ...]]:
    table = process_exceptions.c
    return select(
        table.id,
        table.order_id.label("order"),
        table.category,
        table.code,
        table.detail,
        table.severity,
        table.priority,
        table.status,
        table.attached_to,
        table.flow,
        table.task,
        table.error,
        table.created_at,
        table.ended_at,
    )


async def exceptions_of(conn: AsyncConnection, order_id: str) -> list[ExceptionView]:
    """Return all process exceptions of an order, oldest first."""
    query = _select().where(process_exceptions.c.order_id == order_id).order_by(process_exceptions.c.number)
    return [ExceptionView.model_validate(row) for row in (await conn.execute(query)).mappings()]


async def open_exceptions(conn: AsyncConnection, *, after: str | None, limit: int) -> list[ExceptionView]:
    """Return at most *limit* open exceptions of all orders, oldest first, from behind the exception *after*."""
    table = process_exceptions.c
    query = _select().where(table.status.in_(OPEN)).order_by(table.created_at, table.id).limit(limit)
    if after is not None:
        mark = select(table.created_at, table.id).where(table.id == after).scalar_subquery()
        query = query.where(tuple_(table.created_at, table.id) > mark)
    return [ExceptionView.model_validate(row) for row in (await conn.execute(query)).mappings()]


async def exception_by_id(conn: AsyncConnection, exception_id: str) -> ExceptionView | None:
    """Return one process exception, or None."""
    row = (await conn.execute(_select().where(process_exceptions.c.id == exception_id))).mappings().one_or_none()
    return None if row is None else ExceptionView.model_validate(row)

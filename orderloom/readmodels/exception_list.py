"""Lists of process exceptions: what is asked for, page by page."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.exception_status import ExceptionStatus, Severity
from orderloom.domain.model import Frozen
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.readmodels.exceptions import OPEN, ExceptionView, select_views, view_of

NOBODY = "-"
"""As owner: those that nobody has."""

Ask = Literal["new", "triaged", "paused", "ignored", "voided", "resolved", "active", "inactive", "all"]
"""A status, or what it comes to."""

_table = process_exceptions.c


class ExceptionFilter(Frozen):
    """Which process exceptions are meant; all that is given must be so."""

    order: Annotated[str | None, Field(description="Only those of the order with this id.")] = None
    status: Annotated[
        Ask, Field(description="A status; active: new or triaged; inactive: paused, ignored or voided; or all.")
    ] = "active"
    category: Annotated[str | None, Field(description="Only of this category, such as Payment.")] = None
    code: Annotated[
        str | None, Field(description="Only errors with this code; with a dot at the end, all that begin with it.")
    ] = None
    severity: Annotated[Severity | None, Field(description="Only of this severity.")] = None
    priority: Annotated[Severity | None, Field(description="Only of this priority.")] = None
    owner: Annotated[str | None, Field(description="Only those that this person or team has; `-`: nobody.")] = None
    overdue: Annotated[
        bool | None, Field(description="Only those whose deadline has passed, or has not while they are unsettled.")
    ] = None
    older_than: Annotated[float | None, Field(ge=0, description="Only those raised at least so many seconds ago.")] = (
        None
    )

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """Return what must be so at *now*."""
        same = {"order_id": self.order, "category": self.category, "severity": self.severity, "priority": self.priority}
        found = [_table[name] == value for name, value in same.items() if value is not None]
        found += self._status()
        if self.code is not None:
            found.append(
                _table.code.startswith(self.code, autoescape=True)
                if self.code.endswith(".")
                else _table.code == self.code
            )
        if self.owner is not None:
            found.append(_table.owner.is_(None) if self.owner == NOBODY else _table.owner == self.owner)
        if self.overdue is not None:
            late = (_table.deadline <= now) & _table.ended_at.is_(None)
            found.append(late if self.overdue else ~func.coalesce(late, False))
        if self.older_than is not None:
            found.append(_table.created_at <= now - timedelta(seconds=self.older_than))
        return found

    def _status(self) -> list[ColumnElement[bool]]:
        match self.status:
            case "all":
                return []
            case "active":
                return [_table.status.in_(OPEN)]
            case "inactive":
                inactive = (ExceptionStatus.PAUSED, ExceptionStatus.IGNORED, ExceptionStatus.VOIDED)
                return [_table.status.in_(inactive)]
            case status:
                return [_table.status == status]


async def exceptions_page(
    conn: AsyncConnection, wanted: ExceptionFilter, *, after: str | None, limit: int, now: datetime
) -> list[ExceptionView]:
    """Return at most *limit* exceptions as *wanted*, oldest first, from behind the exception *after*."""
    query = select_views().where(*wanted.conditions(now)).order_by(_table.created_at, _table.id).limit(limit)
    if after is not None:
        mark = select(_table.created_at, _table.id).where(_table.id == after).scalar_subquery()
        query = query.where(tuple_(_table.created_at, _table.id) > mark)
    return [view_of(row) for row in (await conn.execute(query)).mappings()]


async def exceptions_by_id(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, ExceptionView]:
    """Return those of *ids* that there are."""
    query = select_views().where(_table.id.in_(ids))
    return {row["id"]: view_of(row) for row in (await conn.execute(query)).mappings()}


async def count_others(conn: AsyncConnection, wanted: ExceptionFilter, ids: Sequence[str], now: datetime) -> int:
    """Return how many exceptions are as *wanted* that are none of *ids*."""
    query = select(func.count()).where(*wanted.conditions(now), _table.id.not_in(ids))
    return (await conn.execute(query)).scalar_one()

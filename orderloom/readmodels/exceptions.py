"""Process exceptions, for people to see and act on."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Select, Text, case, exists, literal_column, null, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json, JsonObject, Message
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances

OPEN: Sequence[ColumnElement[str]] = (literal_column("'new'", Text), literal_column("'triaged'", Text))
"""
The statuses of an exception that waits for somebody.

Written out: a partial index is for the statement that names its condition, whatever the parameters are.
"""


class CompensationView(Message):
    """One call that the flow has done, and the action that undoes it, or why nothing does."""

    task: str
    action: str
    undone_by: str | None = None
    reason: str | None = None


class WaitingView(Message):
    """What the flow that waits can do next."""

    action: str | None = None
    """The action that failed; its contract says which input and output are valid."""
    finished: bool = False
    """The task's work was done: it failed in what its output becomes, and *skip* gives that."""
    within: tuple[str, ...] = ()
    """The tasks that *goto* may name."""
    undoing: bool = False
    """It is a compensation that failed: *retry* or *skip* it, or stop with *resolved*."""
    compensations: tuple[CompensationView, ...] = ()
    """What *compensate* would do, in its order; at most 100."""
    calls: int = 0
    """How many calls that would concern."""


class UndoneView(Message):
    """What became of undoing one call."""

    task: str
    action: str
    outcome: Literal["undone", "skipped", "final"]
    by: str | None = None
    reason: str | None = None


class ResultView(Message):
    """What became of undoing a flow's calls, in the order in which it was done."""

    calls: tuple[UndoneView, ...] = ()


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
    """Name and version of the flow that raised it."""
    flow_hash: str | None
    instance: str | None
    """The instance of the flow that failed: the id of the event that started it, ``@``, hash of the flow."""
    task: str | None
    """JSON pointer of the task; empty when it is the flow itself."""
    input: Json
    """Of the task: ids, numbers and flags; longer texts are left out."""
    attempts: int | None
    error: Problem | None
    waiting: WaitingView | None
    """None when no flow waits at it: then it can only be resolved."""
    decision: JsonObject | None
    """What was decided about it."""
    result: ResultView | None
    """With *compensate*: what became of it, once all is undone."""
    created_at: AwareDatetime
    ended_at: AwareDatetime | None


_ENDED = (
    exists()
    .where(
        flow_instances.c.order_id == process_exceptions.c.order_id,
        flow_instances.c.instance == process_exceptions.c.instance,
        flow_instances.c.status.not_in(("running", "faulted")),
    )
    .correlate(process_exceptions)
)
"""Another instance has replaced the one that waited."""


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
        table.flow_hash,
        table.instance,
        table.task,
        table.input,
        table.attempts,
        table.error,
        case((_ENDED, null()), else_=table.waiting).label("waiting"),
        table.decision,
        table.result,
        table.created_at,
        table.ended_at,
    )


async def exceptions_of(conn: AsyncConnection, order_id: str) -> list[ExceptionView]:
    """Return all process exceptions of an order, oldest first."""
    query = _select().where(process_exceptions.c.order_id == order_id).order_by(process_exceptions.c.number)
    return [ExceptionView.model_validate(row) for row in (await conn.execute(query)).mappings()]


async def open_exceptions(
    conn: AsyncConnection, *, after: str | None, limit: int, order: str | None = None
) -> list[ExceptionView]:
    """Return at most *limit* open exceptions of all orders or one, oldest first, from behind the exception *after*."""
    table = process_exceptions.c
    query = _select().where(table.status.in_(OPEN)).order_by(table.created_at, table.id).limit(limit)
    if order is not None:
        query = query.where(table.order_id == order)
    if after is not None:
        mark = select(table.created_at, table.id).where(table.id == after).scalar_subquery()
        query = query.where(tuple_(table.created_at, table.id) > mark)
    return [ExceptionView.model_validate(row) for row in (await conn.execute(query)).mappings()]


async def exception_by_id(conn: AsyncConnection, exception_id: str) -> ExceptionView | None:
    """Return one process exception, or None."""
    row = (await conn.execute(_select().where(process_exceptions.c.id == exception_id))).mappings().one_or_none()
    return None if row is None else ExceptionView.model_validate(row)

"""Process exceptions, for people to see and act on."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, RowMapping, Select, Text, case, exists, func, literal_column, null, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import Problem
from orderloom.domain.exception_status import ExceptionStatus, Severity
from orderloom.domain.model import Frozen, Json, JsonObject, Message
from orderloom.domain.remedies import AllowedAction, Situation, Suggestion, allowed_actions, suggestions
from orderloom.persistence.tables.operations import exception_changes, process_exceptions
from orderloom.persistence.tables.orders import flow_instances

OPEN: Sequence[ColumnElement[str]] = (literal_column("'new'", Text), literal_column("'triaged'", Text))
"""
The statuses of an exception that waits for somebody: ``domain.exception_status.ACTIVE``.

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


class ChangeView(Frozen):
    """One change of a process exception: who, when, why, and what."""

    number: int
    at: AwareDatetime
    by: str
    reason: str
    changes: JsonObject
    """Each field with what it was and what it is; ``decided``: what the flow was told."""


class ExceptionView(Frozen):
    """A process exception: what went wrong, where, and which flow waits for it."""

    id: str
    order: str | None
    """None when it is about something that belongs to no order, such as an imported row."""
    category: str
    code: str
    detail: str
    severity: Severity
    priority: Severity
    status: ExceptionStatus
    active: bool
    """Whether the order counts it: it waits for somebody."""
    owner: str | None
    """Who sees to it."""
    deadline: AwareDatetime | None
    """When it must be settled."""
    escalated_at: AwareDatetime | None
    """When the deadline was seen to have passed; its priority is High since."""
    version: int
    """How often people and timers have changed it."""
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
    allowed_actions: tuple[AllowedAction, ...] = ()
    """Each with what it would do, or why it cannot be done now."""
    suggestions: tuple[Suggestion, ...] = ()
    """What helps against errors of this code, the best first."""
    changes: tuple[ChangeView, ...] = ()
    """What was changed of it, the first first; lists leave it out."""


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


_VERSION = (
    select(func.count())
    .select_from(exception_changes)
    .where(exception_changes.c.exception_id == process_exceptions.c.id)
    .correlate(process_exceptions)
    .scalar_subquery()
)


def select_views() -> Select[*tuple[Any, ...]]:
    """Return the query of all exceptions, for ``view_of``."""
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
        table.status.in_(OPEN).label("active"),
        table.owner,
        table.deadline,
        table.escalated_at,
        _VERSION.label("version"),
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
    query = select_views().where(process_exceptions.c.order_id == order_id).order_by(process_exceptions.c.number)
    return [view_of(row) for row in (await conn.execute(query)).mappings()]


async def exception_by_id(conn: AsyncConnection, exception_id: str) -> ExceptionView | None:
    """Return one process exception with what was changed of it, or None."""
    query = select_views().where(process_exceptions.c.id == exception_id)
    row = (await conn.execute(query)).mappings().one_or_none()
    if row is None:
        return None
    change = exception_changes.c
    history = select(change.number, change.at, change.by, change.reason, change.changes)
    rows = await conn.execute(history.where(change.exception_id == exception_id).order_by(change.number))
    changes = tuple(ChangeView.model_validate(each) for each in rows.mappings())
    return view_of(row).model_copy(update={"changes": changes})


def view_of(row: RowMapping) -> ExceptionView:
    """Return a row of ``select_views`` as people see it, with what can be done about it now."""
    view = ExceptionView.model_validate(row)
    waiting = view.waiting
    situation = Situation(
        status=view.status,
        owner=view.owner,
        waits=waiting is not None,
        undoing=waiting is not None and waiting.undoing,
        action=None if waiting is None else waiting.action,
        task=view.task,
        within=() if waiting is None else waiting.within,
        undoable=0 if waiting is None else sum(each.undone_by is not None for each in waiting.compensations),
        calls=0 if waiting is None else waiting.calls,
    )
    found = {"allowed_actions": allowed_actions(situation), "suggestions": suggestions(view.code, situation)}
    return view.model_copy(update=found)

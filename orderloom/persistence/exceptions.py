"""
Process exceptions that belong to no order: raised, changed and resolved here, each in one transaction of its own.

Those of an order change with the order, under its lock; those without one have no workflow to go through.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.exception_policy import ExceptionPolicy, deadline_of
from orderloom.domain.exception_status import UNSETTLED, ChangeException, Severity, Tracked, change, told
from orderloom.domain.exceptions import ExceptionClosed, ExceptionUnknown
from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.ids import uuid7
from orderloom.persistence.intake import Submission, submit
from orderloom.persistence.tables.operations import exception_changes, exception_number, process_exceptions
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.vault import Vault

_table = process_exceptions.c
_change = exception_changes.c


class Raised(Frozen):
    """What is wrong, for a person to see and act on; ids and small facts, nothing of a person."""

    category: str
    code: str
    detail: str
    attached_to: str | None = None
    """What it is about: with the code, what tells it from others."""
    severity: Severity = "High"
    priority: Severity = "High"
    source: str
    """Who found it, such as ``doctor``."""


async def raise_found(engine: AsyncEngine, vault: Vault, order: str | None, raised: Raised, now: datetime) -> bool:
    """
    Raise what was found wrong beside all flows, with *order* or about none; False: it is known and not settled.

    About an order it goes in by the one way in, as an event that the relay records: no workflow is woken.
    """
    if order is None:
        async with Transaction(engine) as conn:
            return (await raise_without_order(conn, raised, now))[1]
    async with engine.connect() as conn:
        query = select(_table.id).where(_table.order_id == order, _same(raised)).limit(1)
        if await conn.scalar(query) is not None:
            return False
    event = Submission(
        kind="event",
        type="exception.found",
        source=raised.source,
        external_id=uuid7(now),
        order_id=order,
        body=raised.model_dump(mode="json"),
        received_at=now,
    )
    await submit(engine, vault, event)
    return True


def _same(raised: Raised) -> ColumnElement[bool]:
    about = _table.attached_to.is_not_distinct_from(raised.attached_to)
    return (_table.code == raised.code) & about & _table.status.in_(UNSETTLED)


async def raise_without_order(conn: AsyncConnection, raised: Raised, now: datetime) -> tuple[str, bool]:
    """
    Record a process exception that belongs to no order, and return its id and whether it is new.

    While one with the same code and attachment is not settled, it is that one.
    """
    await conn.execute(_ONE_AT_A_TIME, {"what": f"{raised.code}/{raised.attached_to}"})
    query = select(_table.id).where(_table.order_id.is_(None), _same(raised)).limit(1)
    if (known := await conn.scalar(query)) is not None:
        return str(known), False
    number = (await conn.execute(select(exception_number.next_value()))).scalar_one()
    row = {
        **raised.model_dump(exclude={"source"}),
        "id": f"X{number}",
        "number": number,
        "status": "new",
        "flow": raised.source,
        "deadline": deadline_of(ExceptionPolicy(), raised.category, raised.severity, now),
        "created_at": now,
    }
    await conn.execute(insert(process_exceptions).values(row))
    return f"X{number}", True


_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:what, 20))")


async def change_without_order(
    engine: AsyncEngine, exception: str, wanted: ChangeException, *, key: str, now: datetime
) -> None:
    """
    Change a process exception that belongs to no order, once for its *key*.

    Raises:
        ExceptionUnknown: there is none with this id that belongs to no order.
        ExceptionClosed, TransitionRefused: what ``domain.exception_status.change`` refuses.
    """

    def changed(row: Row[*tuple[Any, ...]]) -> tuple[Mapping[str, Any], JsonObject]:
        current = tracked(row)
        columns = change(now, current, wanted)
        return columns, told(current, columns)

    await _once(engine, exception, changed, by=wanted.by, reason=wanted.reason, key=key, now=now)


async def resolve_without_order(  # noqa: PLR0917
    engine: AsyncEngine, exception: str, by: str, reason: str, key: str, now: datetime
) -> None:
    """
    Resolve a process exception that belongs to no order, once for its *key*.

    Raises:
        ExceptionUnknown: there is none with this id that belongs to no order.
        ExceptionClosed: it is settled.
    """

    def resolved(row: Row[*tuple[Any, ...]]) -> tuple[Mapping[str, Any], JsonObject]:
        if row.status not in UNSETTLED:
            raise ExceptionClosed(f"process exception {exception} is {row.status}", exception=exception)
        decision = {"exception": exception, "kind": "resolved"}
        columns = {"status": "resolved", "ended_at": now, "decision": decision}
        return columns, {"status": {"from": row.status, "to": "resolved"}, "decided": "resolved"}

    await _once(engine, exception, resolved, by=by, reason=reason, key=key, now=now)


async def _once(
    engine: AsyncEngine,
    exception: str,
    decide: Callable[[Row[*tuple[Any, ...]]], tuple[Mapping[str, Any], JsonObject]],
    *,
    by: str,
    reason: str,
    key: str,
    now: datetime,
) -> None:
    async with Transaction(engine) as conn:
        query = select(process_exceptions).where(_table.id == exception, _table.order_id.is_(None))
        row = (await conn.execute(query.with_for_update())).one_or_none()
        if row is None:
            raise ExceptionUnknown(f"there is no process exception {exception}", exception=exception)
        past = select(func.count(), func.bool_or(_change.key == key)).where(_change.exception_id == exception)
        count, done = (await conn.execute(past)).one()
        if done:
            return
        columns, changes = decide(row)
        if columns:
            await conn.execute(update(process_exceptions).where(_table.id == exception).values(**columns))
        entry = {"exception_id": exception, "number": count + 1, "at": now, "by": by, "reason": reason}
        await conn.execute(insert(exception_changes).values({**entry, "changes": changes, "key": key}))


def tracked(row: Row[*tuple[Any, ...]], *, awaited: bool = False) -> Tracked:
    """Return what of an exception's *row* a person can change."""
    return Tracked(
        id=row.id,
        status=row.status,
        owner=row.owner,
        deadline=row.deadline,
        severity=row.severity,
        priority=row.priority,
        awaited=awaited,
    )

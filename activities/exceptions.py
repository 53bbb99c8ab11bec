"""Process exceptions: raised by flows, resolved by flows and by people."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, select

from activities.arrivals import Arrival, body_as
from activities.exception_history import note_change, note_change_by_flow
from activities.registry import implements
from activities.unit import Unit
from flows_dsl.deciding import examine
from orderloom.contracts import actions
from orderloom.contracts.actions import Count, ExceptionRaised, RaiseException, ResolveExceptions
from orderloom.domain import ids
from orderloom.domain.exception_policy import deadline_of
from orderloom.domain.exception_status import UNSETTLED
from orderloom.domain.exceptions import Decision, ExceptionClosed, ExceptionUnknown, NobodyWaits
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances
from orderloom.persistence.writes import Values

LIVE = ("running", "faulted")
"""Statuses of an instance that has not ended."""

_table = process_exceptions.c


@implements(actions.raise_exception)
async def raise_exception(unit: Unit, command: RaiseException) -> ExceptionRaised:
    """Record a process exception, unless one with the same code and attachment is open: then it is that one."""
    same = (_table.code == command.code) & _table.attached_to.is_not_distinct_from(command.attached_to)
    if known := await _open(unit, same):
        return ExceptionRaised(exception=known[0].id)
    flow, slash, task = unit.cause.partition("/")
    raised = await enter_exception(unit, {"flow": flow, "task": f"{slash}{task}" or None, **command.model_dump()})
    return ExceptionRaised(exception=raised)


async def enter_exception(unit: Unit, columns: Values) -> str:
    """Enter a new exception of the order and journal it; *columns* say what it is about. Return its id."""
    number = await unit.next_number(process_exceptions)
    exception = ids.exception_id(unit.order.id, number)
    category, severity = columns["category"], columns["severity"]
    unit.journal("exception.raised", {"exception": exception, "code": columns["code"], "category": category})
    row = {"id": exception, "order_id": unit.order.id, "number": number, "status": "new", "created_at": unit.now}
    deadline = deadline_of(unit.order.policy.exceptions, category, severity, unit.now)
    unit.enter(process_exceptions, {**row, "deadline": deadline, **columns})
    return exception


@implements(actions.resolve_exceptions)
async def resolve_exceptions(unit: Unit, command: ResolveExceptions) -> Count:
    """Resolve the order's open exceptions of one code."""
    return Count(count=await _resolve(unit, await _open(unit, _table.code == command.code)))


_instance = flow_instances.c
_ONE = (
    select(
        _table.id,
        _table.status,
        _table.decision,
        _table.ended_at,
        _table.waiting,
        _table.task,
        _table.instance,
        _instance.status.label("flow"),
    )
    .outerjoin(flow_instances, and_(_instance.order_id == _table.order_id, _instance.instance == _table.instance))
    .where(_table.order_id == bindparam("of_order"), _table.id == bindparam("of_id"))
)
_OTHERS = select(_table.id).where(
    _table.order_id == bindparam("of_order"), _table.instance == bindparam("instance"), _table.status.in_(UNSETTLED)
)


async def record_resolution(unit: Unit, arrival: Arrival) -> int:
    """
    Journal what a person decided about an exception, and resolve it. What cannot be done changes nothing.

    Raises:
        ExceptionUnknown: the order has no such exception.
        ExceptionClosed: it is not open any more.
        NobodyWaits: no flow waits at it, and the decision is one for a flow.
        AlreadyUndoing, TaskOutOfReach, InvalidInput: the flow that waits cannot do what was decided.
    """
    decision = body_as(arrival, Decision, without=("by", "reason"))
    row = (await unit.read(_ONE, {"of_order": unit.order.id, "of_id": decision.exception})).one_or_none()
    if row is None:
        detail = f"order {unit.order.id} has no process exception {decision.exception}"
        raise ExceptionUnknown(detail, exception=decision.exception)
    if row.status not in UNSETTLED:
        raise _closed(row)
    if row.waiting is not None and row.flow in LIVE:
        examine(decision, row.waiting, row.task)
    elif decision.kind != "resolved":
        detail = f"no flow waits at {decision.exception}"
        raise NobodyWaits(detail, exception=decision.exception)
    told = decision.model_dump(mode="json", exclude_none=True)
    seq = arrival.enter(unit, told)
    unit.journal("exception.resolved", {"exception": decision.exception})
    closed = {"status": "resolved", "ended_at": unit.now, "decision": told}
    unit.change(process_exceptions, {"id": decision.exception}, closed)
    changes: JsonObject = {"status": {"from": row.status, "to": "resolved"}, "decided": decision.kind}
    await note_change(unit, arrival, decision.exception, changes)
    await _go_on(unit, row.instance, row.flow)
    return seq


def _closed(row: Row[*tuple[Any, ...]]) -> ExceptionClosed:
    decision: dict[str, Any] = row.decision or {}
    kind: str | None = decision.get("kind")
    how = f"{kind} was decided" if kind else f"it is {row.status}"
    at = row.ended_at.isoformat() if row.ended_at else None
    detail = f"process exception {row.id} is closed: {how}" + (f" at {at}" if at else "")
    return ExceptionClosed(detail, exception=row.id, status=row.status, decided=kind, at=at)


async def _go_on(unit: Unit, instance: str | None, status: str | None) -> None:
    """Let the instance count as running again once nobody is waited for."""
    if status != "faulted":
        return
    others = (await unit.read(_OTHERS, {"of_order": unit.order.id, "instance": instance})).first()
    if others is None:
        unit.change(flow_instances, {"order_id": unit.order.id, "instance": instance}, {"status": "running"})


async def _open(unit: Unit, condition: ColumnElement[bool]) -> Sequence[Row[str, str]]:
    query = select(_table.id, _table.status).where(
        _table.order_id == unit.order.id, _table.status.in_(UNSETTLED), condition
    )
    return (await unit.read(query.order_by(_table.number))).all()


async def _resolve(unit: Unit, exceptions: Sequence[Row[str, str]]) -> int:
    for exception in exceptions:
        unit.journal("exception.resolved", {"exception": exception.id})
        unit.change(process_exceptions, {"id": exception.id}, {"status": "resolved", "ended_at": unit.now})
        changes: JsonObject = {"status": {"from": exception.status, "to": "resolved"}}
        await note_change_by_flow(unit, exception.id, changes)
    return len(exceptions)

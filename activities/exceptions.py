"""Process exceptions: raised by flows, resolved by flows and by people."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from activities.arrivals import Arrival
from activities.registry import implements
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import Count, ExceptionRaised, RaiseException, ResolveExceptions
from orderloom.domain import ids
from orderloom.domain.order import OrderMoved
from orderloom.persistence.tables.operations import process_exceptions

OPEN = ("new", "triaged", "paused")
"""Statuses of an exception that somebody has still to see to."""

_table = process_exceptions.c


@implements(actions.raise_exception)
async def raise_exception(unit: Unit, command: RaiseException) -> ExceptionRaised:
    """Record a process exception, unless one with the same code and attachment is open: then it is that one."""
    same = (_table.code == command.code) & _table.attached_to.is_not_distinct_from(command.attached_to)
    if known := await _open(unit, same):
        return ExceptionRaised(exception=known[0])
    number = await unit.next_number(process_exceptions)
    exception = ids.exception_id(unit.order.id, number)
    unit.journal("exception.raised", {"exception": exception, "code": command.code, "category": command.category})
    row = {"id": exception, "order_id": unit.order.id, "number": number, "status": "new", "flow": unit.cause}
    unit.enter(process_exceptions, {**row, "created_at": unit.now, **command.model_dump()})
    return ExceptionRaised(exception=exception)


@implements(actions.resolve_exceptions)
async def resolve_exceptions(unit: Unit, command: ResolveExceptions) -> Count:
    """Resolve the order's open exceptions of one code."""
    return Count(count=_resolve(unit, await _open(unit, _table.code == command.code)))


async def record_resolution(unit: Unit, arrival: Arrival) -> int:
    """
    Journal what a person decided about an exception, and resolve it.

    Raises:
        OrderMoved: the order has no such exception that is open.
    """
    exception = str(arrival.body.get("exception", ""))
    found = await _open(unit, _table.id == exception)
    if not found:
        raise OrderMoved(f"order {unit.order.id} has no open exception {exception}", exception=exception)
    decided = ("exception", "kind", "input", "output")
    seq = arrival.enter(unit, {name: arrival.body[name] for name in decided if arrival.body.get(name) is not None})
    _resolve(unit, found)
    return seq


async def _open(unit: Unit, condition: ColumnElement[bool]) -> list[str]:
    query = select(_table.id).where(_table.order_id == unit.order.id, _table.status.in_(OPEN), condition)
    return list((await unit.read(query.order_by(_table.number))).scalars())


def _resolve(unit: Unit, exceptions: Sequence[str]) -> int:
    for exception in exceptions:
        unit.journal("exception.resolved", {"exception": exception})
        unit.change(process_exceptions, {"id": exception}, {"status": "resolved", "ended_at": unit.now})
    return len(exceptions)

"""What people and timers change of an order's process exceptions, and what is found beside its flows."""

from typing import Any

from sqlalchemy import Row, and_, bindparam, select

from activities.arrivals import Arrival, body_as
from activities.exception_history import note_change
from activities.exceptions import LIVE, enter_exception
from activities.unit import Unit
from orderloom.domain.exception_status import ACTIVE, UNSETTLED, ChangeException, change, told
from orderloom.domain.exceptions import ExceptionUnknown
from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.model import Frozen
from orderloom.persistence.exceptions import Raised, tracked
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances
from orderloom.persistence.timers import NOT_ACCEPTED

_table, _instance = process_exceptions.c, flow_instances.c
_ONE = (
    select(process_exceptions, _instance.status.label("flow_status"))
    .outerjoin(flow_instances, and_(_instance.order_id == _table.order_id, _instance.instance == _table.instance))
    .where(_table.order_id == bindparam("of_order"), _table.id == bindparam("of_id"))
)
_SAME = select(_table.id).where(
    _table.order_id == bindparam("of_order"),
    _table.code == bindparam("of_code"),
    _table.attached_to.is_not_distinct_from(bindparam("of_what")),
    _table.status.in_(UNSETTLED),
)
_STATUS = select(fulfillment_orders.c.status, fulfillment_orders.c.location_id).where(
    fulfillment_orders.c.order_id == bindparam("of_order"), fulfillment_orders.c.id == bindparam("of_id")
)


class OfException(Frozen):
    """The process exception that something is about."""

    exception: str


class OfFulfillmentOrder(Frozen):
    """The fulfillment order that something is about."""

    fulfillment_order: str


async def record_change(unit: Unit, arrival: Arrival) -> int:
    """
    Journal what a person changes of an exception, and change it. What cannot be done changes nothing.

    Raises:
        ExceptionUnknown: the order has no such exception.
        ExceptionClosed, TransitionRefused, FlowWaits: what ``domain.exception_status.change`` refuses.
    """
    about = OfException.model_validate({"exception": arrival.body.get("exception")})
    wanted = body_as(arrival, ChangeException, without=("exception",))
    row = await _row(unit, about.exception)
    current = tracked(row, awaited=row.waiting is not None and row.flow_status in LIVE)
    columns = change(unit.now, current, wanted)
    changes = told(current, columns)
    status = {"status": str(columns["status"])} if "status" in columns else {}
    seq = arrival.enter(unit, {"exception": row.id, "changed": [*sorted(changes)], **status})
    if columns:
        unit.change(process_exceptions, {"id": row.id}, dict(columns))
    await note_change(unit, arrival, row.id, changes)
    return seq


async def record_overdue(unit: Unit, arrival: Arrival) -> int:
    """Journal that an exception's deadline passed, and raise its priority, if it is active still."""
    row = await _row(unit, body_as(arrival, OfException).exception)
    if row.status not in ACTIVE or row.deadline is None or row.deadline > unit.now or row.escalated_at is not None:
        return arrival.enter_unexpected(unit, "exception.not_overdue")
    seq = arrival.enter(unit, {"exception": row.id})
    unit.change(process_exceptions, {"id": row.id}, {"priority": "High", "escalated_at": unit.now})
    await note_change(unit, arrival, row.id, {"escalated": {"from": row.priority, "to": "High"}})
    return seq


async def record_found(unit: Unit, arrival: Arrival) -> int:
    """Journal what was found wrong with the order, and raise it, unless it is raised and not settled already."""
    found = body_as(arrival, Raised)
    seq = arrival.enter(unit, {"category": found.category, "code": found.code})
    await _raise_once(unit, found)
    return seq


async def record_unaccepted(unit: Unit, arrival: Arrival) -> int:
    """Journal that a location has not accepted a fulfillment order in time, and raise that, if it is so still."""
    id = body_as(arrival, OfFulfillmentOrder).fulfillment_order
    row = (await unit.read(_STATUS, {"of_order": unit.order.id, "of_id": id})).one_or_none()
    if row is None or row.status != FulfillmentStatus.ALLOCATED:
        return arrival.enter_unexpected(unit, "fulfillment_order.moved", fulfillment_order=id)
    seq = arrival.enter(unit, {"fulfillment_order": id, "location": row.location_id})
    detail = f"{row.location_id} has not accepted {id} in time"
    found = Raised(category="Fulfillment", code=NOT_ACCEPTED, detail=detail, attached_to=id, source=arrival.source)
    await _raise_once(unit, found)
    return seq


async def _raise_once(unit: Unit, found: Raised) -> None:
    values = {"of_order": unit.order.id, "of_code": found.code, "of_what": found.attached_to}
    if (await unit.read(_SAME, values)).first() is None:
        await enter_exception(unit, {**found.model_dump(exclude={"source"}), "flow": found.source})


async def _row(unit: Unit, exception: str) -> Row[*tuple[Any, ...]]:
    row = (await unit.read(_ONE, {"of_order": unit.order.id, "of_id": exception})).one_or_none()
    if row is None:
        detail = f"order {unit.order.id} has no process exception {exception}"
        raise ExceptionUnknown(detail, exception=exception)
    return row

"""Checks of routing: schedules and attempts, and what fulfillment orders take of stock and capacity."""

from sqlalchemy import ColumnElement, String, Subquery, and_, case, cast, func, literal, select

from orderloom.domain.units import UnitState
from orderloom.persistence.tables.fulfillment import fulfillment_orders, routing_attempts, routing_schedules
from orderloom.persistence.tables.inventory import stock_changes
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import order_lines, orders
from orderloom.persistence.tables.places import location_capacity
from orderloom.persistence.tables.waiting import proposal_capacity, proposals
from orderloom.readmodels.doctor.rows import Broken, broken, named
from orderloom.readmodels.doctor.stocks import is_busy, is_on_its_way

_schedules = routing_schedules.c
_PLANNED = _schedules.status == "scheduled"
_GIVEN_BACK = ("rejected", "cancelled")
_SHIPPED = (UnitState.FULFILLED, UnitState.RETURN_INITIATED, UnitState.RETURNED)


def schedules_unended() -> Broken:
    """Find schedules that are over without an end, or to come with one."""
    ended = case((_schedules.ended_at.is_(None), 0), else_=1)
    return broken(
        routing_schedules,
        order=_schedules.order_id,
        subject=named("schedule", cast(_schedules.number, String), _schedules.status),
        expected=case((_PLANNED, 0), else_=1),
        found=ended,
    )


def schedules_doubled() -> Broken:
    """Find orders with more than one schedule to come."""
    return _planned("more than one schedule", func.count(), func.least(func.count(), 1))


def schedules_forgotten() -> Broken:
    """Find orders with a schedule to come and no flow under way that could take it."""
    return _planned("schedule to come", func.count(), literal(0), ~is_busy(_schedules.order_id))


def _planned(name: str, found: ColumnElement[int], expected: ColumnElement[int], *only: ColumnElement[bool]) -> Broken:
    planned = (
        select(_schedules.order_id, found.label("found"), expected.label("expected"))
        .where(_PLANNED, *only)
        .group_by(_schedules.order_id)
        .subquery()
    )
    return broken(
        planned,
        order=planned.c.order_id,
        subject=named(name),
        expected=planned.c.expected,
        found=planned.c.found,
    )


def attempts_uncounted() -> Broken:
    """Find orders that count other attempts than they have."""
    made = (
        select(routing_attempts.c.order_id, func.count().label("count"))
        .group_by(routing_attempts.c.order_id)
        .subquery()
    )
    return broken(
        orders.outerjoin(made, made.c.order_id == orders.c.id),
        order=orders.c.id,
        subject=named("routing attempts"),
        expected=func.coalesce(made.c.count, 0),
        found=orders.c.routing_attempts,
    )


def capacity_unlike_work() -> Broken:
    """Find locations whose day counts other fulfillment orders than it has: capacity that leaked, or was not taken."""
    of_order = fulfillment_orders.c
    taken = (
        select(of_order.location_id, of_order.capacity_day.label("day"), func.count().label("count"))
        .where(of_order.capacity_day.is_not(None), of_order.status.not_in(_GIVEN_BACK))
        .group_by(of_order.location_id, of_order.capacity_day)
        .subquery()
    )
    return _capacity_unlike(taken, "assigned")


def capacity_unlike_proposals() -> Broken:
    """Find locations whose day is held for other fulfillment orders than open proposals say: capacity that leaked."""
    held = proposal_capacity.c
    proposed = (
        select(held.location_id, held.day, func.sum(held["count"]).label("count"))
        .join_from(proposal_capacity, proposals, proposals.c.id == held.proposal_id)
        .where(proposals.c.status == "open")
        .group_by(held.location_id, held.day)
        .subquery()
    )
    return _capacity_unlike(proposed, "held")


def _capacity_unlike(counted: Subquery, counter: str) -> Broken:
    """Find days whose *counter* is not what was *counted* by location and day."""
    day, same = location_capacity.c, counted.c
    return broken(
        location_capacity.join(counted, and_(same.location_id == day.location_id, same.day == day.day), full=True),
        order=None,
        subject=named(
            func.coalesce(day.location_id, same.location_id),
            "on",
            cast(func.coalesce(day.day, same.day), String),
            counter,
        ),
        expected=func.coalesce(same["count"], 0),
        found=func.coalesce(day[counter], 0),
    )


def shipments_unlike_stock() -> Broken:
    """Find items that the ledger says a location shipped and that did not leave its stock, or the other way round."""
    entry, line = unit_entries.c, order_lines.c
    shipped = (
        select(
            entry.order_id,
            entry.fulfillment_order_id.label("id"),
            entry.place.label("location_id"),
            line.sku,
            func.sum(entry.quantity).label("quantity"),
        )
        .select_from(unit_entries.join(order_lines, and_(line.order_id == entry.order_id, line.id == entry.line_id)))
        .where(entry.state.in_(_SHIPPED), line.sku.is_not(None), line.fulfilment == "ship")
        .group_by(entry.order_id, entry.fulfillment_order_id, entry.place, line.sku)
        .subquery()
    )
    change = stock_changes.c
    left = (
        select(
            fulfillment_orders.c.order_id,
            fulfillment_orders.c.id,
            change.location_id,
            change.sku,
            func.sum(-change.quantity).label("quantity"),
        )
        .select_from(stock_changes.join(fulfillment_orders, fulfillment_orders.c.id == change.cause))
        .group_by(fulfillment_orders.c.order_id, fulfillment_orders.c.id, change.location_id, change.sku)
        .subquery()
    )
    same = and_(*(shipped.c[name] == left.c[name] for name in ("id", "location_id", "sku")))
    order, id, location, sku = (
        func.coalesce(shipped.c[name], left.c[name]) for name in ("order_id", "id", "location_id", "sku")
    )
    expected, found = func.coalesce(shipped.c.quantity, 0), func.coalesce(left.c.quantity, 0)
    query = broken(
        shipped.join(left, same, full=True),
        order=order,
        subject=named("shipment", id, sku, "from", location),
        expected=expected,
        found=found,
    )
    # What was shipped leaves the stock in the flow that the shipment starts.
    return query.where(~and_(found < expected, is_on_its_way(fulfillment_orders.c.id == id)))

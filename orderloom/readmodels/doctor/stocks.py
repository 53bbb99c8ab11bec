"""Checks of reservations against demand, and of the counters against reservations."""

from datetime import timedelta

from sqlalchemy import ColumnElement, DateTime, and_, bindparam, case, func, literal, select

from orderloom.domain.units import UnitState
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.inventory import (
    backorders,
    expected_receipts,
    group_stock,
    location_group_members,
    reservation_requests,
    reservations,
    stock,
    stock_changes,
)
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import flow_instances, order_lines, orders
from orderloom.persistence.tables.waiting import proposal_lines, proposals
from orderloom.readmodels.doctor.rows import Broken, broken, named, together, total

_entries = unit_entries.c
_held = reservations.c
_ACTIVE = _held.status == "active"
_PROPOSED = (
    select(proposals.c.id).where(proposals.c.id == proposal_lines.c.proposal_id, proposals.c.status == "open").exists()
)
_COUNTERS = ("on_hand", "reserved", "safety", "future")

ON_ITS_WAY = timedelta(minutes=15)
"""Business time that a shipment may take from its report until a flow has taken it off the stock."""
SINCE = bindparam("since", type_=DateTime(timezone=True))
"""Shipments that were reported then or later are on their way."""


def is_busy(order_id: ColumnElement[str]) -> ColumnElement[bool]:
    """Return whether a flow of the order is under way."""
    flow = flow_instances.c
    return select(flow.instance).where(flow.order_id == order_id, flow.status.in_(("running", "faulted"))).exists()


def is_on_its_way(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return whether a fulfillment order of *which* was reported shipped lately: it may yet leave the stock."""
    return select(fulfillment_orders.c.id).where(fulfillment_orders.c.closed_at >= SINCE, *which).exists()


def reservations_unlike_demand() -> Broken:
    """Find lines from stock whose active reservations at a place are not their units there."""
    kind = case((_entries.state == UnitState.RESERVED, "group"), else_="location")
    demand = (
        select(
            _entries.order_id,
            _entries.line_id,
            kind.label("kind"),
            _entries.place,
            total(_entries.quantity, _entries.state != UnitState.FULFILLED).label("quantity"),
            total(
                _entries.quantity,
                _entries.state == UnitState.FULFILLED,
                is_on_its_way(fulfillment_orders.c.id == _entries.fulfillment_order_id),
            ).label("shipped"),
        )
        .select_from(
            unit_entries.join(
                order_lines,
                and_(
                    order_lines.c.order_id == _entries.order_id,
                    order_lines.c.id == _entries.line_id,
                    order_lines.c.sku.is_not(None),
                    order_lines.c.fulfilment == "ship",
                ),
            )
        )
        .where(_entries.state.in_((UnitState.RESERVED, UnitState.ALLOCATED, UnitState.FULFILLED)))
        .group_by(_entries.order_id, _entries.line_id, kind, _entries.place)
        .subquery()
    )
    held_kind = case((_held.location_id.is_(None), "group"), else_="location")
    place = func.coalesce(_held.location_id, _held.group_id)
    held = (
        select(
            _held.order_id,
            _held.line_id,
            held_kind.label("kind"),
            place.label("place"),
            func.sum(_held.quantity).label("quantity"),
        )
        .where(_ACTIVE, _held.order_id.is_not(None))
        .group_by(_held.order_id, _held.line_id, held_kind, place)
        .subquery()
    )
    keys = ("order_id", "line_id", "kind", "place")
    both = demand.join(held, and_(*(demand.c[key] == held.c[key] for key in keys)), full=True)
    order, line, at, where = (func.coalesce(demand.c[key], held.c[key]) for key in keys)
    expected = func.coalesce(demand.c.quantity, 0)
    found = func.coalesce(held.c.quantity, 0)
    on_its_way = func.coalesce(demand.c.shipped, 0)
    shipping = and_(found > expected, found <= expected + on_its_way, at == "location")
    query = broken(both, order=order, subject=named("line", line, "at", at, where), expected=expected, found=found)
    return query.where(~shipping)


def reservations_left_over() -> Broken:
    """Find orders that hold reservations although nothing is left to ship and no flow is under way."""
    demand = (
        select(total(_entries.quantity))
        .where(
            _entries.order_id == _held.order_id,
            _entries.state.in_((UnitState.OPEN, UnitState.RESERVED, UnitState.ALLOCATED)),
        )
        .scalar_subquery()
    )
    left = (
        select(_held.order_id, func.sum(_held.quantity).label("quantity"))
        .where(
            _ACTIVE,
            _held.order_id.is_not(None),
            demand == 0,
            ~is_busy(_held.order_id),
            ~is_on_its_way(fulfillment_orders.c.order_id == _held.order_id),
        )
        .group_by(_held.order_id)
        .subquery()
    )
    return broken(
        left, order=left.c.order_id, subject=named("reservations"), expected=literal(0), found=left.c.quantity
    )


def stock_unlike_reservations() -> Broken:
    """Find locations whose reserved counter is not the sum of the active reservations and open proposals there."""
    line = proposal_lines.c
    reserved = select(_held.location_id, _held.sku, _held.quantity).where(_ACTIVE, _held.location_id.is_not(None))
    proposed = select(line.location_id, line.sku, line.quantity).where(_PROPOSED, line.location_id.is_not(None))
    each = reserved.union_all(proposed).subquery()
    held = (
        select(each.c.location_id, each.c.sku, func.sum(each.c.quantity).label("quantity"))
        .group_by(each.c.location_id, each.c.sku)
        .subquery()
    )
    at = and_(held.c.location_id == stock.c.location_id, held.c.sku == stock.c.sku)
    subject = named(
        func.coalesce(stock.c.sku, held.c.sku), "at", func.coalesce(stock.c.location_id, held.c.location_id)
    )
    return broken(
        stock.join(held, at, full=True),
        order=None,
        subject=subject,
        expected=func.coalesce(held.c.quantity, 0),
        found=func.coalesce(stock.c.reserved, 0),
    )


def stock_negative() -> Broken:
    """Find counters below zero, at locations and groups."""
    return together(
        *(
            broken(
                table,
                order=None,
                subject=named(table.c.sku, "at", place, name),
                expected=func.greatest(table.c[name], 0),
                found=table.c[name],
            )
            for table, place in ((stock, stock.c.location_id), (group_stock, group_stock.c.group_id))
            for name in _COUNTERS
        )
    )


def groups_unlike_members() -> Broken:
    """Find groups whose counters are not those of their members, with what is reserved at the group itself."""
    member = location_group_members.c
    sums = (
        select(member.group_id, stock.c.sku, *(func.sum(stock.c[name]).label(name) for name in _COUNTERS))
        .select_from(location_group_members.join(stock, stock.c.location_id == member.location_id))
        .group_by(member.group_id, stock.c.sku)
        .subquery()
    )
    reserved = select(_held.group_id, _held.sku, _held.quantity).where(_ACTIVE, _held.location_id.is_(None))
    line = proposal_lines.c
    # What a proposal holds at a location stands in its counter; what the group had reserved before counts once.
    beyond = case((line.location_id.is_(None), line.own), else_=line.own - line.quantity)
    proposed = (
        select(proposals.c.group_id, line.sku, beyond)
        .join_from(proposal_lines, proposals, proposals.c.id == line.proposal_id)
        .where(proposals.c.status == "open")
    )
    each = reserved.union_all(proposed).subquery()
    own = (
        select(each.c.group_id, each.c.sku, func.sum(each.c.quantity).label("quantity"))
        .group_by(each.c.group_id, each.c.sku)
        .subquery()
    )
    of_members = and_(sums.c.group_id == group_stock.c.group_id, sums.c.sku == group_stock.c.sku)
    of_group = and_(own.c.group_id == group_stock.c.group_id, own.c.sku == group_stock.c.sku)
    source = group_stock.join(sums, of_members, full=True).outerjoin(own, of_group)
    place = func.coalesce(group_stock.c.group_id, sums.c.group_id)
    sku = func.coalesce(group_stock.c.sku, sums.c.sku)
    expected: dict[str, ColumnElement[int]] = {name: func.coalesce(sums.c[name], 0) for name in _COUNTERS}
    expected["reserved"] = expected["reserved"] + func.coalesce(own.c.quantity, 0)
    return together(
        *(
            broken(
                source,
                order=None,
                subject=named(sku, "at", place, name),
                expected=expected[name],
                found=func.coalesce(group_stock.c[name], 0),
            )
            for name in _COUNTERS
        )
    )


def future_unlike_receipts() -> Broken:
    """Find locations whose future stock is not the sum of the receipts that are expected there."""
    receipt = expected_receipts.c
    sums = (
        select(receipt.location_id, receipt.sku, func.sum(receipt.quantity).label("quantity"))
        .group_by(receipt.location_id, receipt.sku)
        .subquery()
    )
    same = and_(sums.c.location_id == stock.c.location_id, sums.c.sku == stock.c.sku)
    return broken(
        stock.outerjoin(sums, same),
        order=None,
        subject=named(stock.c.sku, "at", stock.c.location_id, "future"),
        expected=func.coalesce(sums.c.quantity, 0),
        found=stock.c.future,
    )


def stock_unlike_changes() -> Broken:
    """Find shelves where what is on hand is not the sum of the changes that are on record."""
    change = stock_changes.c
    sums = (
        select(change.location_id, change.sku, func.sum(change.quantity).label("quantity"))
        .group_by(change.location_id, change.sku)
        .subquery()
    )
    same = and_(sums.c.location_id == stock.c.location_id, sums.c.sku == stock.c.sku)
    location, sku = (func.coalesce(stock.c[key], sums.c[key]) for key in ("location_id", "sku"))
    return broken(
        stock.join(sums, same, full=True),
        order=None,
        subject=named(sku, "at", location, "changes"),
        expected=func.coalesce(sums.c.quantity, 0),
        found=func.coalesce(stock.c.on_hand, 0),
    )


def backorders_unlike_lines() -> Broken:
    """Find counters of units sold ahead that are not the units of open lines that were sold ahead and are open."""
    line = order_lines.c
    open_units = (
        select(total(_entries.quantity))
        .where(_entries.order_id == line.order_id, _entries.line_id == line.id, _entries.state == UnitState.OPEN)
        .scalar_subquery()
    )
    sums = (
        select(orders.c.channel_id, line.sku, func.sum(func.least(line.sold_ahead, open_units)).label("quantity"))
        .join_from(order_lines, orders, orders.c.id == line.order_id)
        .where(line.sold_ahead > 0)
        .group_by(orders.c.channel_id, line.sku)
        .subquery()
    )
    counted = backorders.c
    same = and_(sums.c.channel_id == counted.channel_id, sums.c.sku == counted.sku)
    channel, sku = func.coalesce(counted.channel_id, sums.c.channel_id), func.coalesce(counted.sku, sums.c.sku)
    return broken(
        backorders.join(sums, same, full=True),
        order=None,
        subject=named(sku, "in", channel, "sold ahead"),
        expected=func.coalesce(sums.c.quantity, 0),
        found=func.coalesce(counted.quantity, 0),
    )


def requests_unlike_reservations() -> Broken:
    """Find reservations of nobody's order that are active and hold nothing, or have ended and hold something."""
    held = (
        select(_held.request_id, func.sum(_held.quantity).label("quantity"))
        .where(_ACTIVE, _held.request_id.is_not(None))
        .group_by(_held.request_id)
        .subquery()
    )
    request, quantity = reservation_requests.c, func.coalesce(held.c.quantity, 0)
    return broken(
        reservation_requests.outerjoin(held, held.c.request_id == request.id),
        order=None,
        subject=named("reservation", request.id, request.status),
        expected=case((request.status == "active", func.greatest(quantity, 1)), else_=0),
        found=quantity,
    )

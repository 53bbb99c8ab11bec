"""What locations report of fulfillment orders, and stock that leaves them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, insert, select, text, update
from sqlalchemy.dialects.postgresql import JSONB

from activities.arrivals import Arrival, body_as
from activities.registry import implements
from activities.reservations import Taken, add_reservations, at_locations, lower_at_locations, take
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import ForFulfillmentOrder, Released
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment import (
    STOPPABLE,
    FulfillmentStatus,
    after_report,
    give_back,
)
from orderloom.domain.order import OrderMoved
from orderloom.domain.placing import FulfillmentReport
from orderloom.domain.units import Account, Pool, UnitState, move
from orderloom.persistence.stock import Change, change_groups, change_locations, groups_of, summed
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.inventory import reservations, stock_changes

_orders = fulfillment_orders.c
_WAITING = (UnitState.OPEN, UnitState.RESERVED, UnitState.ALLOCATED)


async def record_report(unit: Unit, arrival: Arrival) -> int:
    """Journal a location's report and apply it; one that does not fit is journaled as unexpected. Never refuses."""
    name = str(arrival.body.get("fulfillment_order", ""))
    row = await _fulfillment_order(unit, name)
    if row is None:
        return arrival.enter_unexpected(unit, "fulfillment order unknown", fulfillment_order=name)
    report = body_as(arrival, FulfillmentReport, without=("fulfillment_order",))
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    held = [pool for pool in await unit.pools(UnitState.ALLOCATED) if pool.account.fulfillment_order == row.id]
    rejected = _rejected(report, [pool for pool in held if pool.line_id in products])
    left = sum(pool.quantity for pool in held if pool.line_id in products) - sum(rejected.values())
    status = after_report(FulfillmentStatus(row.status), report.type, units_left=left)
    if status is None or not _covers(held, rejected):
        reason = f"{report.type} does not fit status {row.status}" if status is None else "more rejected than it holds"
        return arrival.enter_unexpected(unit, reason, fulfillment_order=row.id)
    seq = arrival.enter(unit, {"fulfillment_order": row.id, "location": row.location_id})
    if report.type == "shipped":
        await _ship(unit, held, products)
    elif report.type == "rejected":
        await _turn_down(unit, row, rejected, report.reason, products)
    if status != row.status:
        await _set_status(unit, row.id, status)
    return seq


async def _fulfillment_order(unit: Unit, name: str) -> Row[str, str, str] | None:
    query = select(_orders.id, _orders.status, _orders.location_id)
    return (await unit.conn.execute(query.where(_orders.id == name, _orders.order_id == unit.order.id))).one_or_none()


async def stoppable(unit: Unit) -> set[str]:
    """Return the order's fulfillment orders that can still give units back."""
    query = select(_orders.id).where(_orders.order_id == unit.order.id, _orders.status.in_(sorted(STOPPABLE)))
    return set(await unit.conn.scalars(query))


def _rejected(report: FulfillmentReport, products: Sequence[Pool]) -> Counter[str]:
    """Return what a rejection takes away, by line; without lines it is all there is."""
    if report.type != "rejected":
        return Counter()
    if not report.lines:
        return Counter({pool.line_id: pool.quantity for pool in products})
    rejected: Counter[str] = Counter()
    for line in report.lines:
        rejected[line.line] += line.quantity
    return rejected


def _covers(held: Sequence[Pool], quantities: Mapping[str, int]) -> bool:
    there = Counter({pool.line_id: pool.quantity for pool in held})
    return all(there[line] >= quantity for line, quantity in quantities.items())


async def _ship(unit: Unit, held: Sequence[Pool], products: set[str]) -> None:
    """Move all that the fulfillment order still holds, its charges included."""
    await unit.move_units(
        [move(pool, pool.quantity, pool.account.model_copy(update={"state": UnitState.FULFILLED})) for pool in held]
    )
    waiting = [pool for pool in await unit.pools(*_WAITING) if pool.line_id in products and pool.quantity > 0]
    if not waiting:
        unit.journal("order.fulfilled", {})


_NOTE_REJECTED = text(
    """
    UPDATE fulfillment_order_lines l
    SET rejected_quantity = l.rejected_quantity + r.quantity, reject_reason = COALESCE(:reason, l.reject_reason)
    FROM jsonb_to_recordset(:rejected) AS r(line text, quantity int)
    WHERE l.fulfillment_order_id = :fulfillment_order AND l.line_id = r.line
    """
).bindparams(bindparam("rejected", type_=JSONB))


async def _turn_down(
    unit: Unit, row: Row[str, str, str], rejected: Mapping[str, int], reason: str | None, products: set[str]
) -> None:
    """Take units away from the location: back to the group's reservation, or open again if nothing is kept there."""
    pools = await unit.pools()
    charges = frozenset(pool.line_id for pool in pools) - products
    kept = unit.order.policy.reserve == "placing"
    group = unit.order.policy.location_group
    taken = await take(
        unit, rejected, "transferred" if kept else "released", reservations.c.fulfillment_order_id == row.id
    )
    if kept:
        await _back_to_group(unit, taken, group)
    else:
        await lower_at_locations(unit, taken)
    reserved = Account(state=UnitState.RESERVED, place=group)
    await unit.move_units(
        [
            movement.model_copy(update={"target": reserved}) if kept and movement.line_id in products else movement
            for movement in give_back(pools, row.id, rejected, charges)
        ]
    )
    values = {
        "rejected": [{"line": line, "quantity": quantity} for line, quantity in sorted(rejected.items())],
        "reason": reason,
        "fulfillment_order": row.id,
    }
    await unit.conn.execute(_NOTE_REJECTED, values)


async def _back_to_group(unit: Unit, taken: Sequence[Taken], group: str) -> None:
    """Hold at the group what the location held: the group's counter stays, other groups of the location go down."""
    at = at_locations(taken)
    groups = await groups_of(unit.conn, {location for location, _ in at})
    await change_locations(unit.conn, {key: Change(reserved=-quantity) for key, quantity in at.items()})
    elsewhere = summed(at, groups, without=[group])
    await change_groups(unit.conn, {key: Change(reserved=-quantity) for key, quantity in elsewhere.items()})
    moved = [Taken(line_id=each.line_id, sku=each.sku, group=group, quantity=each.quantity) for each in taken]
    await add_reservations(unit, [(None, each) for each in moved])


async def _set_status(unit: Unit, fulfillment_order: str, status: FulfillmentStatus) -> None:
    closed = status in {FulfillmentStatus.FULFILLED, FulfillmentStatus.REJECTED, FulfillmentStatus.CANCELLED}
    values: dict[str, Any] = {"status": status.value, "closed_at": unit.now if closed else None}
    await unit.conn.execute(update(fulfillment_orders).where(_orders.id == fulfillment_order).values(values))


@implements(actions.fulfill_reservation)
async def fulfill_reservation(unit: Unit, command: ForFulfillmentOrder) -> Released:
    """Take what a shipped fulfillment order held off the stock of its location and all its groups."""
    row = await _fulfillment_order(unit, command.fulfillment_order)
    if row is None:
        detail = f"order {unit.order.id} has no fulfillment order {command.fulfillment_order}"
        raise NotFound(detail, fulfillment_order=command.fulfillment_order)
    if row.status != FulfillmentStatus.FULFILLED:
        raise OrderMoved(f"fulfillment order {row.id} is {row.status}, not shipped", fulfillment_order=row.id)
    taken = await take(unit, None, "fulfilled", reservations.c.fulfillment_order_id == row.id)
    await lower_at_locations(unit, taken, shipped=True)
    changes = [
        {"location_id": location, "sku": sku, "quantity": -quantity, "cause": row.id, "at": unit.now}
        for (location, sku), quantity in sorted(at_locations(taken).items())
    ]
    if changes:
        await unit.conn.execute(insert(stock_changes), changes)
    return Released(units=sum(each.quantity for each in taken))

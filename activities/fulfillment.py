"""What locations report of fulfillment orders, and stock that leaves them."""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Row, select, text

from activities.arrivals import Arrival, body_as
from activities.registry import implements
from activities.reservations import Taken, add_reservations, at_locations, lower_at_locations, take
from activities.unit import Unit
from orderloom.contracts import actions, delivering
from orderloom.contracts.actions import Released
from orderloom.contracts.delivering import Delivered, ForFulfillmentOrder
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment import (
    OPEN,
    STOPPABLE,
    FulfillmentStatus,
    after_report,
    give_back,
)
from orderloom.domain.order import OrderMoved
from orderloom.domain.placing import FulfillmentReport
from orderloom.domain.units import Account, Pool, UnitState, move
from orderloom.persistence.stock import Held, change_held
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders
from orderloom.persistence.tables.inventory import reservations, stock_changes
from orderloom.persistence.writes import Values

_orders = fulfillment_orders.c
_lines = fulfillment_order_lines.c
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
        set_status(unit, row.id, status)
    return seq


_ONE = (
    text("SELECT id, status, location_id, kind FROM fulfillment_orders WHERE id = :of_id AND order_id = :of_order")
).columns(_orders.id, _orders.status, _orders.location_id, _orders.kind)


async def _fulfillment_order(unit: Unit, name: str) -> Row[str, str, str | None, str] | None:
    return (await unit.read(_ONE, {"of_order": unit.order.id, "of_id": name})).one_or_none()


async def stoppable(unit: Unit) -> set[str]:
    """Return the order's fulfillment orders that can still give units back."""
    query = select(_orders.id).where(_orders.order_id == unit.order.id, _orders.status.in_(sorted(STOPPABLE)))
    return set((await unit.read(query)).scalars())


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


async def _turn_down(
    unit: Unit, row: Row[str, str, str | None, str], rejected: Mapping[str, int], reason: str | None, products: set[str]
) -> None:
    """Take units away from the location, and note why on the fulfillment order's lines."""
    await take_back(unit, {row.id: rejected}, products)
    await _note_rejected(unit, row.id, rejected, reason)


async def take_back(unit: Unit, quantities: Mapping[str, Mapping[str, int]], products: set[str]) -> None:
    """
    Take units away from locations: back to the group's reservation, or open again if nothing is kept there.

    Args:
        quantities: by fulfillment order and line.
        products: the order's lines that are no charges.
    """
    pools = await unit.pools()
    charges = frozenset(pool.line_id for pool in pools) - products
    stocked = {line.id for line in await unit.lines() if line.stocked}
    kept = unit.order.policy.reserve == "placing"
    group = unit.order.policy.location_group
    taken: list[Taken] = []
    for fulfillment_order, by_line in quantities.items():
        held = reservations.c.fulfillment_order_id == fulfillment_order
        reserved = {line: quantity for line, quantity in by_line.items() if line in stocked}
        taken += await take(unit, reserved, "transferred" if kept else "released", held)
    # All counters together, in their one order of locking.
    if kept:
        await _back_to_group(unit, taken, group)
    else:
        await lower_at_locations(unit, taken)
    at_group = Account(state=UnitState.RESERVED, place=group)
    await unit.move_units(
        [
            movement.model_copy(update={"target": at_group}) if kept and movement.line_id in stocked else movement
            for fulfillment_order, by_line in quantities.items()
            for movement in give_back(pools, fulfillment_order, by_line, charges)
        ]
    )


async def _note_rejected(unit: Unit, fulfillment_order: str, rejected: Mapping[str, int], reason: str | None) -> None:
    query = select(_lines.line_id, _lines.rejected_quantity).where(_lines.fulfillment_order_id == fulfillment_order)
    given: Values = {} if reason is None else {"reject_reason": reason}
    for line in (await unit.read(query)).all():
        if more := rejected.get(line.line_id):
            key = {"fulfillment_order_id": fulfillment_order, "line_id": line.line_id}
            unit.change(fulfillment_order_lines, key, {"rejected_quantity": line.rejected_quantity + more, **given})


async def _back_to_group(unit: Unit, taken: Sequence[Taken], group: str) -> None:
    """Hold at the group what the location held: the group's counter stays, other groups of the location go down."""
    lowered = {key: Held(reserved=-quantity, own=0) for key, quantity in at_locations(taken).items()}
    await change_held(await unit.connection(), lowered, own_group=group)
    moved = [Taken(line_id=each.line_id, sku=each.sku, group=group, quantity=each.quantity) for each in taken]
    add_reservations(unit, [(None, each) for each in moved])


def set_status(unit: Unit, fulfillment_order: str, status: FulfillmentStatus) -> None:
    """Give a fulfillment order its status, and the time if nothing follows it."""
    closed = status in {FulfillmentStatus.FULFILLED, FulfillmentStatus.REJECTED, FulfillmentStatus.CANCELLED}
    values: Values = {"status": status.value, "closed_at": unit.now if closed else None}
    unit.change(fulfillment_orders, {"id": fulfillment_order}, values)


@implements(delivering.fulfill_digital)
async def fulfill_digital(unit: Unit, command: ForFulfillmentOrder) -> Delivered:
    """Ship a digital fulfillment order without a report; one that was reported shipped already stays as it is."""
    row = await _fulfillment_order(unit, command.fulfillment_order)
    if row is None or row.kind != "digital":
        detail = f"order {unit.order.id} has no digital fulfillment order {command.fulfillment_order}"
        raise NotFound(detail, fulfillment_order=command.fulfillment_order)
    if row.status == FulfillmentStatus.FULFILLED:
        return Delivered(units=0)
    if FulfillmentStatus(row.status) not in OPEN:
        raise OrderMoved(f"fulfillment order {row.id} is {row.status}", fulfillment_order=row.id)
    held = [pool for pool in await unit.pools(UnitState.ALLOCATED) if pool.account.fulfillment_order == row.id]
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    unit.journal("fulfillment.shipped", {"fulfillment_order": row.id, "location": None})
    await _ship(unit, held, products)
    set_status(unit, row.id, FulfillmentStatus.FULFILLED)
    return Delivered(units=sum(pool.quantity for pool in held if pool.line_id in products))


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
    changes: list[Values] = [
        {"location_id": location, "sku": sku, "quantity": -quantity, "cause": row.id, "at": unit.now}
        for (location, sku), quantity in sorted(at_locations(taken).items())
    ]
    unit.enter(stock_changes, *changes)
    await lower_at_locations(unit, taken, shipped=True)
    return Released(units=sum(each.quantity for each in taken))

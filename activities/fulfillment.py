"""What locations report of fulfillment orders, and stock that leaves them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import select

from activities.arrivals import Arrival, body_as
from activities.registry import implements
from activities.reservations import Taken, add_reservations, at_locations, by_line, lower_at_locations, take
from activities.unit import Unit
from orderloom.contracts import actions, delivering
from orderloom.contracts.actions import Released
from orderloom.contracts.delivering import Delivered, ForFulfillmentOrder
from orderloom.domain.capacity import Day
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment import (
    OPEN,
    STOPPABLE,
    FulfillmentStatus,
    after_report,
    give_back,
    missing_after,
)
from orderloom.domain.model import Frozen, Json
from orderloom.domain.order import OrderMoved
from orderloom.domain.parts import FulfillmentKind
from orderloom.domain.placing import FulfillmentReport
from orderloom.domain.rejections import RejectReason
from orderloom.domain.units import Account, Movement, Pool, UnitState, move
from orderloom.persistence.books import FULFILLMENT_ORDERS
from orderloom.persistence.capacity import unassign
from orderloom.persistence.stock import Held, change_held
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders
from orderloom.persistence.tables.inventory import stock_changes
from orderloom.persistence.tables.places import location_rejections
from orderloom.persistence.writes import Values

_lines = fulfillment_order_lines.c
_WAITING = (UnitState.OPEN, UnitState.RESERVED, UnitState.ALLOCATED)


class FulfillmentOrder(Frozen):
    """A fulfillment order as its row says."""

    id: str
    status: FulfillmentStatus
    location_id: str | None
    """None where no location works on it: it is digital."""
    delivery_group_id: str
    kind: FulfillmentKind
    attempt: int
    hold_reason: str | None
    capacity_day: date | None

    @property
    def day(self) -> Day | None:
        """Return the location and day whose capacity it takes, or None when it takes none."""
        return None if self.location_id is None or self.capacity_day is None else (self.location_id, self.capacity_day)

    @property
    def facts(self) -> dict[str, Json]:
        """Return what the journal says of it."""
        return {"fulfillment_order": self.id, "location": self.location_id}


async def record_report(unit: Unit, arrival: Arrival) -> int:
    """Journal a location's report and apply it; one that does not fit is journaled as unexpected. Never refuses."""
    name = str(arrival.body.get("fulfillment_order", ""))
    row = await read_fulfillment_order(unit, name)
    if row is None:
        return arrival.enter_unexpected(unit, "fulfillment order unknown", fulfillment_order=name)
    report = body_as(arrival, FulfillmentReport, without=("fulfillment_order",))
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    held = by_line(pool for pool in await _held(unit, row.id) if pool.line_id in products)
    named = _named(report, {line.id for line in await unit.lines()} - products)
    missing = missing_after(report.type, held, named)
    status = after_report(row.status, report.type, units_left=held.total() - missing.total())
    if status is None:
        reason = f"{report.type} does not fit status {row.status}"
        return arrival.enter_unexpected(unit, reason, fulfillment_order=row.id)
    if not named <= held or (report.lines and not named):
        return arrival.enter_unexpected(unit, f"more {report.type} than it holds", fulfillment_order=row.id)
    seq = arrival.enter(unit, row.facts)
    if missing:
        await take_back(unit, {row.id: missing}, products)
        await _note_rejected(unit, row, missing, report.reason)
        if report.type != "rejected":
            unit.journal("fulfillment.rejected", row.facts)
    if report.type == "shipped":
        await _ship(unit, await _held(unit, row.id), products)
    if row.hold_reason is not None and report.type in {"picked", "shipped"}:
        _tell_worked_while_held(unit, row, report.type)
    if status != row.status:
        set_status(unit, row.id, status)
    if status is FulfillmentStatus.REJECTED:
        await give_capacity_back(unit, [row.day])
    return seq


async def read_fulfillment_order(unit: Unit, name: str) -> FulfillmentOrder | None:
    """Return the order's fulfillment order with the id *name*, or None."""
    return next((each for each in await _all(unit) if each.id == name), None)


async def _all(unit: Unit) -> list[FulfillmentOrder]:
    names = FULFILLMENT_ORDERS.columns
    return [
        FulfillmentOrder.model_validate(dict(zip(names, row, strict=True)))
        for row in await unit.book(FULFILLMENT_ORDERS)
    ]


async def required_fulfillment_order(unit: Unit, name: str) -> FulfillmentOrder:
    """
    Return the order's fulfillment order with the id *name*.

    Raises:
        NotFound: the order has none.
    """
    row = await read_fulfillment_order(unit, name)
    if row is None:
        detail = f"order {unit.order.id} has no fulfillment order {name}"
        raise NotFound(detail, fulfillment_order=name)
    return row


async def stoppable(unit: Unit) -> dict[str, Day | None]:
    """Return the order's fulfillment orders that can still give units back, with the day whose capacity each takes."""
    return {each.id: each.day for each in await _all(unit) if each.status in STOPPABLE}


async def give_capacity_back(unit: Unit, days: Iterable[Day | None]) -> None:
    """Let others have the capacity of fulfillment orders that will not leave; after stock, in the order of locking."""
    if counts := Counter(day for day in days if day is not None):
        await unassign(await unit.connection(), counts)


def _named(report: FulfillmentReport, charges: set[str]) -> Counter[str]:
    """Return the quantities that a report names; charges follow the goods, whatever is said of them."""
    named: Counter[str] = Counter()
    for line in report.lines:
        if line.line not in charges:
            named[line.line] += line.quantity
    return named


async def _held(unit: Unit, fulfillment_order: str) -> list[Pool]:
    return [
        pool for pool in await unit.pools(UnitState.ALLOCATED) if pool.account.fulfillment_order == fulfillment_order
    ]


def _tell_worked_while_held(unit: Unit, row: FulfillmentOrder, report: str) -> None:
    """Raise what a person must see: goods are on their way that were to stay, and no book can undo that."""
    unit.journal(
        "exception.occurred",
        {
            "category": "Fulfillment",
            "code": "fulfillment_order.worked_while_held",
            "detail": f"{row.location_id} {report} fulfillment order {row.id}, which is held.",
            "severity": "High",
            "priority": "High",
            "attached_to": row.id,
        },
    )


async def _ship(unit: Unit, held: Sequence[Pool], products: set[str]) -> None:
    """Move all that the fulfillment order still holds, its charges included."""
    await unit.move_units(
        [move(pool, pool.quantity, replace(pool.account, state=UnitState.FULFILLED)) for pool in held]
    )
    waiting = [pool for pool in await unit.pools(*_WAITING) if pool.line_id in products and pool.quantity > 0]
    if not waiting:
        unit.journal("order.fulfilled", {})


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
    for fulfillment_order, units in quantities.items():
        reserved = {line: quantity for line, quantity in units.items() if line in stocked}
        taken += await take(unit, reserved, "transferred" if kept else "released", fulfillment_order)
    # All counters together, in their one order of locking.
    if kept:
        await _back_to_group(unit, taken, group)
    else:
        await lower_at_locations(unit, taken)
    at_group = Account(state=UnitState.RESERVED, place=group)
    await unit.move_units(
        [
            replace(movement, target=at_group) if kept and movement.line_id in stocked else movement
            for fulfillment_order, units in quantities.items()
            for movement in give_back(pools, fulfillment_order, units, charges)
        ]
    )


async def give_up(unit: Unit, movements: Sequence[Movement], days: Mapping[str, Day | None]) -> list[str]:
    """
    Take units out of fulfillment orders as *movements* say: their reservations are released.

    Args:
        days: whose capacity each fulfillment order takes.

    Returns the fulfillment orders that are left without units: they are cancelled.
    """
    await unit.move_units(movements)
    stocked = {line.id for line in await unit.lines() if line.stocked}
    taken: list[Taken] = []
    cancelled: list[str] = []
    for fulfillment_order in sorted({str(movement.source.fulfillment_order) for movement in movements}):
        quantities: Counter[str] = Counter()
        for movement in movements:
            if movement.source.fulfillment_order == fulfillment_order and movement.line_id in stocked:
                quantities[movement.line_id] += movement.quantity
        taken += await take(unit, quantities, "released", fulfillment_order)
        if not await _held(unit, fulfillment_order):
            set_status(unit, fulfillment_order, FulfillmentStatus.CANCELLED)
            cancelled.append(fulfillment_order)
    # All counters together, in their one order of locking.
    await lower_at_locations(unit, taken)
    await give_capacity_back(unit, [days[fulfillment_order] for fulfillment_order in cancelled])
    return cancelled


async def _note_rejected(
    unit: Unit, row: FulfillmentOrder, rejected: Mapping[str, int], reason: RejectReason | None
) -> None:
    """Note it on the fulfillment order's lines, and against the location that said it had the goods."""
    query = select(_lines.line_id, _lines.rejected_quantity).where(_lines.fulfillment_order_id == row.id)
    given: Values = {} if reason is None else {"reject_reason": reason.value}
    skus = {line.id: line.sku for line in await unit.lines()}
    for line in (await unit.read(query)).all():
        if more := rejected.get(line.line_id):
            key = {"fulfillment_order_id": row.id, "line_id": line.line_id}
            unit.change(fulfillment_order_lines, key, {"rejected_quantity": line.rejected_quantity + more, **given})
            if row.location_id is not None:
                unit.enter(
                    location_rejections,
                    {
                        "location_id": row.location_id,
                        "sku": skus[line.line_id],
                        "fulfillment_order_id": row.id,
                        "quantity": more,
                        "reason": (reason or RejectReason.OTHER).value,
                        "at": unit.now,
                    },
                )


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
    row = await read_fulfillment_order(unit, command.fulfillment_order)
    if row is None or row.kind != "digital":
        detail = f"order {unit.order.id} has no digital fulfillment order {command.fulfillment_order}"
        raise NotFound(detail, fulfillment_order=command.fulfillment_order)
    if row.status == FulfillmentStatus.FULFILLED:
        return Delivered(units=0)
    if row.status not in OPEN:
        raise OrderMoved(f"fulfillment order {row.id} is {row.status}", fulfillment_order=row.id)
    held = await _held(unit, row.id)
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    unit.journal("fulfillment.shipped", row.facts)
    await _ship(unit, held, products)
    set_status(unit, row.id, FulfillmentStatus.FULFILLED)
    return Delivered(units=sum(pool.quantity for pool in held if pool.line_id in products))


@implements(actions.fulfill_reservation)
async def fulfill_reservation(unit: Unit, command: ForFulfillmentOrder) -> Released:
    """Take what a shipped fulfillment order held off the stock of its location and all its groups."""
    row = await required_fulfillment_order(unit, command.fulfillment_order)
    if row.status != FulfillmentStatus.FULFILLED:
        raise OrderMoved(f"fulfillment order {row.id} is {row.status}, not shipped", fulfillment_order=row.id)
    taken = await take(unit, None, "fulfilled", row.id)
    changes: list[Values] = [
        {"location_id": location, "sku": sku, "quantity": -quantity, "cause": row.id, "at": unit.now}
        for (location, sku), quantity in sorted(at_locations(taken).items())
    ]
    unit.enter(stock_changes, *changes)
    await lower_at_locations(unit, taken, shipped=True)
    return Released(units=sum(each.quantity for each in taken))

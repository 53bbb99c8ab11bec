"""
What people and locations want done with a fulfillment order: hold, release, move, split, merge, cancel lines.

Each is one command, recorded and carried out in one transaction, or refused whole. Units, their money and their
reservations stay together: a fulfillment order that is moved or merged ends, and its successor has all of it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace

from pydantic import BaseModel
from sqlalchemy import Boolean, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB

from activities.arrivals import Arrival, body_as
from activities.fulfillment import FulfillmentOrder, give_capacity_back, give_up, required_fulfillment_order, set_status
from activities.reservations import Taken, add_reservations, at_locations, take
from activities.unit import Unit
from orderloom.domain import ids
from orderloom.domain.calendar import business_day
from orderloom.domain.capacity import Day
from orderloom.domain.fulfillment import FulfillmentStatus, give_back
from orderloom.domain.fulfillment_changes import (
    CancelLines,
    FulfillmentAction,
    FulfillmentRefused,
    Hold,
    LocationUnsuitable,
    Merge,
    Move,
    Release,
    Split,
    hand_over,
    request_type,
    split_off,
    why_not,
)
from orderloom.domain.locations import LocationTraits
from orderloom.domain.placing import ReportedLine
from orderloom.domain.units import Account, Movement, UnitState
from orderloom.persistence.books import FULFILLMENT_ORDERS
from orderloom.persistence.capacity import move_assigned
from orderloom.persistence.stock import Held, change_held
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders
from orderloom.persistence.writes import Values

_lines = fulfillment_order_lines.c


async def _hold(unit: Unit, row: FulfillmentOrder, command: Hold) -> None:
    unit.change(fulfillment_orders, {"id": row.id}, {"hold_reason": command.reason})
    unit.journal("fulfillment.held", row.facts)


async def _release(unit: Unit, row: FulfillmentOrder, _: Release) -> None:
    unit.change(fulfillment_orders, {"id": row.id}, {"hold_reason": None})
    unit.journal("fulfillment.released", row.facts)


async def _move(unit: Unit, row: FulfillmentOrder, command: Move) -> None:
    """End it, and begin one at the other location with all that it held: what is reserved moves by one statement."""
    traits = await _suitable(unit, row, command.location)
    target = Account(state=UnitState.ALLOCATED, place=command.location, fulfillment_order=await _next_id(unit))
    movements = hand_over(await unit.pools(), row.id, target)
    taken = await _hand_on(unit, row, None, target)
    day = None if traits.capacity is None else (command.location, business_day(traits, unit.now))
    _begin(unit, row, target, movements, status=FulfillmentStatus.ALLOCATED, day=day)
    await unit.move_units(movements)
    _end(unit, row, target)
    unit.journal("fulfillment.moved", {**row.facts, "successor": target.fulfillment_order})
    _tell_created(unit, target)
    changes = {key: Held(reserved=-quantity) for key, quantity in at_locations(taken).items()}
    there = at_locations([replace(each, location=command.location) for each in taken])
    changes |= {key: Held(reserved=quantity) for key, quantity in there.items()}
    await change_held(await unit.connection(), changes, own_group=unit.order.policy.location_group)
    await move_assigned(await unit.connection(), row.day, day)


async def _split(unit: Unit, row: FulfillmentOrder, command: Split) -> None:
    target = Account(state=UnitState.ALLOCATED, place=row.location_id or "", fulfillment_order=await _next_id(unit))
    quantities = _quantities(command.lines)
    movements = split_off(await unit.pools(), row.id, quantities, target, await _charges(unit))
    await _hand_on(unit, row, quantities, target)
    _begin(unit, row, target, movements, status=row.status, day=row.day)
    await unit.move_units(movements)
    unit.journal("fulfillment.split", {**row.facts, "successor": target.fulfillment_order})
    _tell_created(unit, target)
    await move_assigned(await unit.connection(), None, row.day)


async def _merge(unit: Unit, row: FulfillmentOrder, command: Merge) -> None:
    """Take in what the other one holds; its charges come along."""
    other = await required_fulfillment_order(unit, command.other)
    _require_alike(row, other)
    target = Account(state=UnitState.ALLOCATED, place=row.location_id or "", fulfillment_order=row.id)
    movements = hand_over(await unit.pools(), other.id, target)
    await _hand_on(unit, other, None, target)
    await _add_asked(unit, row.id, movements)
    await unit.move_units(movements)
    _end(unit, other, target)
    unit.journal("fulfillment.merged", {**other.facts, "successor": row.id})
    await give_capacity_back(unit, [other.day])


async def _cancel_lines(unit: Unit, row: FulfillmentOrder, command: CancelLines) -> None:
    movements = give_back(await unit.pools(), row.id, _quantities(command.lines), await _charges(unit))
    ended = await give_up(unit, movements, {row.id: row.day})
    unit.journal("fulfillment.cancelled" if ended else "fulfillment.reduced", row.facts)


def _quantities(lines: Iterable[ReportedLine]) -> Counter[str]:
    quantities: Counter[str] = Counter()
    for line in lines:
        quantities[line.line] += line.quantity
    return quantities


async def _charges(unit: Unit) -> frozenset[str]:
    return frozenset(line.id for line in await unit.lines() if line.kind != "product")


async def _next_id(unit: Unit) -> str:
    return ids.fulfillment_order_id(unit.order.id, 1 + len(await unit.book(FULFILLMENT_ORDERS)))


_SUITABLE = (
    text(
        """
        SELECT l.active AND EXISTS (
            SELECT 1 FROM location_group_members m WHERE m.location_id = l.id AND m.group_id = :of_group) AS suitable,
            l.traits
        FROM locations l WHERE l.id = :of_location
        """
    )
).columns(suitable=Boolean, traits=JSONB)


async def _suitable(unit: Unit, row: FulfillmentOrder, location: str) -> LocationTraits:
    """Return what the location is like that is to take over, or refuse it."""
    values = {"of_group": unit.order.policy.location_group, "of_location": location}
    found = (await unit.read(_SUITABLE, values)).one_or_none()
    if found is not None and found.suitable and location != row.location_id:
        return LocationTraits.model_validate(found.traits)
    if found is None:
        reason = f"there is no location {location}"
    elif location == row.location_id:
        reason = f"fulfillment order {row.id} is at {location} already"
    else:
        reason = f"{location} is not active, or not in group {unit.order.policy.location_group}"
    raise LocationUnsuitable(reason, location=location)


def _require_alike(row: FulfillmentOrder, other: FulfillmentOrder) -> None:
    """Refuse to merge what differs in anything that a location works by."""
    if row.id == other.id:
        raise FulfillmentRefused(f"{row.id} cannot be merged with itself", fulfillment_order=row.id)
    for name in ("location_id", "delivery_group_id", "kind", "status", "hold_reason"):
        mine, others = getattr(row, name), getattr(other, name)
        if mine != others:
            what = name.removesuffix("_id").replace("_", " ")
            detail = f"{what} of {row.id} is {mine or 'none'}, of {other.id} {others or 'none'}"
            raise FulfillmentRefused(detail, fulfillment_order=row.id, other=other.id)


async def _hand_on(unit: Unit, row: FulfillmentOrder, quantities: Counter[str] | None, target: Account) -> list[Taken]:
    """Let the reservation of a fulfillment order, or a part of it, be the target's; return what it held before."""
    stocked = {line.id for line in await unit.lines() if line.stocked}
    wanted = quantities and {line: quantity for line, quantity in quantities.items() if line in stocked}
    taken = await take(unit, wanted, "transferred", row.id)
    add_reservations(unit, [(target.fulfillment_order, replace(each, location=target.place)) for each in taken])
    return taken


def _begin(
    unit: Unit,
    origin: FulfillmentOrder,
    target: Account,
    movements: Sequence[Movement],
    *,
    status: FulfillmentStatus,
    day: Day | None,
) -> None:
    """Enter the fulfillment order *target*, which goes on where *origin* was and takes the capacity of *day*."""
    assert target.fulfillment_order is not None
    unit.enter(
        fulfillment_orders,
        {
            "id": target.fulfillment_order,
            "order_id": unit.order.id,
            "number": ids.number_of(target.fulfillment_order),
            "delivery_group_id": origin.delivery_group_id,
            "location_id": target.place or None,
            "kind": origin.kind,
            "status": status.value,
            "attempt": origin.attempt,
            "created_at": unit.now,
            "hold_reason": origin.hold_reason,
            "capacity_day": None if day is None else day[1],
        },
    )
    rows: list[Values] = [
        {
            "fulfillment_order_id": target.fulfillment_order,
            "line_id": movement.line_id,
            "original_quantity": movement.quantity,
        }
        for movement in movements
    ]
    unit.enter(fulfillment_order_lines, *rows)


def _end(unit: Unit, row: FulfillmentOrder, target: Account) -> None:
    set_status(unit, row.id, FulfillmentStatus.CANCELLED)
    unit.change(fulfillment_orders, {"id": row.id}, {"successor_id": target.fulfillment_order, "hold_reason": None})


def _tell_created(unit: Unit, target: Account) -> None:
    unit.journal(
        "fulfillment.created", {"fulfillment_order": target.fulfillment_order, "location": target.place or None}
    )


_ASKED = select(_lines.line_id, _lines.original_quantity).where(_lines.fulfillment_order_id == bindparam("of_id"))


async def _add_asked(unit: Unit, fulfillment_order: str, movements: Sequence[Movement]) -> None:
    """Let the location be asked for what is merged into its fulfillment order, too."""
    asked = {row.line_id: row.original_quantity for row in await unit.read(_ASKED, {"of_id": fulfillment_order})}
    for movement in movements:
        key = {"fulfillment_order_id": fulfillment_order, "line_id": movement.line_id}
        if movement.line_id in asked:
            quantity = asked[movement.line_id] + movement.quantity
            unit.change(fulfillment_order_lines, key, {"original_quantity": quantity})
        else:
            unit.enter(fulfillment_order_lines, {**key, "original_quantity": movement.quantity})


def _handler[M: BaseModel](
    action: FulfillmentAction, model: type[M], carry_out: Callable[[Unit, FulfillmentOrder, M], Awaitable[None]]
) -> tuple[str, Callable[[Unit, Arrival], Awaitable[int]]]:
    """Return the type of the command for *action*, and what records it and carries it out whole or not at all."""

    async def record(unit: Unit, arrival: Arrival) -> int:
        async with unit.savepoint():
            row = await required_fulfillment_order(unit, str(arrival.body.get("fulfillment_order", "")))
            command = body_as(arrival, model, without=("fulfillment_order",))
            if reason := why_not(action, row.status, row.kind, held=row.hold_reason is not None):
                raise FulfillmentRefused(reason, fulfillment_order=row.id, status=row.status.value)
            seq = arrival.enter(unit, row.facts)
            await carry_out(unit, row, command)
            return seq

    return request_type(action), record


HANDLERS: dict[str, Callable[[Unit, Arrival], Awaitable[int]]] = dict(
    (
        _handler(FulfillmentAction.HOLD, Hold, _hold),
        _handler(FulfillmentAction.RELEASE, Release, _release),
        _handler(FulfillmentAction.MOVE, Move, _move),
        _handler(FulfillmentAction.SPLIT, Split, _split),
        _handler(FulfillmentAction.MERGE, Merge, _merge),
        _handler(FulfillmentAction.CANCEL_LINES, CancelLines, _cancel_lines),
    )
)
"""By the type of the command."""

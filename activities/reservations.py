"""
Reservations: rows that say which order holds what where, and the counters that they add up to.

A reservation starts at the channel's location group and moves to locations when the order is routed. Counters change by
conditional statements only (``persistence.stock``), so nothing can be reserved twice.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from activities.registry import implements, implements_together
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import Nothing, Released, Reserved, Shortage
from orderloom.domain.order import Line, OrderMoved
from orderloom.domain.units import Account, Pool, UnitState, move
from orderloom.persistence.books import RESERVED
from orderloom.persistence.stock import Change, Demand, Held, Key, change_groups, change_held, reserve_in_turn
from orderloom.persistence.tables.inventory import reservations
from orderloom.persistence.waking import offer, restocked

NAMED = 10
"""How many short SKUs an answer names."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Units of one line taken out of reservations: where they were held."""

    line_id: str
    sku: str
    group: str
    location: str | None = None
    quantity: int


@implements(actions.create_reservation)
async def create_reservation(unit: Unit, command: Nothing) -> Reserved:
    """Reserve all open units that come from stock at the channel's location group, or none."""
    (reserved,) = await create_reservations([(unit, command)])
    return reserved


@implements_together(actions.create_reservation)
async def create_reservations(asked: Sequence[tuple[Unit, Nothing]]) -> list[Reserved]:
    """Do for several orders in one transaction what ``create_reservation`` does, first come, first served."""
    units = [unit for unit, _ in asked]
    wishes = [await _wish(unit) for unit in units]
    shortages = await reserve_in_turn(await units[0].connection(), [wish.demand for wish in wishes])
    return [await _hold(*each) for each in zip(units, wishes, shortages, strict=True)]


@dataclass(frozen=True)
class _Wish:
    """The open units of an order, and what they demand of the group's stock."""

    pools: list[Pool]
    skus: dict[str, str]
    """By line."""
    demand: Demand


async def _wish(unit: Unit) -> _Wish:
    products = {line.id: line for line in await unit.lines() if line.stocked}
    pools = [pool for pool in await unit.pools(UnitState.OPEN) if pool.line_id in products and pool.quantity > 0]
    skus = {pool.line_id: sku_of(products[pool.line_id]) for pool in pools}
    demand: Counter[Key] = Counter()
    for pool in pools:
        demand[unit.order.policy.location_group, skus[pool.line_id]] += pool.quantity
    return _Wish(pools, skus, Demand(demand, demand if unit.order.policy.promise == "atf" else ()))


async def _hold(unit: Unit, wish: _Wish, short: Mapping[Key, int]) -> Reserved:
    if not wish.pools:
        return Reserved(outcome="nothing_to_reserve")
    if short:
        named = [Shortage(sku=sku, quantity=quantity) for (_, sku), quantity in list(short.items())[:NAMED]]
        unit.journal("stock.short", {"short": [shortage.model_dump() for shortage in named]})
        return Reserved(outcome="short", short=named)
    unit.journal("stock.reserved", {})
    group = unit.order.policy.location_group
    held = Account(state=UnitState.RESERVED, place=group)
    await unit.move_units([move(pool, pool.quantity, held) for pool in wish.pools])
    reserved = [
        Taken(line_id=pool.line_id, sku=wish.skus[pool.line_id], group=group, quantity=pool.quantity)
        for pool in wish.pools
    ]
    add_reservations(unit, [(None, each) for each in reserved])
    return Reserved(outcome="reserved")


@implements(actions.release_reservation)
async def release_reservation(unit: Unit, _: Nothing) -> Released:
    """Give back what is reserved at the group for units that are not allocated."""
    return Released(units=await release_open(unit))


async def release_open(unit: Unit, *, but: Collection[str] = ()) -> int:
    """Make reserved units of lines, *but* of these, open and release their reservation; return how many there were."""
    pools = [pool for pool in await unit.pools(UnitState.RESERVED) if pool.quantity > 0 and pool.line_id not in but]
    if not pools:
        return 0
    await release_at_group(unit, by_line(pools))
    await unit.move_units([move(pool, pool.quantity, Account(state=UnitState.OPEN)) for pool in pools])
    return sum(pool.quantity for pool in pools)


async def release_at_group(unit: Unit, quantities: Mapping[str, int]) -> None:
    """
    Release units (by line) that are reserved at a location group, to orders that wait for them or to all.

    The unit ledger is the caller's to move.

    Raises:
        OrderMoved: fewer are reserved there.
    """
    taken = await take(unit, quantities, "released", None)
    conn, freed = await unit.connection(), at_groups(taken)
    await change_groups(conn, {key: Change(reserved=-quantity) for key, quantity in freed.items()})
    await offer(conn, freed, now=unit.now)


async def release_at_location(unit: Unit, fulfillment_order: str, quantities: Mapping[str, int]) -> None:
    """
    Release units (by line) that are reserved for a fulfillment order. The unit ledger is the caller's to move.

    Raises:
        OrderMoved: fewer are reserved for it.
    """
    taken = await take(unit, quantities, "released", fulfillment_order)
    await lower_at_locations(unit, taken)


async def lower_at_locations(unit: Unit, taken: Iterable[Taken], *, shipped: bool = False) -> None:
    """
    Lower the reserved counters of locations and all their groups; with *shipped* what is on hand too.

    What becomes available by it goes to orders that wait for it, or to all.
    """
    lowered = {
        key: Held(reserved=-quantity, on_hand=-quantity if shipped else 0)
        for key, quantity in at_locations(taken).items()
    }
    await change_held(await unit.connection(), lowered, own_group=unit.order.policy.location_group)
    if not shipped:
        await restocked(await unit.connection(), at_locations(taken), now=unit.now)


async def take(
    unit: Unit, quantities: Mapping[str, int] | None, status: str, fulfillment_order: str | None
) -> list[Taken]:
    """
    End active reservations, oldest first, and return what they held; None takes all of them.

    They are those that are held for *fulfillment_order*, or (None) at the group.

    A row that is taken in part goes on with the rest; one that is taken whole gets *status*.

    Raises:
        OrderMoved: less is reserved than *quantities* (by line) asks for.
    """
    left = None if quantities is None else Counter(quantities)
    taken: list[Taken] = []
    for id, line, sku, group, location, reserved, held_for in await unit.book(RESERVED):
        here = location is None if fulfillment_order is None else held_for == fulfillment_order
        quantity = reserved if left is None else min(reserved, left[line])
        if not here or quantity <= 0:
            continue
        if left is not None:
            left[line] -= quantity
        unit.change(
            reservations, {"id": id}, {"status": status} if quantity == reserved else {"quantity": reserved - quantity}
        )
        taken.append(Taken(line_id=line, sku=sku, group=group, location=location, quantity=quantity))
    if left is not None and (missing := +left):
        line, quantity = next(iter(missing.items()))
        detail = f"{quantity} more units of line {line} were to be taken than are reserved"
        raise OrderMoved(detail, line=line, missing=quantity)
    return taken


def add_reservations(unit: Unit, held: Iterable[tuple[str | None, Taken]]) -> None:
    """Write active reservations, each with the fulfillment order that it is for."""
    rows = [
        {
            "order_id": unit.order.id,
            "line_id": each.line_id,
            "sku": each.sku,
            "group_id": each.group,
            "location_id": each.location,
            "fulfillment_order_id": fulfillment_order,
            "quantity": each.quantity,
            "status": "active",
            "created_at": unit.now,
        }
        for fulfillment_order, each in held
    ]
    unit.enter(reservations, *rows)


def demand_of(pools: Iterable[Pool], products: Mapping[str, Line]) -> Counter[str]:
    """Return quantities by SKU."""
    demand: Counter[str] = Counter()
    for pool in pools:
        demand[sku_of(products[pool.line_id])] += pool.quantity
    return demand


def by_line(pools: Iterable[Pool]) -> Counter[str]:
    """Return quantities by line."""
    quantities: Counter[str] = Counter()
    for pool in pools:
        quantities[pool.line_id] += pool.quantity
    return quantities


def sku_of(line: Line) -> str:
    """Return the SKU of a product line."""
    assert line.sku is not None, "a product has a SKU"
    return line.sku


def at_locations(taken: Iterable[Taken]) -> Counter[Key]:
    """Return quantities by location and SKU."""
    at: Counter[Key] = Counter()
    for each in taken:
        assert each.location is not None, "the reservation is held at a location"
        at[each.location, each.sku] += each.quantity
    return at


def at_groups(taken: Iterable[Taken]) -> Counter[Key]:
    """Return quantities by the group that they are reserved at, and SKU."""
    at: Counter[Key] = Counter()
    for each in taken:
        at[each.group, each.sku] += each.quantity
    return at

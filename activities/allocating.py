"""Carries a routing plan out: the reservation moves to the plan's locations, and each gets its fulfillment orders."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select

from activities.candidates import Waiting, read_waiting
from activities.registry import implements
from activities.reservations import Taken, add_reservations, sku_of, take
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import CreateFulfillmentOrders, FulfillmentOrdersCreated
from orderloom.domain import ids
from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.order import Line, OrderMoved
from orderloom.domain.routing import RoutingAnswer, RoutingOutcome
from orderloom.domain.units import Account, Movement, Pool, UnitState, apply, move
from orderloom.persistence.stock import Held, Key, change_held
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders, routing_attempts
from orderloom.persistence.tables.inventory import reservations
from orderloom.persistence.writes import Values

NAMED = 10
"""How many fulfillment orders an answer names."""

JOURNALED = 50
"""How many fulfillment orders get an event of their own."""


@dataclass
class Draft:
    """A fulfillment order in the making: one location, one delivery group."""

    id: str
    number: int
    location: str
    delivery_group: str
    movements: list[Movement] = field(default_factory=list[Movement])


@dataclass(frozen=True)
class Slice:
    """Units of one pool that go to one location."""

    pool: Pool
    line: Line
    location: str
    quantity: int


@implements(actions.create_fulfillment_orders)
async def create_fulfillment_orders(unit: Unit, command: CreateFulfillmentOrders) -> FulfillmentOrdersCreated:
    """Allocate all that waits by the attempt's plan, or nothing when stock or order have moved since."""
    waiting = await read_waiting(unit)
    slices = _sliced(waiting, await _plan(unit, command.attempt, waiting))
    drafts = _drafts(slices, await unit.next_number(fulfillment_orders), unit.order.id)
    charges = [pool for pool in await unit.pools(UnitState.OPEN) if pool.line_id not in waiting.products]
    await _add_charges(unit, drafts, charges)
    for draft in drafts[:JOURNALED]:
        unit.journal("fulfillment.created", {"fulfillment_order": draft.id, "location": draft.location})
    await _move_reservations(unit, drafts, waiting)
    _write(unit, drafts, command.attempt)
    await unit.move_units([movement for draft in drafts for movement in draft.movements])
    await _hold_stock(unit, slices)
    return FulfillmentOrdersCreated(fulfillment_orders=[draft.id for draft in drafts[:NAMED]], count=len(drafts))


_ANSWER = select(routing_attempts.c.answer).where(
    routing_attempts.c.order_id == bindparam("of_order"), routing_attempts.c.number == bindparam("of_number")
)


async def _plan(unit: Unit, attempt: int, waiting: Waiting) -> list[tuple[str, str, int]]:
    """Return the attempt's plan as (location, SKU, quantity), if it is still what waits."""
    stored = (await unit.read(_ANSWER, {"of_order": unit.order.id, "of_number": attempt})).scalar_one_or_none()
    answer = None if stored is None else RoutingAnswer.model_validate(stored)
    if answer is None or answer.outcome is not RoutingOutcome.ROUTED:
        raise OrderMoved(f"routing attempt {attempt} of order {unit.order.id} has no route", attempt=attempt)
    plan = [(each.location, each.sku, each.quantity) for each in answer.routes[0].plan]
    planned: Counter[str] = Counter()
    for _, sku, quantity in plan:
        planned[sku] += quantity
    if dict(planned) != waiting.demand:
        raise OrderMoved(f"order {unit.order.id} has changed since routing attempt {attempt}", attempt=attempt)
    return plan


def _sliced(waiting: Waiting, plan: Sequence[tuple[str, str, int]]) -> list[Slice]:
    """Spread the plan's quantities over the pools: lines by position, locations in the order of the plan."""
    left: dict[str, list[list[str | int]]] = {}
    for location, sku, quantity in plan:
        left.setdefault(sku, []).append([location, quantity])
    slices: list[Slice] = []
    for pool in waiting.pools:
        line = waiting.products[pool.line_id]
        need = pool.quantity
        for entry in left[sku_of(line)]:
            taken = min(need, int(entry[1]))
            if taken > 0:
                slices.append(Slice(pool, line, str(entry[0]), taken))
                entry[1] = int(entry[1]) - taken
                need -= taken
    return slices


async def _hold_stock(unit: Unit, slices: Iterable[Slice]) -> None:
    """
    Reserve the units at their locations, counted in all groups of the location.

    What the channel's group holds already only changes its place there. Everything else must be free.
    """
    held: Counter[Key] = Counter()
    unreserved: Counter[Key] = Counter()
    for each in slices:
        key = each.location, sku_of(each.line)
        held[key] += each.quantity
        if each.pool.account.state is UnitState.OPEN:
            unreserved[key] += each.quantity
    changes = {key: Held(reserved=quantity, own=unreserved[key]) for key, quantity in held.items()}
    await change_held(await unit.connection(), changes, own_group=unit.order.policy.location_group)


def _drafts(slices: Sequence[Slice], first_number: int, order_id: str) -> list[Draft]:
    """Return a fulfillment order per location and delivery group, by the first line in it, then by location."""
    drafts: dict[tuple[str, str], Draft] = {}
    left = {(each.pool.line_id, each.pool.account): each.pool for each in slices}
    ranked = sorted(slices, key=lambda each: (each.line.position, each.location))
    for each in ranked:
        place = each.location, each.line.delivery_group
        if place not in drafts:
            number = first_number + len(drafts)
            drafts[place] = Draft(ids.fulfillment_order_id(order_id, number), number, *place)
    for each in slices:
        draft = drafts[each.location, each.line.delivery_group]
        name = each.pool.line_id, each.pool.account
        movement = move(left[name], each.quantity, _allocated(draft))
        draft.movements.append(movement)
        left[name] = next(
            (pool for pool in apply([left[name]], [movement]) if pool.account == each.pool.account), left[name]
        )
    return list(drafts.values())


def _allocated(draft: Draft) -> Account:
    return Account(state=UnitState.ALLOCATED, place=draft.location, fulfillment_order=draft.id)


async def _add_charges(unit: Unit, drafts: Sequence[Draft], charges: Sequence[Pool]) -> None:
    """Put a delivery group's charges into its first fulfillment order (reference 6p)."""
    if not charges:
        return
    group_of = {line.id: line.delivery_group for line in await unit.lines()}
    first: dict[str, Draft] = {}
    for draft in drafts:
        first.setdefault(draft.delivery_group, draft)
    for pool in charges:
        if (draft := first.get(group_of[pool.line_id])) is not None:
            draft.movements.append(move(pool, pool.quantity, _allocated(draft)))


def _write(unit: Unit, drafts: Sequence[Draft], attempt: int) -> None:
    orders: list[Values] = [
        {
            "id": draft.id,
            "order_id": unit.order.id,
            "number": draft.number,
            "delivery_group_id": draft.delivery_group,
            "location_id": draft.location,
            "status": FulfillmentStatus.ALLOCATED.value,
            "attempt": attempt,
            "created_at": unit.now,
        }
        for draft in drafts
    ]
    unit.enter(fulfillment_orders, *orders)
    lines: list[Values] = []
    for draft in drafts:
        quantities: Counter[str] = Counter()
        for movement in draft.movements:
            quantities[movement.line_id] += movement.quantity
        lines += [
            {"fulfillment_order_id": draft.id, "line_id": line, "original_quantity": quantity}
            for line, quantity in quantities.items()
        ]
    unit.enter(fulfillment_order_lines, *lines)


async def _move_reservations(unit: Unit, drafts: Sequence[Draft], waiting: Waiting) -> None:
    """End what is held at the group, and hold it for the fulfillment orders at their locations."""
    if waiting.reserved:
        await take(unit, None, "transferred", reservations.c.location_id.is_(None))
    held: list[tuple[str, Taken]] = []
    for draft in drafts:
        for movement in draft.movements:
            if (line := waiting.products.get(movement.line_id)) is not None:
                taken = Taken(
                    line_id=line.id,
                    sku=sku_of(line),
                    group=unit.order.policy.location_group,
                    location=draft.location,
                    quantity=movement.quantity,
                )
                held.append((draft.id, taken))
    add_reservations(unit, held)

"""Carries a routing out: the reservation moves to the plan's locations, and each gets its fulfillment orders."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import Boolean, column, text
from sqlalchemy.dialects.postgresql import JSONB

from activities.awaiting import accept_held, take_capacity, use
from activities.registry import implements
from activities.reservations import Taken, add_reservations, sku_of, take
from activities.unit import Fact, Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import CreateFulfillmentOrders, FulfillmentOrdersCreated
from orderloom.domain import ids
from orderloom.domain.calendar import business_day
from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import JsonObject
from orderloom.domain.order import Line, OrderMoved
from orderloom.domain.parts import FulfillmentKind, RoutedPart, Routing
from orderloom.domain.units import Account, Movement, Pool, UnitState, apply, move
from orderloom.persistence.books import FULFILLMENT_ORDERS
from orderloom.persistence.proposals import Proposal
from orderloom.persistence.stock import Held, Key, change_held
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders, routing_attempts
from orderloom.persistence.waiting import Waiting, read_waiting
from orderloom.persistence.writes import Values

NAMED = 10
"""How many fulfillment orders an answer names."""

JOURNALED = 50
"""How many fulfillment orders get an event of their own."""


@dataclass
class Draft:
    """A fulfillment order in the making: one location, one delivery group, one way."""

    id: str
    number: int
    kind: FulfillmentKind
    location: str
    """Empty for what is digital."""
    delivery_group: str
    movements: list[Movement] = field(default_factory=list[Movement])

    @property
    def stocked(self) -> bool:
        """Return whether its units come from stock of ours."""
        return self.kind in {"pickup", "warehouse"}


@dataclass(frozen=True)
class Slice:
    """Units of one pool that go one way from one location."""

    pool: Pool
    line: Line
    kind: FulfillmentKind
    location: str
    quantity: int


@implements(actions.create_fulfillment_orders)
async def create_fulfillment_orders(unit: Unit, command: CreateFulfillmentOrders) -> FulfillmentOrdersCreated:
    """Allocate what the attempt routed of what waits, or nothing when stock or order have moved since."""
    waiting = await read_waiting(unit)
    parts, days, proposed = await _routed(unit, command.attempt, waiting)
    slices = _sliced(waiting, parts)
    drafts = _drafts(slices, 1 + len(await unit.book(FULFILLMENT_ORDERS)), unit.order.id)
    charges = [pool for pool in await unit.pools(UnitState.OPEN) if pool.line_id not in waiting.products]
    await _add_charges(unit, drafts, charges, waiting)
    _tell(unit, drafts)
    await _move_reservations(unit, drafts, slices)
    _write(unit, drafts, command.attempt, days)
    await unit.move_units([movement for draft in drafts for movement in draft.movements])
    proposal = await accept_held(unit) if proposed else None
    await _hold_stock(unit, slices, proposal)
    counted = [draft for draft in drafts if draft.stocked and draft.location in days]
    await take_capacity(unit, Counter((draft.location, days[draft.location]) for draft in counted), proposal)
    return FulfillmentOrdersCreated(fulfillment_orders=[draft.id for draft in drafts[:NAMED]], count=len(drafts))


def _tell(unit: Unit, drafts: Sequence[Draft]) -> None:
    """Journal the fulfillment orders, and of digital ones that they are to be delivered: no location looks for them."""
    for draft in drafts[:JOURNALED]:
        unit.journal("fulfillment.created", {"fulfillment_order": draft.id, "location": draft.location or None})
    for draft in drafts:
        if draft.kind == "digital":
            unit.journal("fulfillment.digital", {"fulfillment_order": draft.id})


_ANSWER = text(
    """
    SELECT a.answer, (
        SELECT jsonb_object_agg(l.id, l.traits) FROM locations l
        WHERE l.traits->'capacity' IS NOT NULL AND l.id = ANY(ARRAY(
            SELECT planned #>> '{}'
            FROM jsonb_path_query(a.answer, '$.parts[*].answer.routes[0].plan[*].location') planned))) AS limited,
        EXISTS (SELECT 1 FROM proposals p WHERE p.order_id = a.order_id AND p.status = 'open') AS proposed
    FROM routing_attempts a WHERE a.order_id = :of_order AND a.number = :of_number
    """
).columns(routing_attempts.c.answer, column("limited", JSONB), column("proposed", Boolean))
"""An attempt's answer, the traits of its locations that take only so much a day, and whether stock is held for it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a routing attempt found."""

    attempt: int
    routing: Routing
    limited: Mapping[str, LocationTraits]
    """Those of its locations, if not more, that take only so much a day."""
    proposed: bool = False
    """Stock may be held for the order until it answers."""


JUST_FOUND = Fact[Found]()
"""The attempt that the transaction has made."""


async def _found(unit: Unit, attempt: int) -> Found | None:
    known = unit.recall(JUST_FOUND)
    if known is not None and known.attempt == attempt:
        return known
    stored = (await unit.read(_ANSWER, {"of_order": unit.order.id, "of_number": attempt})).one_or_none()
    if stored is None:
        return None
    traits: dict[str, JsonObject] = stored.limited or {}
    limited = {location: LocationTraits.model_validate(each) for location, each in traits.items()}
    routing = Routing.model_validate(stored.answer)
    return Found(attempt=attempt, routing=routing, limited=limited, proposed=stored.proposed)


async def _routed(unit: Unit, attempt: int, waiting: Waiting) -> tuple[tuple[RoutedPart, ...], dict[str, date], bool]:
    """
    Return the parts that go out by the attempt, if what waits is still what it saw.

    With them comes, by location with a capacity, the day that the work belongs to, none if the policy counts none;
    and whether stock is held for the order until it answers.
    """
    found = await _found(unit, attempt)
    if found is None or not found.routing.carried_out:
        raise OrderMoved(f"routing attempt {attempt} of order {unit.order.id} has no route", attempt=attempt)
    seen: Counter[tuple[str, str]] = Counter()
    for part in found.routing.parts:
        seen.update({(part.delivery_group, sku): quantity for sku, quantity in part.demand.items()})
    if seen != waiting.by_group:
        raise OrderMoved(f"order {unit.order.id} has changed since routing attempt {attempt}", attempt=attempt)
    counted = unit.order.policy.routing.eligible.capacity
    days = {location: business_day(traits, unit.now) for location, traits in found.limited.items() if counted}
    return found.routing.carried_out, days, found.proposed


def _sliced(waiting: Waiting, parts: Iterable[RoutedPart]) -> list[Slice]:
    """Spread the plans' quantities over the pools: pools in their order, locations in the order of the plan."""
    left: dict[tuple[str, str], list[tuple[RoutedPart, str, int]]] = {}
    for part in parts:
        for each in part.plan:
            left.setdefault((part.delivery_group, each.sku), []).append((part, each.location, each.quantity))
    slices: list[Slice] = []
    for pool in waiting.pools:
        line = waiting.products[pool.line_id]
        need = pool.quantity
        sources = left.get((line.delivery_group, sku_of(line)), [])
        while need and sources:
            part, location, there = sources.pop(0)
            taken = min(need, there)
            slices.append(Slice(pool, line, part.kind, location, taken))
            need -= taken
            if taken < there:
                sources.insert(0, (part, location, there - taken))
    return slices


async def _hold_stock(unit: Unit, slices: Iterable[Slice], proposal: Proposal | None) -> None:
    """
    Reserve the units from stock at their locations, counted in all groups of the location.

    What the channel's group holds already only changes its place there, and so does what is held for the order until
    it answers. Everything else must be free.
    """
    held: Counter[Key] = Counter()
    unreserved: Counter[Key] = Counter()
    for each in slices:
        if not each.line.stocked:
            continue
        key = each.location, sku_of(each.line)
        held[key] += each.quantity
        if each.pool.account.state is UnitState.OPEN:
            unreserved[key] += each.quantity
    if proposal is not None:
        await use(unit, proposal, held, unreserved)
        return
    changes = {key: Held(reserved=quantity, own=unreserved[key]) for key, quantity in held.items()}
    await change_held(await unit.connection(), changes, own_group=unit.order.policy.location_group)


def _drafts(slices: Sequence[Slice], first_number: int, order_id: str) -> list[Draft]:
    """Return a fulfillment order per location, delivery group and way, by the first line in it, then by location."""
    drafts: dict[tuple[FulfillmentKind, str, str], Draft] = {}
    left = {(each.pool.line_id, each.pool.account): each.pool for each in slices}
    ranked = sorted(slices, key=lambda each: (each.line.position, each.location))
    for each in ranked:
        place = each.kind, each.location, each.line.delivery_group
        if place not in drafts:
            number = first_number + len(drafts)
            drafts[place] = Draft(ids.fulfillment_order_id(order_id, number), number, *place)
    for each in slices:
        draft = drafts[each.kind, each.location, each.line.delivery_group]
        name = each.pool.line_id, each.pool.account
        movement = move(left[name], each.quantity, _allocated(draft))
        draft.movements.append(movement)
        left[name] = next(
            (pool for pool in apply([left[name]], [movement]) if pool.account == each.pool.account), left[name]
        )
    return list(drafts.values())


def _allocated(draft: Draft) -> Account:
    return Account(state=UnitState.ALLOCATED, place=draft.location, fulfillment_order=draft.id)


async def _add_charges(unit: Unit, drafts: Sequence[Draft], charges: Sequence[Pool], waiting: Waiting) -> None:
    """
    Put a delivery group's charges into its first fulfillment order (reference 6p).

    A digital one carries them only if the group has nothing else that waits: they pay for bringing goods.
    """
    if not charges:
        return
    group_of = {line.id: line.delivery_group for line in await unit.lines()}
    lines = [waiting.products[pool.line_id] for pool in waiting.pools]
    with_goods = {line.delivery_group for line in lines if line.fulfilment != "digital"}
    first: dict[str, Draft] = {}
    for draft in drafts:
        if draft.kind != "digital" or draft.delivery_group not in with_goods:
            first.setdefault(draft.delivery_group, draft)
    for pool in charges:
        if (draft := first.get(group_of[pool.line_id])) is not None:
            draft.movements.append(move(pool, pool.quantity, _allocated(draft)))


def _write(unit: Unit, drafts: Sequence[Draft], attempt: int, days: Mapping[str, date]) -> None:
    orders: list[Values] = [
        {
            "id": draft.id,
            "order_id": unit.order.id,
            "number": draft.number,
            "delivery_group_id": draft.delivery_group,
            "location_id": draft.location or None,
            "kind": draft.kind,
            "status": FulfillmentStatus.ALLOCATED.value,
            "attempt": attempt,
            "created_at": unit.now,
            "capacity_day": days.get(draft.location) if draft.stocked else None,
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


async def _move_reservations(unit: Unit, drafts: Sequence[Draft], slices: Sequence[Slice]) -> None:
    """End what is held at the group for the units that go out, and hold it for them at their locations."""
    reserved: Counter[str] = Counter()
    for each in slices:
        if each.pool.account.state is UnitState.RESERVED:
            reserved[each.line.id] += each.quantity
    if reserved:
        await take(unit, reserved, "transferred", None)
    products = {each.line.id: each.line for each in slices}
    held = [
        (
            draft.id,
            Taken(
                line_id=movement.line_id,
                sku=sku_of(products[movement.line_id]),
                group=unit.order.policy.location_group,
                location=draft.location,
                quantity=movement.quantity,
            ),
        )
        for draft in drafts
        if draft.stocked
        for movement in draft.movements
        if movement.line_id in products
    ]
    add_reservations(unit, held)

"""What a routing attempt leaves over waits for stock; what is held for the order meanwhile is used or released."""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import bindparam, delete, insert

from activities.unit import Unit
from orderloom.domain.capacity import Day
from orderloom.domain.parts import Routing
from orderloom.domain.router import Attempted
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.situation import Situation
from orderloom.domain.units import UnitState
from orderloom.domain.waves import Answer
from orderloom.persistence.capacity import assign, confirm
from orderloom.persistence.capacity import release as release_capacity
from orderloom.persistence.proposals import Proposal, accept, proposal_of, release
from orderloom.persistence.situation import group_free, open_units, risen_since
from orderloom.persistence.stock import Change, Held, Key, change_groups, change_held, lock_groups
from orderloom.persistence.tables.waiting import stock_waits
from orderloom.persistence.waiting import Waiting
from orderloom.persistence.waking import offer
from orderloom.persistence.writes import Values

_FORGET = delete(stock_waits).where(stock_waits.c.order_id == bindparam("of_order"))


async def held_for(unit: Unit) -> Proposal | None:
    """Return what is held for the order until it answers."""
    return await proposal_of(await unit.written(), unit.order.id)


async def accept_held(unit: Unit) -> Proposal | None:
    """Accept what is held for the order, if anything is, and return it: the caller says what is kept of it."""
    return await accept(await unit.connection(), unit.order.id, now=unit.now)


async def found_by_wave(unit: Unit, waiting: Waiting, answer: Answer | None) -> tuple[Situation, Attempted] | None:
    """
    Return what a wave has answered for what waits, as if the order had found it itself; None: it searches itself.

    An order that has changed since the wave looked at it releases what the wave holds for it.
    """
    if answer is not None and answer.answers(waiting.by_group, open_units(waiting)):
        return answer.seen, Attempted(routing=answer.routing, fates=answer.fates)
    if (proposal := await held_for(unit)) is not None:
        await give_back(unit, proposal)
    return None


async def give_back(unit: Unit, proposal: Proposal) -> None:
    """Release what is held for the order; it goes to those that stand behind it."""
    unit.contended = True
    await release(await unit.written(), proposal, now=unit.now)


async def use(unit: Unit, proposal: Proposal, held: Mapping[Key, int], unreserved: Mapping[Key, int]) -> None:
    """
    Keep of an accepted proposal what the order needs, and change the counters by what that is more, or less.

    Args:
        held: units that go out, by location and SKU.
        unreserved: those of them that nothing is reserved for, not even at the group.

    Raises:
        StockMoved: what is not held is not free.
    """
    conn = await unit.connection()
    places, own = Counter(held), Counter(unreserved)
    at_group: Counter[str] = Counter()
    for line in proposal.lines:
        if line.location is None:
            at_group[line.sku] += line.own
        else:
            places[line.location, line.sku] -= line.quantity
            own[line.location, line.sku] -= line.own
    group = unit.order.policy.location_group
    changes: dict[Key, Held] = {}
    for key in sorted({*places, *own}):
        covered = min(max(0, own[key]), at_group[key[1]])
        at_group[key[1]] -= covered
        changes[key] = Held(reserved=places[key], own=own[key] - covered)
    # The counters of the group alone: what a location's do not change, and what was held and is not needed.
    alone = Counter({(group, sku): -quantity for sku, quantity in at_group.items() if quantity})
    for key, change in changes.items():
        if not change.reserved and change.own:
            alone[group, key[1]] += change.own
    await change_held(conn, changes, own_group=group)
    await change_groups(conn, {key: Change(reserved=q, needed=q if q > 0 else None) for key, q in alone.items()})
    spare = {key for key, quantity in alone.items() if quantity < 0}
    if spare:
        await offer(await unit.written(), spare, now=unit.now)


async def take_capacity(unit: Unit, taken: Counter[Day], proposal: Proposal | None) -> None:
    """
    Assign the capacity that fulfillment orders take: what is held for the order is confirmed, or given back.

    Raises:
        CapacityTaken: a day is full of which not enough is held.
    """
    held: Counter[Day] = Counter({} if proposal is None else proposal.capacity)
    conn = await unit.connection()
    await confirm(conn, taken & held)
    await assign(conn, taken - held)
    await release_capacity(conn, held - taken)


async def wait_for_stock(
    unit: Unit, waiting: Waiting, routing: Routing, seen: Situation, *, held: Proposal | None = None
) -> None:
    """
    Note what the attempt leaves over: stock that comes in goes to the order in its turn.

    Whoever raised stock while the attempt was under way has not seen the order in the queue. It holds the group's
    counters while it looks: once they are locked here, either it is over, and what it raised is given out now, or it
    comes later, and sees the order.

    Args:
        seen: what the attempt has looked at.
        held: what is held for the order and of no use to it: it is given back.
    """
    rows = [] if routing.outcome is RoutingOutcome.ROUTED else _left_over(unit, waiting, routing)
    conn = await unit.written()
    await conn.execute(_FORGET, {"of_order": unit.order.id})
    if rows:
        await conn.execute(insert(stock_waits), rows)
    group = unit.order.policy.location_group
    missing = [str(row["sku"]) for row in rows if row["missing"]]
    if missing:
        # All at once, in the order that everybody keeps: what is given back is among them.
        given_back = () if held is None else [line.sku for line in held.lines]
        await lock_groups(await unit.connection(), {(group, sku) for sku in (*missing, *given_back)})
    if held is not None:
        await give_back(unit, held)
    if missing:
        risen = await risen_since(unit, seen, missing)
        await offer(conn, {(group, sku) for sku in risen}, now=unit.now)


def _left_over(unit: Unit, waiting: Waiting, routing: Routing) -> list[Values]:
    left = Counter(waiting.demand)
    for part in routing.carried_out:
        for each in part.plan:
            left[each.sku] -= each.quantity
    stocked = {line.sku for line in waiting.products.values() if line.stocked}
    short = {short.sku for part in routing.parts for short in part.answer.short}
    return [
        # Without a SKU that is short, more of any may make it a route with fewer splits.
        _row(unit, sku, min(quantity, waiting.open[sku]), missing=sku in short or not short)
        for sku, quantity in sorted((+left).items())
        if sku in stocked
    ]


def _row(unit: Unit, sku: str, quantity: int, *, missing: bool) -> Values:
    return {
        "order_id": unit.order.id,
        "sku": sku,
        "group_id": unit.order.policy.location_group,
        "priority": unit.order.priority,
        "quantity": quantity,
        "missing": missing,
        "partial": unit.order.policy.routing.partial and not unit.order.ship_complete,
    }


def wait_for_release(unit: Unit, waiting: Waiting) -> bool:
    """
    Put preorders that are reserved nowhere into the queue, which looks at them from their release on.

    An order that ships complete is looked at from its last release on. Returns whether there are any.
    """
    quantities: Counter[str] = Counter()
    missing: set[str] = set()
    for pool in waiting.held:
        line = waiting.products[pool.line_id]
        if not line.stocked or line.sku is None or pool.account.state is not UnitState.OPEN:
            continue
        quantities[line.sku] += pool.quantity
        if line.release_at is not None and (line.release_at == waiting.held_until or not unit.order.ship_complete):
            missing.add(line.sku)
    rows = [_row(unit, sku, quantity, missing=sku in missing) for sku, quantity in sorted(quantities.items())]
    if not missing:
        return False
    unit.enter_once(stock_waits, *rows)
    return True


async def offer_released(unit: Unit, waiting: Waiting) -> bool:
    """
    Let preorders that are released have what is free in the queue's turn, whichever of them comes here first.

    Returns whether something is held for this order now. What it finds beside that, nobody before it could use.
    """
    if not waiting.released or not any((await group_free(unit, waiting.released)).values()):
        return False
    conn, group = await unit.written(), unit.order.policy.location_group
    unit.contended = True
    # All that the attempt may come to lock, in the order that everybody keeps.
    stocked = {line.sku for line in waiting.products.values() if line.stocked}
    locked = await conn.begin_nested()
    await lock_groups(conn, {(group, sku) for sku in waiting.demand if sku in stocked})
    free = await group_free(unit, waiting.released)
    if await offer(conn, {(group, sku) for sku, units in free.items() if units}, now=unit.now):
        await locked.commit()
    else:
        # Others are not to wait while this order is routed.
        await locked.rollback()
    return await held_for(unit) is not None


async def stop_waiting(unit: Unit) -> None:
    """Let stock that comes in go to others: nothing of the order waits for a route any more."""
    conn = await unit.written()
    await conn.execute(_FORGET, {"of_order": unit.order.id})
    if (proposal := await held_for(unit)) is not None:
        await give_back(unit, proposal)

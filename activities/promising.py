"""
What an order is promised when it is placed: what its cart's reservation holds, what is available, and what it may be
sold ahead. Only orders come here that name a reservation, or that may be refused or held.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, update
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.reservations import Taken, add_reservations, sku_of
from activities.unit import Unit
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.errors import FieldProblem
from orderloom.domain.model import Frozen, Json
from orderloom.domain.order import Line
from orderloom.domain.placing import PlaceOrder
from orderloom.domain.reserving import Place, ReservationEnded, ReservationForeign, ReservationUnknown
from orderloom.domain.sell_ahead import UNBOUNDED, SellAhead, StockShort, terms
from orderloom.domain.shelves import Ledger, hold_what_there_is, take_over
from orderloom.domain.units import Account, Movement, UnitState, apply, move
from orderloom.persistence.reservations import held_by, lock_request, write_held
from orderloom.persistence.sell_ahead import Ahead, take_ahead
from orderloom.persistence.shelves import lock_shelves, write_shelves
from orderloom.persistence.tables.inventory import reservation_requests

NAMED = 50
"""How many SKUs a refusal names."""


class Asking(Frozen):
    """An order that is about to be placed."""

    id: str
    order: PlaceOrder
    policy: ChannelPolicy
    sell_ahead: Mapping[str, SellAhead]
    """The policies in force, by SKU."""
    lines: tuple[Line, ...]
    now: datetime

    @property
    def group(self) -> Place:
        """Return where the channel promises from."""
        return Place("group", self.policy.location_group)

    @property
    def demand(self) -> Counter[str]:
        """Return by SKU what is to come from stock."""
        wanted: Counter[str] = Counter()
        for line in self.lines:
            if line.stocked:
                wanted[sku_of(line)] += line.quantity
        return wanted

    @property
    def promised(self) -> bool:
        """Return whether the order is promised its stock when it is placed, and may be refused for want of it."""
        return self.policy.when_short == "refuse" or bool(self.sell_ahead.keys() & self.demand.keys())

    def terms(self, sku: str) -> SellAhead:
        """Return what may be sold of *sku* beyond what is available."""
        return terms(self.sell_ahead.get(sku), self.policy.when_short)


class Promised(Frozen):
    """The lines with what was sold ahead of each, and the units that are reserved, by SKU."""

    lines: tuple[Line, ...]
    reserved: Mapping[str, int] = {}


async def promise(conn: AsyncConnection, asking: Asking) -> Promised:
    """
    Reserve what the order is to have now, and count what it is sold ahead; refused, nothing is changed.

    Raises:
        ReservationUnknown: there is no such reservation.
        ReservationForeign: it was made for another channel.
        ReservationEnded: it has expired, was released, or went to another order.
        StockShort: more is asked for than can be promised.
    """
    if asking.order.reservation is None and not asking.promised:
        return Promised(lines=asking.lines)
    async with conn.begin_nested():
        reserved = await _reserve(conn, asking)
        ahead = await _sell_ahead(conn, asking, reserved) if asking.promised else Counter[str]()
    return Promised(lines=tuple(_told(asking, ahead))[::-1], reserved=reserved)


async def _reserve(conn: AsyncConnection, asking: Asking) -> Counter[str]:
    """Take the reservation over, and reserve what is available of the rest if the order is promised its stock now."""
    id, demand, group = asking.order.reservation, asking.demand, asking.group
    if id is not None:
        _refuse_other(id, await lock_request(conn, id), asking)
    before = {} if id is None else await held_by(conn, id)
    wanted = {*before, *((group, sku) for sku in demand)}
    ledger = Ledger(await lock_shelves(conn, wanted, asking.policy.promise), dict(before))
    reserved = take_over(ledger, group, demand)
    if asking.promised:
        reserved += hold_what_there_is(ledger.shelves, group, demand - reserved)
    if id is not None:
        await write_held(conn, id, before, ledger, asking.now)
        taken = update(reservation_requests).where(reservation_requests.c.id == id)
        await conn.execute(taken.values(status="ordered", order_id=asking.id))
    await write_shelves(conn, ledger.shelves, asking.now)
    return reserved


def _refuse_other(id: str, found: Row[Any] | None, asking: Asking) -> None:
    if found is None:
        raise ReservationUnknown(f"there is no reservation {id}", reservation=id)
    if found.channel_id != asking.order.channel:
        raise ReservationForeign(f"reservation {id} was not made for channel {asking.order.channel}", reservation=id)
    over = found.expires_at is not None and found.expires_at <= asking.now
    if found.status != "active" or over:
        status = "expired" if found.status == "active" else found.status
        raise ReservationEnded(f"reservation {id} is {status}", reservation=id, status=status)


async def _sell_ahead(conn: AsyncConnection, asking: Asking, reserved: Counter[str]) -> Counter[str]:
    """Count what the order wants beyond what is reserved, by SKU, as far as a policy or the channel bounds it."""
    missing = asking.demand - reserved
    bounded = {sku: quantity for sku, quantity in missing.items() if asking.terms(sku) is not UNBOUNDED}
    allowed = {sku: quantity for sku, quantity in bounded.items() if asking.terms(sku).allows(asking.now)}
    wanted = {sku: Ahead(quantity, asking.terms(sku).limit) for sku, quantity in allowed.items()}
    refused = dict.fromkeys(bounded.keys() - allowed.keys(), 0) | await take_ahead(conn, asking.order.channel, wanted)
    if refused:
        raise _short(asking, {sku: reserved[sku] + left for sku, left in sorted(refused.items())})
    return Counter(allowed)


def _short(asking: Asking, left: Mapping[str, int]) -> StockShort:
    demand = asking.demand
    short: list[Json] = [{"sku": sku, "asked": demand[sku], "left": left[sku]} for sku in list(left)[:NAMED]]
    errors = tuple(
        FieldProblem(
            pointer=f"/lines/{index}/quantity",
            detail=f"Of {sku} {left[sku]} are left, {demand[sku]} are asked for.",
            code=StockShort.code,
        )
        for index, line in enumerate(asking.order.lines)
        if (sku := line.sku) is not None and sku in left
    )[:NAMED]
    first = next(iter(left))
    return StockShort(f"of {first} {left[first]} are left, {demand[first]} are asked for", errors=errors, short=short)


def _told(asking: Asking, ahead: Counter[str]) -> Iterator[Line]:
    """Return the lines with what is sold ahead of each, the last ones first, and until when they are held."""
    left = Counter(ahead)
    for line in reversed(asking.lines):
        if not line.stocked:
            yield line
            continue
        sku = sku_of(line)
        sold = min(line.quantity, left[sku])
        left[sku] -= sold
        until = asking.terms(sku).holds_until(asking.now)
        yield line.model_copy(update={"sold_ahead": sold, "release_at": until})


def movements(lines: Sequence[Line], reserved: Mapping[str, int], group: str) -> list[Movement]:
    """Return the movements that put *lines* into the ledger, with what is *reserved* (by SKU) at *group*."""
    placed = [line.placed() for line in lines]
    left, held = Counter(reserved), Account(state=UnitState.RESERVED, place=group)
    stocked = {line.id: sku_of(line) for line in lines if line.stocked}
    for pool in apply((), placed):
        if pool.account.state is UnitState.OPEN and (sku := stocked.get(pool.line_id)) is not None:
            taken = min(pool.quantity, left[sku])
            left[sku] -= taken
            if taken:
                placed.append(move(pool, taken, held))
    return placed


def enter_reserved(unit: Unit, lines: Iterable[Line], moved: Iterable[Movement]) -> None:
    """Enter the reservations of what *moved* to the group."""
    skus = {line.id: line.sku for line in lines}
    taken = [
        Taken(line_id=each.line_id, sku=skus[each.line_id] or "", group=each.target.place, quantity=each.quantity)
        for each in moved
        if each.target.state is UnitState.RESERVED
    ]
    if taken:
        add_reservations(unit, [(None, each) for each in taken])

"""Waves: what one has found is held for its orders as proposals, which their own actions accept or release."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Text, bindparam, insert, text, update
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.capacity import Day
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.waves import Units
from orderloom.persistence.capacity import hold
from orderloom.persistence.stock import Held, Key, change_held
from orderloom.persistence.tables.waiting import proposal_capacity, proposal_lines, waves
from orderloom.persistence.waking import PATIENCE

_INSTANT = DateTime(timezone=True)
_STILL = text(
    """
    SELECT o.id FROM orders o
    WHERE o.id = ANY(:orders) AND o.closed_at IS NULL
        AND EXISTS (SELECT 1 FROM routing_schedules s
                    WHERE s.order_id = o.id AND s.status = 'scheduled' AND s.pool = :pool)
        AND NOT EXISTS (SELECT 1 FROM proposals p WHERE p.order_id = o.id AND p.status = 'open')
    ORDER BY o.id FOR NO KEY UPDATE OF o SKIP LOCKED
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)), bindparam("pool", type_=Text))
_PROPOSE = text(
    """
    INSERT INTO proposals (order_id, group_id, status, made_at, expires_at, wave_id, answer)
    SELECT d.order_id, d.group_id, 'open', :now, :expires_at, :wave, d.answer
    FROM jsonb_to_recordset(:drafts) AS d(order_id text, group_id text, answer jsonb)
    ORDER BY d.order_id
    RETURNING id, order_id
    """
).bindparams(
    bindparam("drafts", type_=JSONB),
    bindparam("now", type_=_INSTANT),
    bindparam("expires_at", type_=_INSTANT),
    bindparam("wave", type_=BigInteger),
)


class Tally(Frozen):
    """What a wave came to, in orders."""

    routed: int = 0
    partial: int = 0
    """Of which only a part goes out."""
    unrouted: int = 0
    left_over: int = 0
    """Busy, or outrun by others who took the stock: the next wave takes them."""
    splits: int = 0


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a wave is to hold for an order, and to tell it."""

    order: str
    group: str
    answer: JsonObject | None = None
    """``domain.waves.Answer``; None: nothing of it waits for a location."""
    held: tuple[Units, ...] = ()
    asked: Mapping[str, int] = field(default_factory=dict[str, int])
    """By location with a capacity that counts, how many fulfillment orders it gets."""


async def begin_wave(conn: AsyncConnection, pool: str, orders: int, now: datetime) -> int:
    """Note that a wave over so many due orders begins, and return its number."""
    return await conn.scalar(insert(waves).values(pool=pool, at=now, orders=orders).returning(waves.c.id)) or 0


async def end_wave(conn: AsyncConnection, wave: int, tally: Tally) -> None:
    """Note what a wave came to."""
    await conn.execute(update(waves).where(waves.c.id == wave).values(tally.model_dump()))


async def propose(
    conn: AsyncConnection, wave: tuple[int, str], drafts: Sequence[Draft], days: Mapping[str, date], now: datetime
) -> set[str]:
    """
    Hold what *drafts* of one location group say, and return the orders that they are held for; all or nothing.

    Left out are orders that are busy at this moment, or no longer in the pool: their rows are locked first, as every
    transaction of an order does, so that none waits for another in a circle.

    Args:
        conn: a transaction that has done nothing else.
        wave: its number, and its pool.
        drafts: of orders whose channels promise from the same location group.
        days: by location with a capacity, the day that it is held on.
        now: business time.

    Raises:
        StockMoved: something is no longer free.
        CapacityTaken: a day is full.
    """
    number, pool = wave
    still = set((await conn.execute(_STILL, {"orders": [each.order for each in drafts], "pool": pool})).scalars())
    drafts = [each for each in drafts if each.order in still]
    if not drafts:
        return set()
    await change_held(conn, _stock_of(drafts), own_group=drafts[0].group)
    asked: Counter[Day] = Counter()
    for each in drafts:
        asked.update(_capacity_of(each, days))
    await hold(conn, asked)
    made = [{"order_id": each.order, "group_id": each.group, "answer": each.answer} for each in drafts]
    values = {"drafts": made, "now": now, "expires_at": now + PATIENCE, "wave": number}
    ids = {row.order_id: row.id for row in await conn.execute(_PROPOSE, values)}
    await _write_lines(conn, drafts, ids, days)
    return still


def _stock_of(drafts: Iterable[Draft]) -> dict[Key, Held]:
    quantities: Counter[Key] = Counter()
    own: Counter[Key] = Counter()
    for draft in drafts:
        for each in draft.held:
            quantities[each.location, each.sku] += each.quantity
            own[each.location, each.sku] += each.own
    return {key: Held(reserved=quantity, own=own[key]) for key, quantity in quantities.items()}


def _capacity_of(draft: Draft, days: Mapping[str, date]) -> dict[Day, int]:
    return {(location, days[location]): count for location, count in draft.asked.items() if location in days}


async def _write_lines(
    conn: AsyncConnection, drafts: Iterable[Draft], ids: Mapping[str, int], days: Mapping[str, date]
) -> None:
    lines: list[dict[str, Any]] = []
    capacity: list[dict[str, Any]] = []
    for draft in drafts:
        id = ids[draft.order]
        lines += [
            {
                "proposal_id": id,
                "sku": each.sku,
                "place": each.location,
                "location_id": each.location,
                "quantity": each.quantity,
                "own": each.own,
            }
            for each in draft.held
        ]
        capacity += [
            {"proposal_id": id, "location_id": location, "day": day, "count": count}
            for (location, day), count in _capacity_of(draft, days).items()
        ]
    if lines:
        await conn.execute(insert(proposal_lines), lines)
    if capacity:
        await conn.execute(insert(proposal_capacity), capacity)

"""
Stock that has come in goes to the orders that wait for it, in the transaction that brought it.

What an order gets is held for it as a proposal: nobody can take it meanwhile. The relay tells the order, whose own
action accepts or releases it; one that nobody answers lapses after `PATIENCE`.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Boolean, DateTime, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.waiting import AtGroup, Waiting, served
from orderloom.persistence.stock import Change, Key, change_groups, groups_of

PATIENCE = timedelta(seconds=60)
"""Business time within which an order answers a proposal."""
QUEUE = 500
"""How many orders are looked at when stock comes in."""

_RELEASED = """
    NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = w.order_id AND l.sku = w.sku AND l.release_at > :now)
"""
"""Preorders stand in the queue from their placement on, and are nothing to it before their release."""

_WAITING = text(
    f"""
    WITH risen AS (SELECT * FROM jsonb_to_recordset(:risen) AS r(place text, sku text)),
    asking AS (
        SELECT DISTINCT w.order_id, w.priority
        FROM risen r JOIN stock_waits w ON w.sku = r.sku AND w.group_id = r.place AND w.missing
        WHERE NOT EXISTS (SELECT 1 FROM proposals p WHERE p.order_id = w.order_id AND p.status = 'open')
            AND {_RELEASED}
            AND (NOT :behind OR (-w.priority, length(w.order_id), w.order_id) > (-:priority, length(:order), :order))
    ), first AS (
        SELECT order_id FROM asking ORDER BY priority DESC, length(order_id), order_id LIMIT :queue
    )
    SELECT w.order_id, w.group_id, w.priority, w.sku, w.quantity, w.partial,
           COALESCE(g.on_hand - g.reserved - g.safety, 0) AS free
    FROM first f JOIN stock_waits w ON w.order_id = f.order_id AND {_RELEASED}
    LEFT JOIN group_stock g ON g.group_id = w.group_id AND g.sku = w.sku
    """  # noqa: S608  # a constant of this module
).bindparams(
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("risen", type_=JSONB),
    bindparam("behind", type_=Boolean),
    bindparam("priority", type_=Integer),
    bindparam("order", type_=Text),
)
# Two that raise different SKUs at one moment see nothing of each other: the second one waits here, and looks again.
_ONE_BY_ONE = text(
    """
    SELECT pg_advisory_xact_lock(mark)
    FROM (SELECT hashtextextended(o, 25) AS mark FROM unnest(:orders) o ORDER BY 1 OFFSET 0) marks
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)))
_PROPOSE = text(
    """
    INSERT INTO proposals (order_id, group_id, status, made_at, expires_at)
    SELECT p.order_id, p.group_id, 'open', :now, :expires_at
    FROM jsonb_to_recordset(:made) AS p(order_id text, group_id text)
    ORDER BY p.order_id
    ON CONFLICT (order_id) WHERE status = 'open' DO NOTHING
    RETURNING id, order_id
    """
).bindparams(
    bindparam("made", type_=JSONB),
    bindparam("now", type_=DateTime(timezone=True)),
    bindparam("expires_at", type_=DateTime(timezone=True)),
)
_HOLD = text(
    """
    INSERT INTO proposal_lines (proposal_id, sku, place, quantity, own)
    SELECT l.proposal_id, l.sku, l.place, l.quantity, l.quantity
    FROM jsonb_to_recordset(:lines) AS l(proposal_id bigint, sku text, place text, quantity int)
    """
).bindparams(bindparam("lines", type_=JSONB))


async def restocked(conn: AsyncConnection, raised: Mapping[Key, int], *, now: datetime) -> list[str]:
    """
    Give what has come in to orders that wait for it, and return them.

    Call it in the transaction that raised what is available, after the counters: it holds their rows, so no new order
    can come in between.

    Args:
        raised: by how much, by location and SKU.
        now: business time.
    """
    risen = {key for key, quantity in raised.items() if quantity > 0}
    groups = await groups_of(conn, {location for location, _ in risen}) if risen else {}
    return await offer(conn, {(group, sku) for location, sku in risen for group in groups[location]}, now=now)


async def offer(
    conn: AsyncConnection, risen: Collection[AtGroup], *, now: datetime, behind: Waiting | None = None
) -> list[str]:
    """
    Give what has become free at groups to orders that wait for it, in their turn; return them.

    What else an order waits for must be free, and is not held: only the rows in *risen* are locked by the caller.

    Args:
        behind: only orders behind this one in the queue are served, so that what one releases goes round once.
    """
    if not risen:
        return []
    waiting, free = await _read(conn, risen, behind, now)
    if await _queue_up(conn, waiting, risen):
        waiting, free = await _read(conn, risen, behind, now)
    chosen = served(waiting, free)
    if not chosen:
        return []
    made = [{"order_id": each.order, "group_id": each.group} for each in chosen]
    values = {"made": made, "now": now, "expires_at": now + PATIENCE}
    ids = {row.order_id: row.id for row in await conn.execute(_PROPOSE, values)}
    # One that got another proposal at this moment is left to that one.
    chosen = [each for each in chosen if each.order in ids]
    await _hold(conn, chosen, ids, set(risen))
    return [each.order for each in chosen]


async def _read(
    conn: AsyncConnection, risen: Iterable[AtGroup], behind: Waiting | None, now: datetime
) -> tuple[list[Waiting], dict[AtGroup, int]]:
    values = {
        "risen": [{"place": group, "sku": sku} for group, sku in sorted(risen)],
        "behind": behind is not None,
        "priority": 0 if behind is None else behind.priority,
        "order": "" if behind is None else behind.order,
        "queue": QUEUE,
        "now": now,
    }
    found: dict[str, Waiting] = {}
    free: dict[AtGroup, int] = {}
    for row in await conn.execute(_WAITING, values):
        if row.order_id not in found:
            found[row.order_id] = Waiting(
                order=row.order_id, group=row.group_id, priority=row.priority, quantities={}, partial=row.partial
            )
        found[row.order_id].quantities[row.sku] = row.quantity
        free[row.group_id, row.sku] = row.free
    return list(found.values()), free


async def _queue_up(conn: AsyncConnection, waiting: Iterable[Waiting], risen: Collection[AtGroup]) -> bool:
    """Wait for others that look at orders which need more than what has risen; return whether there are such orders."""
    apart = [
        each.order
        for each in waiting
        if any(quantity > 0 and (each.group, sku) not in risen for sku, quantity in each.quantities.items())
    ]
    if apart:
        await conn.execute(_ONE_BY_ONE, {"orders": apart})
    return bool(apart)


async def _hold(conn: AsyncConnection, chosen: Iterable[Waiting], ids: Mapping[str, int], risen: set[AtGroup]) -> None:
    lines: list[dict[str, Any]] = [
        {"proposal_id": ids[each.order], "sku": sku, "place": each.group, "quantity": quantity}
        for each in chosen
        for sku, quantity in each.quantities.items()
        if quantity > 0 and (each.group, sku) in risen
    ]
    if not lines:
        return
    held: dict[AtGroup, int] = {}
    for line in lines:
        key = line["place"], line["sku"]
        held[key] = held.get(key, 0) + line["quantity"]
    await change_groups(conn, {key: Change(reserved=q, needed=q) for key, q in held.items()})
    await conn.execute(_HOLD, {"lines": lines})

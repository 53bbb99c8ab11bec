"""Counters of stock, locked for a decision over several of them, and the changes that it came to."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import Promise
from orderloom.domain.reserving import Place
from orderloom.domain.shelves import At, Counters, Shelves
from orderloom.persistence.stock import Change, change_groups, change_locations, groups_of
from orderloom.persistence.waking import offer

_LOCK_LOCATIONS = text(
    """
    SELECT s.location_id AS place, s.sku, s.on_hand, s.reserved, s.safety, s.future
    FROM stock s JOIN jsonb_to_recordset(:wanted) AS w(place text, sku text)
        ON s.location_id = w.place AND s.sku = w.sku
    ORDER BY s.location_id, s.sku FOR UPDATE OF s
    """
).bindparams(bindparam("wanted", type_=JSONB))
_LOCK_GROUPS = text(
    """
    SELECT g.group_id AS place, g.sku, g.on_hand, g.reserved, g.safety, g.future
    FROM group_stock g JOIN jsonb_to_recordset(:wanted) AS w(place text, sku text)
        ON g.group_id = w.place AND g.sku = w.sku
    ORDER BY g.group_id, g.sku FOR UPDATE OF g
    """
).bindparams(bindparam("wanted", type_=JSONB))


async def lock_shelves(conn: AsyncConnection, wanted: Iterable[At], promise: Promise) -> Shelves:
    """
    Lock the counters of *wanted* and of the groups of its locations, in the order that all transactions keep.

    A place that never had the SKU is left out.
    """
    asked = set(wanted)
    locations = {at for at in asked if at[0].kind == "location"}
    groups = await groups_of(conn, {place.id for place, _ in locations})
    there = await _lock(conn, "location", locations)
    of_members = {(Place("group", group), sku) for place, sku in there for group in groups[place.id]}
    there |= await _lock(conn, "group", (asked - locations) | of_members)
    return Shelves(counters=there, groups={place: tuple(of) for place, of in groups.items()}, promise=promise)


async def _lock(conn: AsyncConnection, kind: Any, wanted: Iterable[At]) -> dict[At, Counters]:
    rows = [{"place": place.id, "sku": sku} for place, sku in sorted(wanted)]
    if not rows:
        return {}
    statement = _LOCK_LOCATIONS if kind == "location" else _LOCK_GROUPS
    return {
        (Place(kind, row.place), row.sku): Counters(
            on_hand=row.on_hand, reserved=row.reserved, safety=row.safety, future=row.future
        )
        for row in await conn.execute(statement, {"wanted": rows})
    }


async def write_shelves(conn: AsyncConnection, shelves: Shelves, now: datetime) -> None:
    """Write what was changed of the locked counters, and give what has become free to orders that wait for it."""
    changes = {
        (place, sku): Change(reserved=reserved, on_hand=on_hand)
        for (place, sku), (reserved, on_hand) in shelves.changes.items()
    }
    await change_locations(conn, {(at[0].id, at[1]): each for at, each in changes.items() if at[0].kind == "location"})
    await change_groups(conn, {(at[0].id, at[1]): each for at, each in changes.items() if at[0].kind == "group"})
    await offer(conn, shelves.freed, now=now)

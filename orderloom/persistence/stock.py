"""
Changes of stock counters: conditional statements in a fixed order, never read and then written.

Locations are changed before groups, each by place and SKU, so that no two transactions wait for each other in a circle.
A group's counters are the sums of its members'; its reserved counter also holds what is reserved at the group itself.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Text, TextClause, bindparam, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.inventory import StockMoved
from orderloom.persistence.tables.inventory import location_group_members

type Key = tuple[str, str]
"""A place (location or group) and a SKU."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one counter row changes by; *needed* is what must be available to fulfill before."""

    reserved: int = 0
    on_hand: int = 0
    needed: int | None = None


def _statement(table: str, place: str) -> TextClause:
    """Return the statement that changes many rows of *table*, having locked them in order, and tells which it did."""
    return text(
        f"""
        WITH wanted AS (
            SELECT * FROM jsonb_to_recordset(:changes)
                AS w(place text, sku text, reserved int, on_hand int, needed int)
        ), locked AS (
            SELECT s.{place} AS place, s.sku FROM {table} s JOIN wanted w ON w.place = s.{place} AND w.sku = s.sku
            ORDER BY s.{place}, s.sku FOR UPDATE OF s
        )
        UPDATE {table} s SET reserved = s.reserved + w.reserved, on_hand = s.on_hand + w.on_hand
        FROM wanted w JOIN locked l ON l.place = w.place AND l.sku = w.sku
        WHERE s.{place} = w.place AND s.sku = w.sku
            AND (w.needed IS NULL OR s.on_hand - s.reserved - s.safety >= w.needed)
            AND s.on_hand + w.on_hand >= 0 AND s.reserved + w.reserved >= 0
        RETURNING s.{place} AS place, s.sku
        """  # noqa: S608  # names of tables and columns from this module
    ).bindparams(bindparam("changes", type_=JSONB))


_CHANGE_LOCATIONS = _statement("stock", "location_id")
_CHANGE_GROUPS = _statement("group_stock", "group_id")

_RESERVE_AT_GROUP = text(
    """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(:demand) AS w(sku text, quantity int)
    ), locked AS (
        SELECT g.sku, g.on_hand - g.reserved - g.safety AS free
        FROM group_stock g JOIN wanted w ON w.sku = g.sku
        WHERE g.group_id = :group_id
        ORDER BY g.sku FOR UPDATE OF g
    ), short AS (
        SELECT w.sku, w.quantity - GREATEST(COALESCE(l.free, 0), 0) AS quantity
        FROM wanted w LEFT JOIN locked l ON l.sku = w.sku
        WHERE COALESCE(l.free, 0) < w.quantity
    ), reserved AS (
        UPDATE group_stock g SET reserved = g.reserved + w.quantity
        FROM wanted w
        WHERE g.group_id = :group_id AND g.sku = w.sku AND NOT EXISTS (SELECT 1 FROM short)
    )
    SELECT sku, quantity FROM short ORDER BY sku
    """
).bindparams(bindparam("demand", type_=JSONB), bindparam("group_id", type_=Text))


async def reserve_at_group(conn: AsyncConnection, group: str, demand: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reserve *demand* (quantity by SKU) at *group*, all or nothing; return what is short, nothing when it is done."""
    wanted = [{"sku": sku, "quantity": quantity} for sku, quantity in sorted(demand.items())]
    rows = await conn.execute(_RESERVE_AT_GROUP, {"demand": wanted, "group_id": group})
    return [(row.sku, row.quantity) for row in rows]


async def change_locations(conn: AsyncConnection, changes: Mapping[Key, Change]) -> None:
    """
    Change counters of locations, all or nothing. Call it before ``change_groups``.

    Raises:
        StockMoved: one has less available than is needed, or is not there.
    """
    await _change(conn, _CHANGE_LOCATIONS, changes)


async def change_groups(conn: AsyncConnection, changes: Mapping[Key, Change]) -> None:
    """
    Change counters of location groups, all or nothing.

    Raises:
        StockMoved: one has less available than is needed, or is not there.
    """
    await _change(conn, _CHANGE_GROUPS, changes)


async def _change(conn: AsyncConnection, statement: TextClause, changes: Mapping[Key, Change]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "place": place,
            "sku": sku,
            "reserved": change.reserved,
            "on_hand": change.on_hand,
            "needed": change.needed,
        }
        for (place, sku), change in sorted(changes.items())
        if change.reserved or change.on_hand
    ]
    if not rows:
        return
    changed = {(row.place, row.sku) for row in await conn.execute(statement, {"changes": rows})}
    refused = sorted({(row["place"], row["sku"]) for row in rows} - changed)
    if refused:
        place, sku = refused[0]
        raise StockMoved(f"{place} no longer has enough of {sku}", place=place, sku=sku, refused=len(refused))


_GROUPS_OF = select(location_group_members.c.location_id, location_group_members.c.group_id).where(
    location_group_members.c.location_id.in_(bindparam("locations", expanding=True))
)


async def groups_of(conn: AsyncConnection, locations: Collection[str]) -> dict[str, list[str]]:
    """Return the groups that each of *locations* belongs to, sorted."""
    found: dict[str, list[str]] = {location: [] for location in locations}
    for row in await conn.execute(_GROUPS_OF, {"locations": sorted(locations)}):
        found[row.location_id].append(row.group_id)
    return {location: sorted(groups) for location, groups in found.items()}


def summed(
    quantities: Mapping[Key, int], groups: Mapping[str, Sequence[str]], without: Iterable[str] = ()
) -> Counter[Key]:
    """Return what quantities by location and SKU add up to at the locations' groups, except the groups *without*."""
    left_out = set(without)
    total: Counter[Key] = Counter()
    for (location, sku), quantity in quantities.items():
        for group in groups[location]:
            if group not in left_out:
                total[group, sku] += quantity
    return total

"""
Changes of stock counters: conditional statements in a fixed order, never read and then written.

Locations are changed before groups, each by place and SKU, so that no two transactions wait for each other in a circle.
A group's counters are the sums of its members'; its reserved counter also holds what is reserved at the group itself.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnClause,
    Executable,
    Integer,
    Text,
    TextClause,
    bindparam,
    column,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.inventory import StockMoved
from orderloom.persistence.tables.inventory import location_group_members
from orderloom.persistence.writes import at_most

type Key = tuple[str, str]
"""A place (location or group) and a SKU."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What one counter row changes by; *needed* is what must be available to fulfill before."""

    reserved: int = 0
    on_hand: int = 0
    needed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a location's counters change by, and with them those of all its groups."""

    reserved: int = 0
    on_hand: int = 0
    own: int | None = None
    """What the reserved counter of the channel's group changes by, if not as those of the location's other groups."""


@cache
def _statement(table: str, place: str, limit: int) -> TextClause:
    """Return the statement that changes rows of *table*, having locked them in order, and tells which it did."""
    return text(
        f"""
        WITH wanted AS (
            SELECT * FROM jsonb_to_recordset(:changes)
                AS w(place text, sku text, reserved int, on_hand int, needed int) LIMIT {limit}
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


_LOCATIONS = ("stock", "location_id")
_GROUPS = ("group_stock", "group_id")

_CHANGE_HELD = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(:changes)
            AS w(place text, sku text, reserved int, on_hand int, own int) LIMIT {limit}
    ), locked AS (
        SELECT s.location_id AS place, s.sku FROM stock s JOIN wanted w ON w.place = s.location_id AND w.sku = s.sku
        ORDER BY s.location_id, s.sku FOR UPDATE OF s
    ), changed AS (
        UPDATE stock s SET reserved = s.reserved + w.reserved, on_hand = s.on_hand + w.on_hand
        FROM wanted w JOIN locked l ON l.place = w.place AND l.sku = w.sku
        WHERE s.location_id = w.place AND s.sku = w.sku
            AND (w.reserved <= 0 OR s.on_hand - s.reserved - s.safety >= w.reserved)
            AND s.on_hand + w.on_hand >= 0 AND s.reserved + w.reserved >= 0
        RETURNING s.location_id AS place, s.sku
    ), summed AS (
        SELECT m.group_id AS place, w.sku, SUM(w.on_hand)::int AS on_hand,
               SUM(CASE WHEN m.group_id = :own_group THEN COALESCE(w.own, w.reserved)
                        ELSE w.reserved END)::int AS reserved
        FROM changed c JOIN wanted w ON w.place = c.place AND w.sku = c.sku
        JOIN location_group_members m ON m.location_id = w.place
        GROUP BY m.group_id, w.sku
    ), groups_wanted AS (
        SELECT * FROM summed WHERE reserved <> 0 OR on_hand <> 0
    ), groups_locked AS (
        SELECT g.group_id AS place, g.sku
        FROM group_stock g JOIN groups_wanted w ON w.place = g.group_id AND w.sku = g.sku
        ORDER BY g.group_id, g.sku FOR UPDATE OF g
    ), groups_changed AS (
        UPDATE group_stock g SET reserved = g.reserved + w.reserved, on_hand = g.on_hand + w.on_hand
        FROM groups_wanted w JOIN groups_locked l ON l.place = w.place AND l.sku = w.sku
        WHERE g.group_id = w.place AND g.sku = w.sku
            AND (w.reserved <= 0 OR g.on_hand - g.reserved - g.safety >= w.reserved)
            AND g.on_hand + w.on_hand >= 0 AND g.reserved + w.reserved >= 0
        RETURNING g.group_id AS place, g.sku
    )
    SELECT place, sku FROM (SELECT place, sku FROM wanted EXCEPT SELECT place, sku FROM changed) at_locations
    UNION ALL
    SELECT place, sku FROM (SELECT place, sku FROM groups_wanted EXCEPT SELECT place, sku FROM groups_changed) at_groups
    ORDER BY place, sku
"""

_RESERVE_AT_GROUPS = """
    WITH wanted AS (
        SELECT * FROM jsonb_to_recordset(:demand) AS w(place text, sku text, quantity int, now boolean) LIMIT {limit}
    ), locked AS (
        SELECT g.group_id AS place, g.sku,
               g.on_hand - g.reserved - g.safety + CASE WHEN w.now THEN 0 ELSE g.future END AS free
        FROM group_stock g JOIN wanted w ON w.place = g.group_id AND w.sku = g.sku
        ORDER BY g.group_id, g.sku FOR UPDATE OF g
    ), short AS (
        SELECT w.place, w.sku, w.quantity - GREATEST(COALESCE(l.free, 0), 0) AS quantity
        FROM wanted w LEFT JOIN locked l ON l.place = w.place AND l.sku = w.sku
        WHERE COALESCE(l.free, 0) < w.quantity
    ), reserved AS (
        UPDATE group_stock g SET reserved = g.reserved + w.quantity
        FROM wanted w
        WHERE g.group_id = w.place AND g.sku = w.sku AND NOT EXISTS (SELECT 1 FROM short)
    )
    SELECT place, sku, quantity FROM short ORDER BY place, sku
"""


@cache
def _sized(statement: str, limit: int) -> Executable:
    given: tuple[BindParameter[Any], ...] = (bindparam("changes", type_=JSONB), bindparam("own_group", type_=Text))
    told: tuple[ColumnClause[Any], ...] = (column("place", Text), column("sku", Text))
    if statement is _RESERVE_AT_GROUPS:
        given = (bindparam("demand", type_=JSONB),)
        told = (column("place", Text), column("sku", Text), column("quantity", Integer))
    return text(statement.format(limit=limit)).bindparams(*given).columns(*told)


@dataclass(frozen=True)
class Demand:
    """What is to be reserved at location groups, all or nothing."""

    quantities: Mapping[Key, int]
    now: Collection[Key] = ()
    """Keys of which future stock does not count: they are promised by what is available to fulfill."""


async def reserve_at_groups(conn: AsyncConnection, demand: Demand) -> dict[Key, int]:
    """
    Reserve *demand*, all or nothing; return what is short, nothing when it is done.

    The counters that are asked for are locked either way, until the transaction ends.
    """
    if not demand.quantities:
        return {}
    wanted = [
        {"place": at[0], "sku": at[1], "quantity": quantity, "now": at in demand.now}
        for at, quantity in sorted(demand.quantities.items())
    ]
    rows = await conn.execute(_sized(_RESERVE_AT_GROUPS, at_most(len(wanted))), {"demand": wanted})
    return {(row.place, row.sku): row.quantity for row in rows}


async def reserve_in_turn(conn: AsyncConnection, demands: Sequence[Demand]) -> list[dict[Key, int]]:
    """
    Reserve each of *demands*, all or nothing, as if one came after the other; return what each is short of.

    One statement if there is enough for all. Else those that want what is short are served one by one, in their order.
    """
    short = await reserve_at_groups(conn, _together(demands))
    if not short or len(demands) == 1:
        return [short for _ in demands]
    # Nothing was reserved, but all counters are locked: whoever wants none of what is short gets what it wants.
    await reserve_at_groups(conn, _together([demand for demand in demands if not short.keys() & demand.quantities]))
    return [await reserve_at_groups(conn, demand) if short.keys() & demand.quantities else {} for demand in demands]


def _together(demands: Iterable[Demand]) -> Demand:
    """Return the sum of *demands*, each key by the strictest promise of any: who is refused is asked again alone."""
    total: Counter[Key] = Counter()
    now: set[Key] = set()
    for demand in demands:
        total.update(demand.quantities)
        now.update(demand.now)
    return Demand(total, now)


async def change_held(conn: AsyncConnection, changes: Mapping[Key, Held], *, own_group: str) -> None:
    """
    Change counters of locations, and of all groups of each by their sums, all or nothing; one statement.

    What is reserved in addition must be available: at the location, and at each group.

    Raises:
        StockMoved: one has less available than is needed, or is not there.
    """
    rows: list[dict[str, Any]] = [
        {"place": place, "sku": sku, "reserved": held.reserved, "on_hand": held.on_hand, "own": held.own}
        for (place, sku), held in sorted(changes.items())
        if held.reserved or held.on_hand
    ]
    if not rows:
        return
    refused = (
        await conn.execute(_sized(_CHANGE_HELD, at_most(len(rows))), {"changes": rows, "own_group": own_group})
    ).all()
    if refused:
        raise _moved(refused[0].place, refused[0].sku, len(refused))


async def change_locations(conn: AsyncConnection, changes: Mapping[Key, Change]) -> None:
    """
    Change counters of locations, all or nothing. Call it before ``change_groups``.

    Raises:
        StockMoved: one has less available than is needed, or is not there.
    """
    await _change(conn, _LOCATIONS, changes)


async def change_groups(conn: AsyncConnection, changes: Mapping[Key, Change]) -> None:
    """
    Change counters of location groups, all or nothing.

    Raises:
        StockMoved: one has less available than is needed, or is not there.
    """
    await _change(conn, _GROUPS, changes)


async def _change(conn: AsyncConnection, counters: tuple[str, str], changes: Mapping[Key, Change]) -> None:
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
    statement = _statement(*counters, at_most(len(rows)))
    changed = {(row.place, row.sku) for row in await conn.execute(statement, {"changes": rows})}
    refused = sorted({(row["place"], row["sku"]) for row in rows} - changed)
    if refused:
        raise _moved(*refused[0], len(refused))


def _moved(place: str, sku: str, refused: int) -> StockMoved:
    return StockMoved(f"{place} no longer has enough of {sku}", place=place, sku=sku, refused=refused)


# A counter that is not there yet is made: whoever makes it at this moment is waited for, too.
_LOCK_GROUPS = text(
    """
    INSERT INTO group_stock (group_id, sku, on_hand)
    SELECT g.id, w.sku, 0
    FROM jsonb_to_recordset(:wanted) AS w(place text, sku text) JOIN location_groups g ON g.id = w.place
    ORDER BY g.id, w.sku
    ON CONFLICT (group_id, sku) DO UPDATE SET on_hand = group_stock.on_hand WHERE false
    """
).bindparams(bindparam("wanted", type_=JSONB))


async def lock_groups(conn: AsyncConnection, wanted: Collection[Key]) -> None:
    """
    Lock counters of location groups, those of SKUs that a group never had included, until the transaction ends.

    Nothing is changed. A statement after this one sees all that others did while they held the counters.
    """
    if wanted:
        rows = [{"place": group, "sku": sku} for group, sku in sorted(wanted)]
        await conn.execute(_LOCK_GROUPS, {"wanted": rows})


_GROUPS_OF = select(location_group_members.c.location_id, location_group_members.c.group_id).where(
    location_group_members.c.location_id.in_(bindparam("locations", expanding=True))
)


async def groups_of(conn: AsyncConnection, locations: Collection[str]) -> dict[str, list[str]]:
    """Return the groups that each of *locations* belongs to, sorted."""
    found: dict[str, list[str]] = {location: [] for location in locations}
    for row in await conn.execute(_GROUPS_OF, {"locations": sorted(locations)}):
        found[row.location_id].append(row.group_id)
    return {location: sorted(groups) for location, groups in found.items()}

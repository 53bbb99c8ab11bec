"""
Changes of what is on hand and of safety stock, many at once: copied into a table of the transaction's own, then merged.

What is reserved stays as it is. Locks are taken in the order that all transactions keep: locations, then groups, each
by place and SKU.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import DateTime, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.waking import restocked

type Mode = Literal["full", "delta"]
"""Whether quantities are what is on hand, or what it changes by."""

type Kind = Mode | Literal["unnamed"]
"""How quantities are merged: *unnamed* shelves are counts too, of what a full feed leaves out."""

SUPERSEDED = "count.superseded"
"""The code of a count that is older than one that was taken before."""


class StockRow(NamedTuple):
    """One quantity of a SKU at a location."""

    line: int
    """Where it was given: a line of a file, or the number of a record."""
    location: str
    sku: str
    quantity: int
    at: datetime | None
    """When it was counted: movements after that are kept. None: now."""
    cause: str
    safety: int | None = None
    """What is kept back from now on. None: as much as before."""


class Merged(NamedTuple):
    """What came of a merge."""

    changed: int
    """Rows of stock whose on hand or safety stock is another now."""
    refused: list[tuple[int, str]]
    """
    Line and code of what was not merged: ``location.unknown``, ``sku.unknown``, ``stock.out_of_range``,
    ``count.superseded``.
    """


_GIVEN = text(
    """
    CREATE TEMPORARY TABLE IF NOT EXISTS stock_feed (
        line BIGINT NOT NULL, location_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL,
        at TIMESTAMPTZ, cause TEXT NOT NULL, safety INTEGER
    ) ON COMMIT DELETE ROWS
    """
)
_SHELVES = text(
    """
    CREATE TEMPORARY TABLE IF NOT EXISTS stock_feed_shelves (
        line BIGINT NOT NULL, location_id TEXT NOT NULL, sku TEXT NOT NULL, quantity BIGINT NOT NULL,
        at TIMESTAMPTZ, cause TEXT NOT NULL, safety INTEGER,
        was INTEGER, was_safety INTEGER, was_counted_at TIMESTAMPTZ,
        place TID, entered BOOLEAN NOT NULL DEFAULT FALSE
    ) ON COMMIT DELETE ROWS
    """
)
# What is given of each shelf, what was there, and where its row, which is locked, lies: it stays there till it is
# changed, and is found again without looking it up.
_COLUMNS = ("line", "location_id", "sku", "quantity", "at", "cause", "safety")
_EMPTY = text("TRUNCATE stock_feed, stock_feed_shelves")
_UNKNOWN = text(
    """
    DELETE FROM stock_feed f
    WHERE NOT EXISTS (SELECT 1 FROM locations l WHERE l.id = f.location_id)
       OR NOT EXISTS (SELECT 1 FROM products p WHERE p.sku = f.sku)
    RETURNING f.line, EXISTS (SELECT 1 FROM locations l WHERE l.id = f.location_id) AS placed
    """
)
_TAKEN = {
    # Of several counts of one shelf the latest one counts, and of those of one time the last.
    "full": """
        SELECT DISTINCT ON (location_id, sku) * FROM stock_feed
        ORDER BY location_id, sku, at DESC NULLS FIRST, line DESC
    """,
    "delta": """
        SELECT MAX(line) AS line, location_id, sku, SUM(quantity) AS quantity, NULL::timestamptz AS at,
               MAX(cause) AS cause, NULL::integer AS safety
        FROM stock_feed GROUP BY location_id, sku ORDER BY location_id, sku
    """,
}
_LOCK = {
    mode: text(
        f"""
        WITH locked AS (
            INSERT INTO stock_feed_shelves (
                line, location_id, sku, quantity, at, cause, safety, was, was_safety, was_counted_at, place)
            SELECT f.line, f.location_id, f.sku, f.quantity, f.at, f.cause, f.safety,
                   s.on_hand, s.safety, s.counted_at, s.ctid
            FROM ({taken}) f LEFT JOIN LATERAL (
                SELECT s.on_hand, s.safety, s.counted_at, s.ctid FROM stock s
                WHERE s.location_id = f.location_id AND s.sku = f.sku FOR UPDATE) s ON TRUE
            RETURNING was
        )
        SELECT count(*) FILTER (WHERE was IS NULL) FROM locked
        """  # noqa: S608  # constants of this module
    )
    for mode, taken in _TAKEN.items()
}
# Changes add up; what is kept back is what was said last.
_SAFETY_OF_DELTA = text(
    """
    UPDATE stock_feed_shelves f SET safety = g.safety
    FROM (
        SELECT DISTINCT ON (location_id, sku) location_id, sku, safety FROM stock_feed
        WHERE safety IS NOT NULL ORDER BY location_id, sku, line DESC
    ) g
    WHERE g.location_id = f.location_id AND g.sku = f.sku
    """
)
_POSSIBLE = "BETWEEN 0 AND 2147483647"
_NOW = bindparam("now", type_=DateTime(timezone=True))
# Shelves that had no row get theirs with what is given; nobody moved anything there since it was counted.
_ENTER = f"""
    WITH entered AS (
        INSERT INTO stock (location_id, sku, on_hand, safety, counted_at)
        SELECT location_id, sku, quantity, COALESCE(safety, 0), {{counted_at}} FROM stock_feed_shelves
        WHERE was IS NULL AND quantity {_POSSIBLE}
        ORDER BY location_id, sku ON CONFLICT DO NOTHING
        RETURNING location_id, sku
    )
    UPDATE stock_feed_shelves f SET was = 0, was_safety = 0, entered = TRUE
    FROM entered e WHERE e.location_id = f.location_id AND e.sku = f.sku
"""  # noqa: S608  # constants of this module
_ENTER_COUNTED = text(_ENTER.format(counted_at="LEAST(at, :now)")).bindparams(_NOW)
_ENTER_CHANGED = text(_ENTER.format(counted_at="NULL::timestamptz"))
# Somebody else entered them at the same moment.
_LOCK_LATE = text(
    f"""
    WITH late AS MATERIALIZED (
        SELECT s.location_id, s.sku, s.on_hand, s.safety, s.counted_at, s.ctid AS place
        FROM stock s JOIN stock_feed_shelves f ON s.location_id = f.location_id AND s.sku = f.sku
        WHERE f.was IS NULL AND f.quantity {_POSSIBLE}
        ORDER BY s.location_id, s.sku FOR UPDATE OF s
    )
    UPDATE stock_feed_shelves f
    SET was = l.on_hand, was_safety = l.safety, was_counted_at = l.counted_at, place = l.place
    FROM late l WHERE l.location_id = f.location_id AND l.sku = f.sku
    """  # noqa: S608  # constants of this module
)
# A shelf that is dropped was counted later than any of what is given of it.
_SUPERSEDED = text(
    """
    WITH dropped AS (
        DELETE FROM stock_feed_shelves WHERE at < was_counted_at RETURNING location_id, sku
    )
    SELECT g.line FROM stock_feed g
    WHERE EXISTS (SELECT 1 FROM dropped d WHERE d.location_id = g.location_id AND d.sku = g.sku)
    UNION
    SELECT g.line FROM stock_feed g
    JOIN stock_feed e ON e.location_id = g.location_id AND e.sku = g.sku AND e.line < g.line
    WHERE g.at IS NOT NULL AND (e.at IS NULL OR e.at > g.at)
    """
)
_ENSURE_GROUPS = text(
    """
    INSERT INTO group_stock (group_id, sku, on_hand)
    SELECT DISTINCT m.group_id, f.sku, 0
    FROM stock_feed_shelves f JOIN location_group_members m ON m.location_id = f.location_id
    WHERE NOT EXISTS (SELECT 1 FROM group_stock g WHERE g.group_id = m.group_id AND g.sku = f.sku)
    ORDER BY m.group_id, f.sku ON CONFLICT DO NOTHING
    """
)
_COUNTED = """
    f.quantity + CASE WHEN f.at IS NULL OR f.entered THEN 0 ELSE COALESCE((
        SELECT SUM(c.quantity) FROM stock_changes c
        WHERE c.location_id = f.location_id AND c.sku = f.sku AND c.at > f.at), 0) END
"""
_WANTED: dict[Kind, str] = {
    "full": _COUNTED,
    "unnamed": f"GREATEST(0, {_COUNTED})",  # what went out of a shelf without stock was not on it
    "delta": "COALESCE(f.was, 0) + f.quantity",
}
# A count says when it was taken even if it found what was there.
_TOUCHED: dict[Kind, str] = {
    "full": "TRUE",
    "unnamed": "TRUE",
    "delta": "on_hand <> COALESCE(was, 0) OR safety <> COALESCE(was_safety, 0)",
}
_COUNTED_AT = ", counted_at = GREATEST(s.counted_at, c.at)"
_MERGE = """
    WITH wanted AS (
        SELECT f.*, {wanted} AS on_hand FROM stock_feed_shelves f
    ), shelves AS MATERIALIZED (
        SELECT line, location_id, sku, cause, LEAST(at, :now) AS at, place, entered,
               on_hand - COALESCE(was, 0) AS quantity,
               COALESCE(safety - COALESCE(was_safety, 0), 0) AS safety,
               on_hand {possible} AS possible
        FROM wanted WHERE {touched}
    ), changed AS (
        UPDATE stock s SET on_hand = s.on_hand + c.quantity, safety = s.safety + c.safety{note_count}
        FROM shelves c WHERE c.possible AND NOT c.entered AND s.ctid = c.place
    ), changes AS MATERIALIZED (
        SELECT * FROM shelves WHERE possible AND (quantity <> 0 OR safety <> 0)
    ), noted AS (
        INSERT INTO stock_changes (location_id, sku, quantity, safety, cause, at)
        SELECT location_id, sku, quantity, safety, cause, at FROM changes
    ), summed AS (
        SELECT m.group_id, c.sku, SUM(c.quantity)::int AS quantity, SUM(c.safety)::int AS safety
        FROM changes c JOIN location_group_members m ON m.location_id = c.location_id
        GROUP BY m.group_id, c.sku
    ), locked AS (
        SELECT g.group_id, g.sku FROM group_stock g JOIN summed d ON g.group_id = d.group_id AND g.sku = d.sku
        ORDER BY g.group_id, g.sku FOR UPDATE OF g
    ), groups AS (
        UPDATE group_stock g SET on_hand = g.on_hand + d.quantity, safety = g.safety + d.safety
        FROM summed d JOIN locked l ON l.group_id = d.group_id AND l.sku = d.sku
        WHERE g.group_id = d.group_id AND g.sku = d.sku
    )
    SELECT (SELECT count(*) FROM changes)::int AS changed,
           COALESCE(array_agg(line) FILTER (WHERE NOT possible), '{{}}') AS refused
    FROM shelves
"""
"""
A change is noted at the time of its count: the same count given again, by another feed, does not take it for something
that moved since.
"""
_STATEMENTS = {
    kind: text(
        _MERGE.format(
            wanted=wanted,
            possible=_POSSIBLE,
            touched=_TOUCHED[kind],
            note_count="" if kind == "delta" else _COUNTED_AT,
        )
    ).bindparams(_NOW)
    for kind, wanted in _WANTED.items()
}

# A statement of its own: it sees who has begun to wait while the one before waited for groups.
_RISEN = text(
    """
    SELECT DISTINCT f.location_id, f.sku,
           s.on_hand - s.safety - COALESCE(f.was, 0) + COALESCE(f.was_safety, 0) AS quantity
    FROM stock_waits w JOIN location_group_members m ON m.group_id = w.group_id
    JOIN stock_feed_shelves f ON f.location_id = m.location_id AND f.sku = w.sku
    JOIN stock s ON s.location_id = f.location_id AND s.sku = f.sku
    WHERE w.missing AND s.on_hand - s.safety > COALESCE(f.was, 0) - COALESCE(f.was_safety, 0)
    """
)


async def merge_stock(conn: AsyncConnection, rows: Sequence[StockRow], mode: Mode, now: datetime) -> Merged:
    """
    Set or change what is on hand, in groups too, note each change, and give what has become free to orders that wait.

    Rows of one shelf are taken together: of a full merge the latest count counts, and of those of one time the last;
    of a delta their sum. Safety stock is set where it is given. A row that cannot be merged is told, and stops none of
    the others; so is a count that is older than one that was taken before, which would undo it.
    """
    await open_merge(conn)
    raw: Any = (await conn.get_raw_connection()).driver_connection
    await raw.copy_records_to_table("stock_feed", records=rows, columns=_COLUMNS)
    dated = any(row.at is not None for row in rows)
    return await merge_given(conn, mode, now, dated=dated, kept_back=any(row.safety is not None for row in rows))


async def open_merge(conn: AsyncConnection) -> None:
    """Make the table ``stock_feed`` of what is to be merged in this transaction, and empty it."""
    for statement in (_GIVEN, _SHELVES, _EMPTY):
        await conn.execute(statement)


async def merge_given(
    conn: AsyncConnection, kind: Kind, now: datetime, *, dated: bool, kept_back: bool = True
) -> Merged:
    """
    Merge what stands in ``stock_feed``, as ``merge_stock`` says.

    Args:
        dated: whether a row may tell its time.
        kept_back: whether a row may tell its safety stock.
    """
    refused = [(row.line, "sku.unknown" if row.placed else "location.unknown") for row in await conn.execute(_UNKNOWN)]
    missing = (await conn.execute(_LOCK["delta" if kind == "delta" else "full"])).scalar_one()
    if kind == "delta" and kept_back:
        await conn.execute(_SAFETY_OF_DELTA)
    if missing:
        await _enter(conn, missing, kind, now)
    if kind != "delta" and dated:
        refused += [(row.line, SUPERSEDED) for row in await conn.execute(_SUPERSEDED)]
    await conn.execute(_ENSURE_GROUPS)
    merged = (await conn.execute(_STATEMENTS[kind], {"now": now})).one()
    refused += [(line, "stock.out_of_range") for line in merged.refused]
    risen = {(row.location_id, row.sku): row.quantity for row in await conn.execute(_RISEN)}
    await restocked(conn, risen, now=now)
    return Merged(changed=merged.changed, refused=sorted(refused))


async def _enter(conn: AsyncConnection, missing: int, kind: Kind, now: datetime) -> None:
    if kind == "delta":
        entered = await conn.execute(_ENTER_CHANGED)
    else:
        entered = await conn.execute(_ENTER_COUNTED, {"now": now})
    if entered.rowcount < missing:
        await conn.execute(_LOCK_LATE)

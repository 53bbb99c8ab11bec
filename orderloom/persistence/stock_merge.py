"""
Changes of what is on hand, many at once: copied into a table of the transaction's own, then merged by whole sets.

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


class Merged(NamedTuple):
    """What came of a merge."""

    changed: int
    """Rows of stock whose on hand is another now."""
    refused: list[tuple[int, str]]
    """Line and code of what was not merged: ``location.unknown``, ``sku.unknown``, ``stock.out_of_range``."""


_TABLE = text(
    """
    CREATE TEMPORARY TABLE IF NOT EXISTS stock_feed (
        line BIGINT NOT NULL, location_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER NOT NULL,
        at TIMESTAMPTZ, cause TEXT NOT NULL
    ) ON COMMIT DELETE ROWS
    """
)
_COLUMNS = ("line", "location_id", "sku", "quantity", "at", "cause")
_EMPTY = text("DELETE FROM stock_feed")
_UNKNOWN = text(
    """
    DELETE FROM stock_feed f
    WHERE NOT EXISTS (SELECT 1 FROM locations l WHERE l.id = f.location_id)
       OR NOT EXISTS (SELECT 1 FROM products p WHERE p.sku = f.sku)
    RETURNING f.line, EXISTS (SELECT 1 FROM locations l WHERE l.id = f.location_id) AS placed
    """
)
_ENSURE_STOCK = text(
    """
    INSERT INTO stock (location_id, sku, on_hand)
    SELECT DISTINCT f.location_id, f.sku, 0 FROM stock_feed f
    ORDER BY f.location_id, f.sku ON CONFLICT DO NOTHING
    """
)
# A statement of its own: what others did while it waited for them is seen by the next one.
_LOCK = text(
    """
    SELECT count(*) FROM (SELECT DISTINCT location_id, sku FROM stock_feed ORDER BY location_id, sku) f
    CROSS JOIN LATERAL (
        SELECT 1 FROM stock s WHERE s.location_id = f.location_id AND s.sku = f.sku FOR UPDATE) locked
    """
)
_ENSURE_GROUPS = text(
    """
    INSERT INTO group_stock (group_id, sku, on_hand)
    SELECT DISTINCT m.group_id, f.sku, 0
    FROM stock_feed f JOIN location_group_members m ON m.location_id = f.location_id
    ORDER BY m.group_id, f.sku ON CONFLICT DO NOTHING
    """
)
_WANTED = {
    # Of several counts of one shelf the last one counts.
    "full": """
        SELECT f.line, f.location_id, f.sku, f.cause, f.quantity + CASE WHEN f.at IS NULL THEN 0 ELSE COALESCE((
                   SELECT SUM(c.quantity) FROM stock_changes c
                   WHERE c.location_id = f.location_id AND c.sku = f.sku AND c.at > f.at), 0) END AS on_hand
        FROM (SELECT DISTINCT ON (location_id, sku) * FROM stock_feed ORDER BY location_id, sku, line DESC) f
    """,
    "delta": """
        SELECT MAX(f.line) AS line, f.location_id, f.sku, MAX(f.cause) AS cause,
               MAX(s.on_hand) + SUM(f.quantity) AS on_hand
        FROM stock_feed f JOIN stock s ON s.location_id = f.location_id AND s.sku = f.sku
        GROUP BY f.location_id, f.sku
    """,
}
# OFFSET 0: each row is looked up by its key, however large the table is. A chunk never scans it.
_MERGE = """
    WITH wanted AS ({wanted}
    ), changes AS MATERIALIZED (
        SELECT w.line, w.location_id, w.sku, w.cause, w.on_hand - s.on_hand AS quantity,
               w.on_hand BETWEEN 0 AND 2147483647 AS possible
        FROM wanted w CROSS JOIN LATERAL (
            SELECT s.on_hand FROM stock s WHERE s.location_id = w.location_id AND s.sku = w.sku OFFSET 0) s
        WHERE w.on_hand <> s.on_hand
    ), changed AS (
        UPDATE stock s SET on_hand = s.on_hand + c.quantity
        FROM changes c WHERE c.possible AND s.location_id = c.location_id AND s.sku = c.sku
    ), noted AS (
        INSERT INTO stock_changes (location_id, sku, quantity, cause, at)
        SELECT location_id, sku, quantity, cause, :now FROM changes WHERE possible
    ), summed AS (
        SELECT m.group_id, c.sku, SUM(c.quantity)::int AS quantity
        FROM changes c JOIN location_group_members m ON m.location_id = c.location_id
        WHERE c.possible GROUP BY m.group_id, c.sku
    ), locked AS (
        SELECT g.group_id, g.sku FROM group_stock g JOIN summed d ON g.group_id = d.group_id AND g.sku = d.sku
        ORDER BY g.group_id, g.sku FOR UPDATE OF g
    ), groups AS (
        UPDATE group_stock g SET on_hand = g.on_hand + d.quantity
        FROM summed d JOIN locked l ON l.group_id = d.group_id AND l.sku = d.sku
        WHERE g.group_id = d.group_id AND g.sku = d.sku
    )
    SELECT line, location_id, sku, quantity, possible FROM changes ORDER BY location_id, sku
"""
_STATEMENTS = {
    mode: text(_MERGE.format(wanted=wanted)).bindparams(bindparam("now", type_=DateTime(timezone=True)))
    for mode, wanted in _WANTED.items()
}


async def merge_stock(conn: AsyncConnection, rows: Sequence[StockRow], mode: Mode, now: datetime) -> Merged:
    """
    Set or change what is on hand, in groups too, note each change, and give what has come in to orders that wait.

    Rows of one shelf are taken together: of a full merge the last one counts, of a delta their sum. A row that cannot
    be merged is told, and stops none of the others.
    """
    await conn.execute(_TABLE)
    await conn.execute(_EMPTY)
    raw: Any = (await conn.get_raw_connection()).driver_connection
    await raw.copy_records_to_table("stock_feed", records=rows, columns=_COLUMNS)
    unknown = [(row.line, "sku.unknown" if row.placed else "location.unknown") for row in await conn.execute(_UNKNOWN)]
    for statement in (_ENSURE_STOCK, _LOCK, _ENSURE_GROUPS):
        await conn.execute(statement)
    changes = (await conn.execute(_STATEMENTS[mode], {"now": now})).all()
    risen = {(row.location_id, row.sku): row.quantity for row in changes if row.possible and row.quantity > 0}
    await restocked(conn, risen, now=now)
    return Merged(
        changed=sum(row.possible for row in changes),
        refused=sorted(unknown + [(row.line, "stock.out_of_range") for row in changes if not row.possible]),
    )

"""
A full feed of stock as a whole: staged in tables of the session's own, so that it is known what it does not name.

Statements over all of it take longer than any of an order: they alone are given time. They lock nothing.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.persistence.stock_merge import Merged, merge_given, open_merge

PATIENCE = 600
"""Seconds that a statement over a whole feed may take."""


class StagedRow(NamedTuple):
    """What a line says of a shelf."""

    line: int
    location: str
    sku: str
    quantity: int | None
    """None: the line names the shelf and is wrong otherwise."""
    at: datetime | None = None
    safety: int | None = None


class Unnamed(NamedTuple):
    """Shelves of a location that a feed does not name."""

    location: str
    stocked: int
    """Shelves with something on hand."""
    unnamed: int
    """Those of them that the feed does not name, and that would be set to zero."""


_TABLES = (
    """
    CREATE TEMPORARY TABLE stock_feed_staged (
        line BIGINT NOT NULL, location_id TEXT NOT NULL, sku TEXT NOT NULL, quantity INTEGER, at TIMESTAMPTZ,
        safety INTEGER
    )
    """,
    """
    CREATE TEMPORARY TABLE stock_feed_unnamed (
        number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, location_id TEXT NOT NULL, sku TEXT NOT NULL,
        at TIMESTAMPTZ NOT NULL, was INTEGER NOT NULL, on_hand INTEGER NOT NULL
    )
    """,
)
_COLUMNS = ("line", "location_id", "sku", "quantity", "at", "safety")
_INDEX = "CREATE INDEX ON stock_feed_staged (line)"
_ANALYZE = "ANALYZE stock_feed_staged"
# What a location's lines do not name was not there when the first of them was counted. What came since is kept, and so
# is what a later count found.
_FIND = """
    INSERT INTO stock_feed_unnamed (location_id, sku, at, was, on_hand)
    SELECT * FROM (
        SELECT s.location_id, s.sku, n.at, s.on_hand AS was,
               GREATEST(0, COALESCE((
                   SELECT SUM(c.quantity) FROM stock_changes c
                   WHERE c.location_id = s.location_id AND c.sku = s.sku AND c.at > n.at), 0)) AS on_hand
        FROM (
            SELECT location_id, LEAST(MIN(COALESCE(at, $1)), $1) AS at FROM stock_feed_staged
            GROUP BY location_id HAVING count(quantity) > 0
        ) n JOIN stock s ON s.location_id = n.location_id
        WHERE s.on_hand > 0 AND (s.counted_at IS NULL OR s.counted_at <= n.at) AND NOT EXISTS (
            SELECT 1 FROM stock_feed_staged f WHERE f.location_id = s.location_id AND f.sku = s.sku)
    ) found
    WHERE on_hand <> was ORDER BY location_id, sku
"""
_COUNT = """
    SELECT u.location_id, u.unnamed,
           (SELECT count(*) FROM stock s WHERE s.location_id = u.location_id AND s.on_hand > 0) AS stocked
    FROM (SELECT location_id, count(*) AS unnamed FROM stock_feed_unnamed GROUP BY location_id) u
    ORDER BY u.location_id
"""
_TAKE_LINES = text(
    """
    INSERT INTO stock_feed (line, location_id, sku, quantity, at, cause, safety)
    SELECT line, location_id, sku, quantity, at, :cause, safety FROM stock_feed_staged
    WHERE line > :first AND line <= :last AND quantity IS NOT NULL
    """
)
_TAKE_UNNAMED = text(
    """
    INSERT INTO stock_feed (line, location_id, sku, quantity, at, cause)
    SELECT number, location_id, sku, 0, at, :cause FROM stock_feed_unnamed WHERE number > :first AND number <= :last
    """
)


@asynccontextmanager
async def staging(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Give a session with room for a feed; what is staged goes with the session, however that ends."""
    async with engine.connect() as conn:
        try:
            async with conn.begin():
                for table in _TABLES:
                    await conn.execute(text(table))
            yield conn
        finally:
            await conn.invalidate()


async def stage(conn: AsyncConnection, rows: Iterable[StagedRow]) -> None:
    """Add lines to what is staged."""
    await conn.execute(text("SELECT 1"))  # the transaction begins with a statement of its own
    raw: Any = (await conn.get_raw_connection()).driver_connection
    await raw.copy_records_to_table("stock_feed_staged", records=rows, columns=_COLUMNS)


async def find_unnamed(conn: AsyncConnection, since: datetime) -> list[Unnamed]:
    """
    Find the shelves with stock, at the locations that are named, that no line of the feed names; count them.

    Args:
        since: when the feed was sent first: the time of counts that tell none.
    """
    for statement in (_INDEX, _ANALYZE):
        await patiently(conn, statement)
    await patiently(conn, _FIND, since)
    return [Unnamed(row["location_id"], row["stocked"], row["unnamed"]) for row in await patiently(conn, _COUNT)]


async def merge_lines(conn: AsyncConnection, within: tuple[int, int], cause: str, now: datetime) -> Merged:
    """Merge the staged lines behind the first number and up to the last, as ``merge_stock`` merges a full one."""
    await open_merge(conn)
    await conn.execute(_TAKE_LINES, {"first": within[0], "last": within[1], "cause": cause})
    return await merge_given(conn, "full", now, dated=True)


async def merge_unnamed(conn: AsyncConnection, within: tuple[int, int], cause: str, now: datetime) -> int:
    """Set the unnamed shelves behind the first number and up to the last to zero; return how many were changed."""
    await open_merge(conn)
    await conn.execute(_TAKE_UNNAMED, {"first": within[0], "last": within[1], "cause": cause})
    return (await merge_given(conn, "unnamed", now, dated=True)).changed


async def patiently(conn: AsyncConnection, statement: str, *values: object) -> list[Any]:
    """Run a statement over a whole feed, with the driver's parameters, and return its rows."""
    await conn.execute(text(f"SET LOCAL statement_timeout = '{PATIENCE}s'"))
    raw: Any = (await conn.get_raw_connection()).driver_connection
    return await raw.fetch(statement, *values, timeout=PATIENCE)

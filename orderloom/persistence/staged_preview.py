"""What a staged feed of stock would change, by location, and the first of it by name. Nothing is changed or locked."""

from typing import Literal, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.staged_stock import patiently
from orderloom.persistence.stock_merge import Mode

type What = Literal["new", "changed", "zeroed", "unchanged"]

FIRST = 5
"""Shelves of a location that are named, of those that are new, changed or zeroed each."""
TOLD = 1000
"""Lines that would be refused which are named."""


class ShelfPreview(NamedTuple):
    """What would become of a shelf."""

    location: str
    sku: str
    what: What
    on_hand: int
    becomes: int
    safety: int
    safety_becomes: int


class LocationPreview(NamedTuple):
    """How many shelves of a location would be what."""

    location: str
    new: int
    changed: int
    zeroed: int
    unchanged: int


class Preview(NamedTuple):
    """What a feed would change."""

    locations: list[LocationPreview]
    shelves: list[ShelfPreview]
    refused: list[tuple[int, str]]
    """Line and code: the first thousand of them."""


_TABLE = """
    CREATE TEMPORARY TABLE stock_feed_compared (
        line BIGINT, location_id TEXT NOT NULL, sku TEXT NOT NULL, what TEXT NOT NULL, code TEXT,
        was INTEGER NOT NULL, on_hand BIGINT NOT NULL, was_safety INTEGER NOT NULL, safety INTEGER NOT NULL
    )
"""
_TAKEN = {
    "full": """
        SELECT DISTINCT ON (location_id, sku) line, location_id, sku, quantity::bigint AS quantity, at, safety
        FROM stock_feed_staged WHERE quantity IS NOT NULL
        ORDER BY location_id, sku, at DESC NULLS FIRST, line DESC
    """,
    "delta": """
        SELECT MAX(line) AS line, location_id, sku, SUM(quantity) AS quantity, NULL::timestamptz AS at,
               (array_agg(safety ORDER BY line DESC) FILTER (WHERE safety IS NOT NULL))[1] AS safety
        FROM stock_feed_staged WHERE quantity IS NOT NULL GROUP BY location_id, sku
    """,
}
_BECOMES = {
    "full": """
        f.quantity + CASE WHEN f.at IS NULL OR s.sku IS NULL THEN 0 ELSE COALESCE((
            SELECT SUM(c.quantity) FROM stock_changes c
            WHERE c.location_id = f.location_id AND c.sku = f.sku AND c.at > f.at), 0) END
    """,
    "delta": "COALESCE(s.on_hand, 0) + f.quantity",
}
_COMPARE = {
    mode: f"""
        INSERT INTO stock_feed_compared (
            line, location_id, sku, what, code, was, on_hand, was_safety, safety)
        SELECT line, location_id, sku,
               CASE WHEN code IS NOT NULL THEN 'refused' WHEN fresh THEN 'new'
                    WHEN on_hand <> was OR safety <> was_safety THEN 'changed' ELSE 'unchanged' END,
               code, was, on_hand, was_safety, safety
        FROM (
            SELECT f.line, f.location_id, f.sku, s.sku IS NULL AS fresh, COALESCE(s.on_hand, 0) AS was,
                   {becomes} AS on_hand, COALESCE(s.safety, 0) AS was_safety,
                   COALESCE(f.safety, s.safety, 0) AS safety,
                   CASE WHEN l.id IS NULL THEN 'location.unknown' WHEN p.sku IS NULL THEN 'sku.unknown'
                        WHEN f.at < s.counted_at THEN 'count.superseded'
                        WHEN {becomes} NOT BETWEEN 0 AND 2147483647 THEN 'stock.out_of_range' END AS code
            FROM ({_TAKEN[mode]}) f
            LEFT JOIN locations l ON l.id = f.location_id LEFT JOIN products p ON p.sku = f.sku
            LEFT JOIN stock s ON s.location_id = f.location_id AND s.sku = f.sku
        ) compared
    """  # noqa: S608  # constants of this module
    for mode, becomes in _BECOMES.items()
}
_UNNAMED = """
    INSERT INTO stock_feed_compared (location_id, sku, what, was, on_hand, was_safety, safety)
    SELECT u.location_id, u.sku, 'zeroed', u.was, u.on_hand, s.safety, s.safety
    FROM stock_feed_unnamed u JOIN stock s ON s.location_id = u.location_id AND s.sku = u.sku
"""
_LOCATIONS = """
    SELECT location_id, count(*) FILTER (WHERE what = 'new'), count(*) FILTER (WHERE what = 'changed'),
           count(*) FILTER (WHERE what = 'zeroed'), count(*) FILTER (WHERE what = 'unchanged')
    FROM stock_feed_compared WHERE what <> 'refused' GROUP BY location_id ORDER BY location_id
"""
_SHELVES = """
    SELECT location_id, sku, what, was, on_hand, was_safety, safety
    FROM (
        SELECT *, row_number() OVER (PARTITION BY location_id, what ORDER BY sku) AS place
        FROM stock_feed_compared WHERE what IN ('new', 'changed', 'zeroed')
    ) ranked
    WHERE place <= $1 ORDER BY location_id, what, sku
"""
_REFUSED = "SELECT line, code FROM stock_feed_compared WHERE what = 'refused' ORDER BY line LIMIT $1"


async def compare(conn: AsyncConnection, mode: Mode, *, unnamed: bool) -> Preview:
    """
    Compare what is staged with what is there.

    Args:
        unnamed: whether shelves that were found not to be named would be set to zero.
    """
    await conn.execute(text(_TABLE))
    await patiently(conn, _COMPARE[mode])
    if unnamed:
        await patiently(conn, _UNNAMED)
    return Preview(
        locations=[LocationPreview(*row) for row in await patiently(conn, _LOCATIONS)],
        shelves=[ShelfPreview(*row) for row in await patiently(conn, _SHELVES, FIRST)],
        refused=[(row["line"], row["code"]) for row in await patiently(conn, _REFUSED, TOLD)],
    )

"""What locations turned down: noted in the transaction of the report, read when routing asks, forgotten by a person."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import DateTime, Text, bindparam, column, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.rejections import Rejection
from orderloom.persistence.tables.places import location_rejections

_table = location_rejections.c

_RECENT = (
    text(
        """
        SELECT location_id AS location, sku, reason, at FROM location_rejections
        WHERE location_id = ANY(:locations) AND sku = ANY(:skus) AND at > :since AND at <= :now
            AND (forgotten_at IS NULL OR forgotten_at > :now)
        ORDER BY location_id, at, id
        """
    )
    .bindparams(
        bindparam("locations", type_=ARRAY(Text)),
        bindparam("skus", type_=ARRAY(Text)),
        bindparam("since", type_=DateTime(timezone=True)),
        bindparam("now", type_=DateTime(timezone=True)),
    )
    .columns(column("location", Text), column("sku", Text), column("reason", Text), _table.at)
)


async def recent_rejections(
    conn: AsyncConnection, locations: Iterable[str], skus: Sequence[str], *, since: datetime, now: datetime
) -> list[Rejection]:
    """Return what *locations* turned down of *skus* from *since* to *now*, less what was forgotten by then."""
    values = {"locations": sorted(locations), "skus": list(skus), "since": since, "now": now}
    return [Rejection.model_validate(row, from_attributes=True) for row in await conn.execute(_RECENT, values)]


async def forget_rejections(conn: AsyncConnection, location: str, sku: str | None, now: datetime) -> int:
    """
    Let what *location* turned down until *now* count no more, of one SKU or of all; return how many there were.

    The rows stay: they say what happened, and when it was forgotten.
    """
    query = update(location_rejections).where(
        _table.location_id == location, _table.at <= now, _table.forgotten_at.is_(None)
    )
    if sku is not None:
        query = query.where(_table.sku == sku)
    return (await conn.execute(query.values(forgotten_at=now))).rowcount

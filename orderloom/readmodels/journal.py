"""The journal of an order, page by page."""

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.tables.orders import journal


class JournalEntry(Frozen):
    """One CloudEvent of an order's journal."""

    seq: int
    id: str
    source: str
    type: str
    time: AwareDatetime
    data: JsonObject
    cause: str
    """Intake id, or name of the flow and pointer of the task that caused it."""


async def journal_page(conn: AsyncConnection, order_id: str, *, after: int, limit: int) -> list[JournalEntry]:
    """Return at most *limit* entries of the order with a number higher than *after*, in sequence."""
    rows = await conn.execute(
        select(
            journal.c.seq,
            journal.c.id,
            journal.c.source,
            journal.c.type,
            journal.c.time,
            journal.c.data,
            journal.c.cause,
        )
        .where(journal.c.order_id == order_id, journal.c.seq > after)
        .order_by(journal.c.seq)
        .limit(limit)
    )
    return [JournalEntry.model_validate(row) for row in rows.mappings()]

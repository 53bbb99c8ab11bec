"""What an order is delivered, read by the statement that locks the order."""

from typing import NamedTuple

from sqlalchemy import column, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import JsonObject
from orderloom.persistence.intake import ORDER_PLACED
from orderloom.persistence.journal import LOCK, LOCKED_COLUMNS, PARAMETERS, Heard, Locked, asked
from orderloom.persistence.tables.intake import intake


class Received(NamedTuple):
    """A row of intake."""

    id: str
    kind: str
    type: str
    source: str
    status: str
    answer: JsonObject | None
    body: bytes
    """Sealed with the key ``key_id``."""
    key_id: str


_COLUMNS = tuple(column(f"intake_{name}", intake.c[name].type) for name in Received._fields)
_LOCK = (
    text(
        f"""
    WITH locked AS ({LOCK})
    SELECT {", ".join(f"r.{name} AS intake_{name}" for name in Received._fields)}, locked.*
    FROM intake r LEFT JOIN locked ON true
    WHERE r.order_id = :order_id AND (r.id = :key OR (
        r.status = 'received' AND (r.kind = 'event' OR (r.type = '{ORDER_PLACED}' AND locked.id IS NULL))
        AND r.position < (SELECT position FROM intake WHERE id = :key)))
    ORDER BY r.position
    """  # noqa: S608  # constants of this project
    )
    .bindparams(*PARAMETERS)
    .columns(*_COLUMNS, *LOCKED_COLUMNS)
)


async def lock_for(
    conn: AsyncConnection, order_id: str, intake_id: str, heard: Heard
) -> tuple[Locked | None, list[Received]]:
    """
    Lock an order's row as ``journal.lock`` does, and return it with what is to be recorded of it.

    That is the row of intake that is delivered, behind earlier events of the order that nobody has delivered yet; none,
    if the order has no such row. None for the order: it is not placed yet, and its placement is among them.
    """
    values = asked(order_id, intake_id, heard)
    rows = (await conn.execute(_LOCK, values)).all()
    if rows and rows[0].waited:
        rows = (await conn.execute(_LOCK, values)).all()
    locked = Locked(rows[0]) if rows and rows[0].id is not None else None
    received = [Received(*row[: len(Received._fields)]) for row in rows]
    return locked, received if received and received[-1].id == intake_id else []

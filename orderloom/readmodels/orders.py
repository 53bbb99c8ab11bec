"""Small facts about one order."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.tables.orders import orders


async def channel_of(conn: AsyncConnection, order_id: str) -> str | None:
    """Return the channel of an order; None if there is no such order."""
    return (await conn.execute(select(orders.c.channel_id).where(orders.c.id == order_id))).scalar_one_or_none()

"""Small facts about one order."""

from sqlalchemy import any_, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.tables.orders import orders


async def channel_of(conn: AsyncConnection, order_id: str) -> str | None:
    """Return the channel of an order; None if there is no such order."""
    return (await conn.execute(select(orders.c.channel_id).where(orders.c.id == order_id))).scalar_one_or_none()


async def wants(conn: AsyncConnection, order_id: str, type: str) -> bool:
    """Return whether an event of *type* would wake the order's workflow."""
    query = select(literal(type) == any_(orders.c.wanted)).where(orders.c.id == order_id)
    return bool((await conn.execute(query)).scalar_one_or_none())

"""Which order a payment intent belongs to."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.tables.payments import payment_intents, payments


async def order_of_intent(conn: AsyncConnection, gateway: str, intent_id: str) -> str | None:
    """Return the order of an intent towards *gateway*, or None."""
    query = (
        select(payment_intents.c.order_id)
        .join(payments, payments.c.id == payment_intents.c.payment_id)
        .where(payment_intents.c.id == intent_id, payments.c.gateway == gateway)
    )
    return (await conn.execute(query)).scalar_one_or_none()

"""Which order a payment intent belongs to."""

from sqlalchemy import Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

_OF_INTENT = text(
    """
    SELECT i.order_id, :type = ANY(o.wanted) AS wanted
    FROM payment_intents i JOIN payments p ON p.id = i.payment_id JOIN orders o ON o.id = i.order_id
    WHERE i.id = :id AND p.gateway = :gateway
    """
).bindparams(bindparam("type", type_=Text))


async def order_of_intent(conn: AsyncConnection, gateway: str, intent_id: str, type: str) -> tuple[str, bool] | None:
    """Return the order of an intent towards *gateway*, and whether *type* wakes the order's workflow; or None."""
    values = {"gateway": gateway, "id": intent_id, "type": type}
    row = (await conn.execute(_OF_INTENT, values)).one_or_none()
    return None if row is None else (row.order_id, row.wanted)

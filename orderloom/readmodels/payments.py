"""Which order a payment intent belongs to."""

from sqlalchemy import Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.persistence.single import fetch

_OF_INTENT = text(
    """
    SELECT i.order_id, :type = ANY(o.wanted) AS wanted
    FROM payment_intents i JOIN payments p ON p.id = i.payment_id JOIN orders o ON o.id = i.order_id
    WHERE i.id = :id AND p.gateway = :gateway
    """
).bindparams(bindparam("type", type_=Text))


async def order_of_intent(engine: AsyncEngine, gateway: str, intent_id: str, type: str) -> tuple[str, bool] | None:
    """Return the order of an intent towards *gateway*, and whether *type* wakes the order's workflow; or None."""
    values = {"gateway": gateway, "id": intent_id, "type": type}
    rows = await fetch(engine, _OF_INTENT, values)
    return (rows[0].order_id, rows[0].wanted) if rows else None

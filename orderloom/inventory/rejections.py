"""Letting what a location turned down count no more."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.model import JsonObject
from orderloom.domain.rejections import ResetRejections
from orderloom.persistence.rejections import forget_rejections
from orderloom.persistence.requests import Answered, Asked, once


async def reset_rejections(
    engine: AsyncEngine, key: str, location: str, wanted: ResetRejections, now: datetime
) -> Answered:
    """
    Forget what *location* turned down until *now*, of one SKU or of all; asked twice with the same key, do it once.

    Raises:
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        return {"location": location, "forgotten": await forget_rejections(conn, location, wanted.sku, now)}

    body: JsonObject = {"location": location, **wanted.model_dump(mode="json")}
    return await once(engine, Asked(key=key, kind="rejections.reset", body=body, now=now), work)

"""Waves that are under way: what a blow strikes of them, and what has become of them all."""

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.model import Frozen

# A wave that a blow has cut short never ends; the one that was begun last may be such a one until the next begins.
_UNDER_WAY = text(
    """
    SELECT id FROM waves WHERE routed IS NULL AND id = (SELECT max(id) FROM waves)
    UNION SELECT wave_id FROM proposals WHERE status = 'open' AND wave_id IS NOT NULL
    """
)
_ALL = text(
    """
    SELECT count(*) AS waves, count(*) FILTER (WHERE routed IS NULL) AS cut_short,
           (SELECT count(DISTINCT order_id) FROM proposals WHERE wave_id IS NOT NULL AND status = 'accepted') AS orders
    FROM waves
    """
)


class Waves(Frozen):
    """All waves of a run."""

    waves: int = 0
    cut_short: int = 0
    """Waves that were begun and never ended: whoever routed them, or wrote down what they found, was struck."""
    orders: int = 0
    """Orders that went out as a wave had proposed."""


async def under_way(engine: AsyncEngine) -> frozenset[int]:
    """Return the waves that are being routed, and those that an order has not answered yet; none while it is down."""
    try:
        async with engine.connect() as conn:
            return frozenset(await conn.scalars(_UNDER_WAY))
    except (DBAPIError, OSError):
        return frozenset()


async def all_waves(engine: AsyncEngine) -> Waves:
    """Return what has become of the waves so far."""
    async with engine.connect() as conn:
        return Waves.model_validate((await conn.execute(_ALL)).mappings().one())

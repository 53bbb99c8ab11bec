"""What a channel may sell ahead of SKUs, and how much of that is left."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import Frozen
from orderloom.domain.sell_ahead import SellAhead, terms
from orderloom.persistence.sell_ahead import IN_FORCE


class SellAheadState(Frozen):
    """What a channel may sell of a SKU beyond what is available, now."""

    backorder: bool
    """Whether more may be ordered than is available."""
    backordered: int
    """Units that were sold ahead under a policy and still wait for stock."""
    left: int | None
    """How many more may be sold ahead; None: any number."""
    until: datetime | None
    """When backorders end."""
    release_at: datetime | None
    """It is a preorder: what is ordered now is not routed before this date."""


_STATES = (
    text(
        f"""
    SELECT p.sku, c.policy AS channel, ({IN_FORCE}) AS sell_ahead, COALESCE(b.quantity, 0) AS backordered
    FROM channels c JOIN products p ON p.sku = ANY(:skus)
    LEFT JOIN backorders b ON b.channel_id = c.id AND b.sku = p.sku
    WHERE c.id = :channel
    """  # noqa: S608  # a constant of ours
    )
    .bindparams(bindparam("skus", type_=ARRAY(Text)), bindparam("channel", type_=Text))
    .columns(channel=JSONB, sell_ahead=JSONB)
)


async def selling_ahead(
    conn: AsyncConnection, channel: str, skus: Collection[str], now: datetime
) -> dict[str, SellAheadState]:
    """Return by SKU what *channel* may sell ahead at *now*; one statement."""
    rows = await conn.execute(_STATES, {"channel": channel, "skus": sorted(skus)})
    states: dict[str, SellAheadState] = {}
    for row in rows:
        given = None if row.sell_ahead is None else SellAhead.model_validate(row.sell_ahead)
        policy = terms(given, ChannelPolicy.model_validate(row.channel).when_short)
        allowed = policy.allows(now)
        left = None if policy.limit is None else max(0, policy.limit - row.backordered)
        states[row.sku] = SellAheadState(
            backorder=allowed and left != 0,
            backordered=row.backordered,
            left=left if allowed else 0,
            until=policy.until,
            release_at=policy.holds_until(now),
        )
    return states

"""What a channel may sell ahead of SKUs, and how much of that is left."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Text, bindparam, select, text, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import Frozen
from orderloom.domain.sell_ahead import SellAhead, SellAheadPolicy, terms
from orderloom.persistence.sell_ahead import IN_FORCE
from orderloom.persistence.sell_ahead_policies import SellAheadChange, change_of, key_of
from orderloom.persistence.tables.catalog import sell_ahead, sell_ahead_changes


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


async def policies_page(
    conn: AsyncConnection, *, channel: str | None, sku: str | None, after: tuple[str, str] | None, limit: int
) -> list[SellAheadPolicy]:
    """
    Return at most *limit* policies by channel and SKU, defaults first, from behind the pair *after*.

    Args:
        channel: only those that name this channel.
        sku: only those that name this SKU.
        after: channel and SKU of the last one seen; empty: of every one.
    """
    table = sell_ahead.c
    query = select(sell_ahead).order_by(table.channel_id, table.sku).limit(limit)
    query = query.where(*(column == name for column, name in _named(table, channel, sku)))
    if after is not None:
        query = query.where(tuple_(table.channel_id, table.sku) > after)
    return [SellAheadPolicy(**dict(key_of(row)), **row.policy) for row in await conn.execute(query)]


async def changes_page(
    conn: AsyncConnection, *, channel: str | None, sku: str | None, before: int | None, limit: int
) -> list[SellAheadChange]:
    """Return at most *limit* changes of policies, the latest first, from below number *before* on."""
    table = sell_ahead_changes.c
    query = select(sell_ahead_changes).order_by(table.number.desc()).limit(limit)
    query = query.where(*(column == name for column, name in _named(table, channel, sku)))
    if before is not None:
        query = query.where(table.number < before)
    return [change_of(row) for row in await conn.execute(query)]


def _named(table: Any, channel: str | None, sku: str | None) -> list[tuple[Any, str]]:
    return [(column, name) for column, name in ((table.channel_id, channel), (table.sku, sku)) if name is not None]

"""Units that are sold ahead: counted by channel and SKU, and never more of them than the policy allows."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

EVERY = ""
"""In place of a channel or a SKU in ``sell_ahead``: the default of those that have no policy of their own."""

IN_FORCE = """
    SELECT s.policy FROM sell_ahead s WHERE s.sku IN (p.sku, '') AND s.channel_id IN (:channel, '')
    ORDER BY s.sku DESC, s.channel_id DESC LIMIT 1
"""
"""The policy of product ``p`` in ``:channel``: its own, else the SKU's, else the channel's."""

_TAKE = text(
    """
    INSERT INTO backorders AS b (channel_id, sku, quantity)
    SELECT :channel, a.sku, a.quantity FROM jsonb_to_recordset(:asked) AS a(sku text, quantity int, most int)
    WHERE a.most IS NULL OR a.quantity <= a.most ORDER BY a.sku
    ON CONFLICT (channel_id, sku) DO UPDATE SET quantity = b.quantity + excluded.quantity
    WHERE b.quantity + excluded.quantity <= COALESCE((:limits ->> excluded.sku)::int, 2147483647)
    RETURNING b.sku
    """
).bindparams(bindparam("asked", type_=JSONB), bindparam("limits", type_=JSONB), bindparam("channel", type_=Text))
_COUNTED = text(
    """
    SELECT a.sku, COALESCE(b.quantity, 0) AS quantity
    FROM jsonb_array_elements_text(:skus) AS a(sku) LEFT JOIN backorders b ON b.channel_id = :channel AND b.sku = a.sku
    """
).bindparams(bindparam("skus", type_=JSONB), bindparam("channel", type_=Text))
_CHANGE = text(
    """
    WITH changed AS (
        SELECT b.channel_id, b.sku, c.quantity
        FROM backorders b JOIN jsonb_to_recordset(:changes) AS c(channel text, sku text, quantity int)
            ON c.channel = b.channel_id AND c.sku = b.sku
        ORDER BY b.channel_id, b.sku FOR UPDATE OF b
    )
    UPDATE backorders b SET quantity = b.quantity + c.quantity
    FROM changed c WHERE b.channel_id = c.channel_id AND b.sku = c.sku
    """
).bindparams(bindparam("changes", type_=JSONB))


class Ahead(NamedTuple):
    """Units that are to be sold ahead, and the most that may wait for stock at once; None: any number."""

    quantity: int
    limit: int | None


async def take_ahead(conn: AsyncConnection, channel: str, asked: Mapping[str, Ahead]) -> dict[str, int]:
    """
    Count what is sold ahead by SKU, each as far as its limit goes; return what is left of the SKUs that it refuses.

    One conditional statement: however many ask at once, no counter passes its limit. Some may be counted when others
    are refused: the caller undoes them.
    """
    if not asked:
        return {}
    rows = [{"sku": sku, "quantity": ahead.quantity, "most": ahead.limit} for sku, ahead in sorted(asked.items())]
    limits = {sku: ahead.limit for sku, ahead in asked.items() if ahead.limit is not None}
    taken = set((await conn.execute(_TAKE, {"channel": channel, "asked": rows, "limits": limits})).scalars())
    refused = sorted(asked.keys() - taken)
    if not refused:
        return {}
    counted = await conn.execute(_COUNTED, {"channel": channel, "skus": refused})
    return {row.sku: max(0, (asked[row.sku].limit or 0) - row.quantity) for row in counted}


async def change_ahead(conn: AsyncConnection, changes: Mapping[tuple[str, str], int]) -> None:
    """
    Add *changes* to what is sold ahead by channel and SKU: less when units got stock or were cancelled.

    One statement, which locks the counters by channel and SKU: call it once in a transaction.
    """
    rows = [
        {"channel": channel, "sku": sku, "quantity": quantity}
        for (channel, sku), quantity in sorted(changes.items())
        if quantity
    ]
    if rows:
        await conn.execute(_CHANGE, {"changes": rows})

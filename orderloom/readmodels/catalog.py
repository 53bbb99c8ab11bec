"""What a placement is checked against: the channel, its release, the products and their prices."""

from collections.abc import Collection
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, Row, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.contracts.messages import ReleasePin
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import Frozen
from orderloom.domain.order import Fulfilment
from orderloom.persistence.single import fetch
from orderloom.persistence.tables.inventory import location_group_members, locations


class ChannelInForce(Frozen):
    """A channel's policy and the release that its next order is pinned to; None while none is published."""

    id: str
    policy: ChannelPolicy
    pin: ReleasePin | None


class ProductForSale(Frozen):
    """An active product, with its price in the channel when it has one."""

    sku: str
    tax_category: str
    fulfilment: Fulfilment
    price: int | None
    """Minor units of the channel's currency."""


_CHANNEL = text(
    """
    SELECT c.policy, r.pin FROM channels c LEFT JOIN releases r ON r.hash = c.release WHERE c.id = :channel
    """
).columns(policy=JSONB, pin=JSONB)
_FOR_SALE = (
    text(
        """
    SELECT c.policy, r.pin,
           (SELECT json_agg(json_build_object('sku', p.sku, 'tax_category', p.tax_category,
                                              'fulfilment', p.fulfilment, 'price', x.amount))
            FROM products p
            LEFT JOIN prices x ON x.sku = p.sku AND x.channel_id = c.id AND x.currency = c.policy ->> 'currency'
            WHERE p.sku = ANY(:skus) AND p.active) AS products
    FROM channels c LEFT JOIN releases r ON r.hash = c.release WHERE c.id = :channel
    """
    )
    .bindparams(bindparam("skus", type_=ARRAY(Text)))
    .columns(policy=JSONB, pin=JSONB, products=JSON)
)
_PRODUCTS = TypeAdapter(list[ProductForSale])


async def channel_in_force(conn: AsyncConnection, channel_id: str) -> ChannelInForce | None:
    """Return a channel with what is in force for new orders, or None."""
    row = (await conn.execute(_CHANNEL, {"channel": channel_id})).one_or_none()
    return None if row is None else _channel(channel_id, row)


async def for_sale(
    engine: AsyncEngine, channel_id: str, skus: Collection[str]
) -> tuple[ChannelInForce, dict[str, ProductForSale]] | None:
    """
    Return a channel with what is in force for new orders, and the active products among *skus* by SKU; or None.

    One statement. Prices are those in the channel's currency.
    """
    rows = await fetch(engine, _FOR_SALE, {"channel": channel_id, "skus": list(skus)})
    if not rows:
        return None
    found = _PRODUCTS.validate_python(rows[0].products or [])
    return _channel(channel_id, rows[0]), {product.sku: product for product in found}


def _channel(id: str, row: Row[*tuple[Any, ...]]) -> ChannelInForce:
    return ChannelInForce(
        id=id,
        policy=ChannelPolicy.model_validate(row.policy),
        pin=None if row.pin is None else ReleasePin.model_validate(row.pin),
    )


async def pickup_locations(conn: AsyncConnection, group: str, named: Collection[str]) -> set[str]:
    """Return those of the *named* locations that are active members of *group* and offer pickup."""
    member = location_group_members.c
    query = (
        select(locations.c.id)
        .join(location_group_members, member.location_id == locations.c.id)
        .where(member.group_id == group, locations.c.id.in_(sorted(named)), locations.c.active)
        .where(locations.c.traits["pickup"].as_boolean())
    )
    return set((await conn.execute(query)).scalars())

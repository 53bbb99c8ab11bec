"""What a placement is checked against: the channel, its release, the products and their prices."""

from collections.abc import Collection

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.messages import ReleasePin
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import Frozen
from orderloom.domain.order import Fulfilment
from orderloom.persistence.tables.catalog import channels, prices, products, releases
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


async def channel_in_force(conn: AsyncConnection, channel_id: str) -> ChannelInForce | None:
    """Return a channel with what is in force for new orders, or None."""
    query = (
        select(channels.c.policy, releases.c.pin)
        .select_from(channels.outerjoin(releases, releases.c.hash == channels.c.release))
        .where(channels.c.id == channel_id)
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    return ChannelInForce(
        id=channel_id,
        policy=ChannelPolicy.model_validate(row.policy),
        pin=None if row.pin is None else ReleasePin.model_validate(row.pin),
    )


async def products_for_sale(
    conn: AsyncConnection, channel_id: str, currency: str, skus: Collection[str]
) -> dict[str, ProductForSale]:
    """Return the active products among *skus*, by SKU, in one statement."""
    price = and_(prices.c.sku == products.c.sku, prices.c.channel_id == channel_id, prices.c.currency == currency)
    query = (
        select(products.c.sku, products.c.tax_category, products.c.fulfilment, prices.c.amount.label("price"))
        .select_from(products.outerjoin(prices, price))
        .where(products.c.sku.in_(sorted(skus)), products.c.active)
    )
    return {row["sku"]: ProductForSale.model_validate(row) for row in (await conn.execute(query)).mappings()}


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

"""Sets up what an import needs before it starts: channel, products, and the warehouse with all that the file sells."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.importing.mapping import Mapping
from orderloom.importing.survey import Goods
from orderloom.persistence.tables.inventory import stock, stock_changes
from orderloom.persistence.world import Channel, Group, Location, Product, Stock, World, load_world


async def set_up(
    conn: AsyncConnection, mapping: Mapping, goods: Sequence[Goods], *, import_id: str, release: str, now: datetime
) -> None:
    """Load the import's world. The goods are put on the shelves once per import, however often it runs."""
    cause = f"import {import_id}"
    stocked = await _has_stocked(conn, cause)
    on_hand = await _on_hand(conn, mapping.warehouse.id)
    needed = [] if stocked else list(goods)
    await load_world(conn, _world(mapping, goods, needed, on_hand, release), now, cause=cause)


async def _has_stocked(conn: AsyncConnection, cause: str) -> bool:
    query = select(func.count()).where(stock_changes.c.cause == cause)
    return bool((await conn.execute(query)).scalar_one())


async def _on_hand(conn: AsyncConnection, location: str) -> dict[str, int]:
    query = select(stock.c.sku, stock.c.on_hand).where(stock.c.location_id == location)
    return {row.sku: row.on_hand for row in await conn.execute(query)}


def _world(
    mapping: Mapping, goods: Sequence[Goods], needed: Sequence[Goods], on_hand: dict[str, int], release: str
) -> World:
    warehouse = mapping.warehouse
    return World(
        channels=[
            Channel(
                id=mapping.channel,
                policy=ChannelPolicy(currency=mapping.currency, location_group=warehouse.id, price="given"),
                release=release,
            )
        ],
        products=[Product(sku=one.sku, name=one.name) for one in goods],
        locations=[
            Location(
                id=warehouse.id,
                name=warehouse.name,
                country=warehouse.country,
                latitude=warehouse.latitude,
                longitude=warehouse.longitude,
            )
        ],
        groups=[Group(id=warehouse.id, locations=[warehouse.id])],
        stock=[
            Stock(location=warehouse.id, sku=one.sku, on_hand=on_hand.get(one.sku, 0) + one.quantity) for one in needed
        ],
    )

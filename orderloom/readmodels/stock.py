"""Stock by location and by location group: counters, and what may be promised of them."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.inventory import available_to_fulfill, available_to_order
from orderloom.domain.model import Frozen
from orderloom.persistence.tables.inventory import group_stock, stock


class StockView(Frozen):
    """One SKU at one place."""

    place: str
    sku: str
    on_hand: int
    reserved: int
    safety: int
    future: int
    available_to_fulfill: int
    available_to_order: int


async def stock_at_locations(
    conn: AsyncConnection,
    *,
    sku: str | None,
    location: str | None,
    after: tuple[str, str] | None,
    limit: int,
) -> list[StockView]:
    """Return stock by location and SKU, from behind the pair *after*."""
    table = stock.c
    query = (
        select(table.location_id.label("place"), table.sku, table.on_hand, table.reserved, table.safety, table.future)
        .order_by(table.location_id, table.sku)
        .limit(limit)
    )
    if sku is not None:
        query = query.where(table.sku == sku)
    if location is not None:
        query = query.where(table.location_id == location)
    if after is not None:
        query = query.where(tuple_(table.location_id, table.sku) > after)
    return [_view(**row) for row in (await conn.execute(query)).mappings()]


async def stock_at_groups(conn: AsyncConnection, sku: str) -> list[StockView]:
    """Return the stock of one SKU at every location group that has it."""
    table = group_stock.c
    query = (
        select(table.group_id.label("place"), table.sku, table.on_hand, table.reserved, table.safety, table.future)
        .where(table.sku == sku)
        .order_by(table.group_id)
    )
    return [_view(**row) for row in (await conn.execute(query)).mappings()]


def _view(*, place: str, sku: str, on_hand: int, reserved: int, safety: int, future: int) -> StockView:
    return StockView(
        place=place,
        sku=sku,
        on_hand=on_hand,
        reserved=reserved,
        safety=safety,
        future=future,
        available_to_fulfill=available_to_fulfill(on_hand, reserved, safety),
        available_to_order=available_to_order(on_hand, reserved, safety, future),
    )

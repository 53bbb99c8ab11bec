"""Stock of now."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.dependencies import Limit, Reading
from api.openapi import problems
from api.paging import after_path
from api.routes import PlainRoute
from api.schemas import Page
from orderloom.domain.errors import InvalidInput
from orderloom.readmodels.stock import StockView, stock_at_groups, stock_at_locations

router = APIRouter(prefix="/v1/stock", tags=["stock"], route_class=PlainRoute)


@router.get("", responses=problems(InvalidInput))
async def stock(
    conn: Reading,
    sku: Annotated[str | None, Query(description="Only this SKU.")] = None,
    location: Annotated[str | None, Query(description="Only this location.")] = None,
    after: Annotated[str | None, Query(description="Location and SKU of the last row seen, with a space.")] = None,
    limit: Limit = 50,
) -> Page[StockView]:
    """List stock by location and SKU."""
    place, _, last = (after or "").partition(" ")
    mark = (place, last) if after else None
    rows = await stock_at_locations(conn, sku=sku, location=location, after=mark, limit=limit)
    end = f"{rows[-1].place} {rows[-1].sku}" if len(rows) == limit else None
    return Page(items=rows, next=after_path("/v1/stock", end, limit, sku=sku, location=location))


@router.get("/groups", responses=problems(InvalidInput))
async def group_stock(conn: Reading, sku: Annotated[str, Query(description="The SKU.")]) -> Page[StockView]:
    """List the stock of one SKU at location groups, which is what orders are promised from."""
    return Page(items=await stock_at_groups(conn, sku))

"""Routing pools: how many orders wait to be routed together, and what the last waves came to."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query

from api.dependencies import MAX_NUMBER, Given, Limit, Reading
from api.openapi import problems
from api.paging import after_path
from api.routes import PlainRoute
from api.schemas import Page
from orderloom.domain.errors import InvalidInput
from orderloom.readmodels.pools import PoolView, WaveView, pools_of, waves_page

router = APIRouter(prefix="/v1/routing-pools", tags=["routing"], route_class=PlainRoute)


@router.get("")
async def routing_pools(given: Given, conn: Reading) -> Page[PoolView]:
    """List the routing pools by name: how many orders wait in each, when a wave is due, and what the last came to."""
    return Page(items=await pools_of(conn, given.clock.now()))


@router.get("/{pool:path}/waves", responses=problems(InvalidInput))
async def waves(
    conn: Reading,
    pool: str,
    after: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Number of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[WaveView]:
    """List the waves of a pool, the latest first; none of a pool that nobody has named."""
    found = await waves_page(conn, pool, before=after, limit=limit + 1)
    items = found[:limit]
    last = items[-1].number if len(found) > limit else None
    return Page(items=items, next=after_path(f"/v1/routing-pools/{quote(pool)}/waves", last, limit))

"""Routing attempts: what was looked for, what was found, and why."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import MAX_NUMBER, Limit, Reading
from api.errors import OrderUnknown, RoutingAttemptUnknown
from api.openapi import problems
from api.paging import after_path
from api.routes import PlainRoute
from api.schemas import Page
from orderloom.domain.errors import InvalidInput
from orderloom.readmodels.orders import channel_of
from orderloom.readmodels.routing_why import (
    RoutingAttemptSummary,
    RoutingAttemptTold,
    attempt_told,
    attempts_page,
)

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=PlainRoute)


@router.get("/{order}/routing-attempts", responses=problems(OrderUnknown, InvalidInput))
async def routing_attempts(
    conn: Reading,
    order: str,
    after: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Number of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[RoutingAttemptSummary]:
    """List the routing attempts of an order, the latest first, with what each came to."""
    rows = await attempts_page(conn, order, before=after, limit=limit)
    if not rows and await channel_of(conn, order) is None:
        raise OrderUnknown(f"there is no order {order}")
    end = rows[-1].number if len(rows) == limit else None
    return Page(items=rows, next=after_path(f"/v1/orders/{order}/routing-attempts", end, limit))


@router.get("/{order}/routing-attempts/{number}", responses=problems(OrderUnknown, RoutingAttemptUnknown, InvalidInput))
async def routing_attempt(
    conn: Reading,
    order: str,
    number: Annotated[int, Path(ge=1, le=MAX_NUMBER, description="Of the attempt within the order.")],
) -> RoutingAttemptTold:
    """Tell why a routing attempt came to what it came to: routes, objectives, each location's fate, what is proven."""
    found = await attempt_told(conn, order, number)
    if found is None and await channel_of(conn, order) is None:
        raise OrderUnknown(f"there is no order {order}")
    if found is None:
        raise RoutingAttemptUnknown(f"order {order} has no routing attempt {number}", order=order, number=number)
    return found

"""Orders: place one, read it, list them, follow their journal."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import MAX_NUMBER, Given, IdempotencyKey, Limit, Reading
from api.errors import (
    ChannelUnknown,
    CurrencyMismatch,
    OrderUnknown,
    PriceMismatch,
    SkuUnknown,
)
from api.examples import PLACE_IN_PARTS, PLACE_ORDER
from api.intaking import answer_placement
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.paging import after_path
from api.placement import check_placement
from api.routes import StrictRoute
from api.schemas import OrderPlaced, Page
from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Instant
from orderloom.domain.placing import PlaceOrder, TooManyLines
from orderloom.persistence.intake import OrderExists
from orderloom.readmodels.journal import JournalEntry, journal_page
from orderloom.readmodels.order_list import OrderFilter, OrderSummary, orders_page
from orderloom.readmodels.order_view import OrderView, order_view
from orderloom.readmodels.orders import channel_of

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=StrictRoute)

_PLACING_PROBLEMS = (ChannelUnknown, SkuUnknown, PriceMismatch, CurrencyMismatch, TooManyLines, OrderExists)


@router.post(
    "",
    status_code=201,
    response_model=OrderPlaced,
    responses={**pending(), **problems(*_PLACING_PROBLEMS, *COMMAND_PROBLEMS, *BODY_PROBLEMS)},
    openapi_extra=body_examples(PLACE_ORDER, in_parts=PLACE_IN_PARTS),
)
async def place_order(given: Given, request: Request, order: PlaceOrder, key: IdempotencyKey) -> Response:
    """Place an order. Refused, it leaves nothing behind; accepted, it is never lost."""
    channel = await check_placement(given.engine, order)
    return await answer_placement(given, request, order, channel, key)


@router.get("", responses=problems(InvalidInput))
async def orders(
    conn: Reading,
    *,
    channel: Annotated[str | None, Query(description="Only orders of this channel.")] = None,
    external_id: Annotated[str | None, Query(description="Only the order with the channel's own number.")] = None,
    release: Annotated[str | None, Query(description="Only orders on the release with this hash.")] = None,
    since: Annotated[Instant | None, Query(description="Only orders placed then or later.")] = None,
    open: Annotated[bool, Query(description="Only orders that are not closed.")] = False,
    after: Annotated[str | None, Query(description="Id of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[OrderSummary]:
    """List orders, the newest first."""
    wanted = OrderFilter(channel=channel, external_id=external_id, release=release, since=since, open=open)
    rows = await orders_page(conn, wanted, after=after, limit=limit)
    end = rows[-1].id if len(rows) == limit else None
    filters = wanted.model_dump(mode="json", exclude_defaults=True)
    return Page(items=rows, next=after_path("/v1/orders", end, limit, **filters))


@router.get("/{order}", responses=problems(OrderUnknown, InvalidInput))
async def order(conn: Reading, order: str) -> OrderView:
    """Read an order: items and quantities, totals, fulfillment, money, and what can be done with it now."""
    found = await order_view(conn, order)
    if found is None:
        raise OrderUnknown(f"there is no order {order}")
    return found


@router.get("/{order}/journal", responses=problems(OrderUnknown, InvalidInput))
async def journal(
    conn: Reading,
    order: str,
    after: Annotated[int, Query(ge=0, le=MAX_NUMBER, description="Number of the last entry seen.")] = 0,
    limit: Limit = 50,
) -> Page[JournalEntry]:
    """Read what happened to an order, in sequence."""
    entries = await journal_page(conn, order, after=after, limit=limit)
    if not entries and await channel_of(conn, order) is None:
        raise OrderUnknown(f"there is no order {order}")
    end = entries[-1].seq if len(entries) == limit else None
    return Page(items=entries, next=after_path(f"/v1/orders/{order}/journal", end, limit))

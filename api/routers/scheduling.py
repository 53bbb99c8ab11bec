"""Routing schedules: when routing is tried, was tried, or was given up; of one order, and of all."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from api.dependencies import MAX_NUMBER, Given, IdempotencyKey, Limit, Reading
from api.errors import OrderUnknown
from api.examples import RESCHEDULE
from api.intaking import answer_order_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.paging import after_path
from api.routes import PlainRoute, StrictRoute
from api.schemas import Accepted, Page
from orderloom.domain.errors import InvalidInput, NotFound
from orderloom.domain.model import Frozen, Instant
from orderloom.domain.scheduling import AbandonSchedule, RescheduleRouting, RoutingNotAwaited, RoutingScheduleFrozen
from orderloom.readmodels.order_documents import RoutingScheduleView, routing_schedules_of
from orderloom.readmodels.orders import channel_of
from orderloom.readmodels.schedules import OrderedSchedule, ScheduleFilter, schedules_page

router = APIRouter(prefix="/v1/orders/{order}/routing-schedules", tags=["changes"], route_class=StrictRoute)
all_schedules = APIRouter(prefix="/v1/routing-schedules", tags=["changes"], route_class=PlainRoute)

Number = Annotated[int, Path(ge=1, le=MAX_NUMBER, description="The schedule's number within the order.")]

_SCHEDULE_PROBLEMS = (OrderUnknown, NotFound, RoutingScheduleFrozen, *COMMAND_PROBLEMS, *BODY_PROBLEMS)


class ScheduleQuery(ScheduleFilter):
    """Which routing schedules are listed, and from where on."""

    after: Annotated[
        str | None,
        Query(description="Order and number of the last one seen, with a colon between.", pattern=r"^.+:\d{1,9}$"),
    ] = None
    limit: Limit = 50


class Reschedule(Frozen):
    """Another date for a planned routing attempt."""

    scheduled_at: Annotated[Instant, Field(description="When it is tried; a date in the past is now.")]


@router.get("", responses=problems(OrderUnknown))
async def routing_schedules(conn: Reading, order: str) -> Page[RoutingScheduleView]:
    """List the routing attempts of an order that are planned, were made or were given up, by number."""
    if await channel_of(conn, order) is None:
        raise OrderUnknown(f"there is no order {order}")
    return Page(items=await routing_schedules_of(conn, order))


@all_schedules.get("", responses=problems(InvalidInput))
async def schedules(conn: Reading, query: Annotated[ScheduleQuery, Query()]) -> Page[OrderedSchedule]:
    """List the routing attempts of all orders that are planned, or that came to another status, by date."""
    order, _, number = (query.after or "").rpartition(":")
    mark = (order, int(number)) if query.after else None
    rows = await schedules_page(conn, query, after=mark, limit=query.limit)
    last = f"{rows[-1].order}:{rows[-1].number}" if len(rows) == query.limit else None
    filters = query.model_dump(mode="json", exclude_defaults=True, exclude={"after", "limit"})
    return Page(items=rows, next=after_path("/v1/routing-schedules", last, query.limit, **filters))


@router.post(
    "/{number}",
    response_model=Accepted,
    responses={
        **pending(),
        **problems(*_SCHEDULE_PROBLEMS),
    },
    openapi_extra=body_examples(RESCHEDULE),
)
async def reschedule(  # noqa: PLR0917  # what a command consists of
    given: Given,
    request: Request,
    order: str,
    number: Number,
    change: Reschedule,
    key: IdempotencyKey,
) -> Response:
    """Give a planned routing attempt another date. One that is over keeps its date, and the command is refused."""
    body = RescheduleRouting(schedule=number, scheduled_at=change.scheduled_at)
    return await answer_order_command(given, request, order, key=key, type="routing.reschedule.requested", body=body)


@router.post(
    "/{number}/abandon",
    response_model=Accepted,
    responses={**pending(), **problems(RoutingNotAwaited, *_SCHEDULE_PROBLEMS)},
)
async def abandon(given: Given, request: Request, order: str, number: Number, key: IdempotencyKey) -> Response:
    """Give a planned routing attempt up; the order waits until routing is asked for. What is over stays as it ended."""
    body = AbandonSchedule(schedule=number)
    return await answer_order_command(given, request, order, key=key, type="routing.abandon.requested", body=body)

"""Routing schedules of an order: when routing is tried, was tried, or was given up."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import AwareDatetime, Field

from api.bodies import StrictRoute
from api.dependencies import Given, IdempotencyKey, Reading
from api.errors import OrderUnknown
from api.examples import RESCHEDULE
from api.intaking import Command, answer_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.schemas import Accepted, Page
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen
from orderloom.domain.scheduling import RescheduleRouting, RoutingScheduleFrozen
from orderloom.readmodels.order_documents import RoutingScheduleView, routing_schedules_of
from orderloom.readmodels.orders import channel_of
from orderloom.readmodels.snapshot import snapshot

router = APIRouter(prefix="/v1/orders/{order}/routing-schedules", tags=["changes"], route_class=StrictRoute)


class Reschedule(Frozen):
    """Another date for a planned routing attempt."""

    scheduled_at: Annotated[AwareDatetime, Field(description="When it is tried; a date in the past is now.")]


@router.get("", responses=problems(OrderUnknown))
async def routing_schedules(conn: Reading, order: str) -> Page[RoutingScheduleView]:
    """List the routing attempts of an order that are planned, were made or were given up, by number."""
    if await channel_of(conn, order) is None:
        raise OrderUnknown(f"there is no order {order}")
    return Page(items=await routing_schedules_of(conn, order))


@router.post(
    "/{number}",
    response_model=Accepted,
    responses={
        **pending(),
        **problems(OrderUnknown, NotFound, RoutingScheduleFrozen, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    },
    openapi_extra=body_examples(RESCHEDULE),
)
async def reschedule(  # noqa: PLR0917  # what a command consists of
    given: Given,
    request: Request,
    order: str,
    number: Annotated[int, Path(ge=1, description="The schedule's number within the order.")],
    change: Reschedule,
    key: IdempotencyKey,
) -> Response:
    """Give a planned routing attempt another date. One that is over keeps its date, and the command is refused."""
    async with snapshot(given.engine) as conn:
        channel = await channel_of(conn, order)
    if channel is None:
        raise OrderUnknown(f"there is no order {order}")
    body = RescheduleRouting(schedule=number, scheduled_at=change.scheduled_at).model_dump(mode="json")
    command = Command(type="routing.reschedule.requested", order_id=order, source=channel, key=key, body=body)
    return await answer_command(given, request, command)

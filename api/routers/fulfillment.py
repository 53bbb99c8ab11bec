"""Locations: what they have to ship, and what they say about it."""

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Query

from api.dependencies import Given, Limit
from api.errors import FulfillmentOrderUnknown
from api.examples import SHIPPED
from api.intaking import take_event
from api.openapi import BODY_PROBLEMS, body_examples, problems
from api.paging import after_path
from api.routes import StrictRoute
from api.schemas import EventTaken, Page
from orderloom.domain.errors import InvalidInput
from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.placing import FulfillmentReport
from orderloom.persistence.intake import IntakeDuplicate
from orderloom.persistence.reports import Report
from orderloom.readmodels.fulfillment import FulfillmentOrderView, fulfillment_order_by_id, fulfillment_orders_page

router = APIRouter(prefix="/v1/fulfillment-orders", tags=["fulfillment"], route_class=StrictRoute)


@router.get("", responses=problems(InvalidInput))
async def fulfillment_orders(
    given: Given,
    location: Annotated[str, Query(description="The location that ships.")],
    status: Annotated[list[FulfillmentStatus] | None, Query(description="Only these statuses.")] = None,
    after: Annotated[str | None, Query(description="Id of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[FulfillmentOrderView]:
    """List what a location has to do: without `status`, everything that is not finished."""
    wanted = status or [FulfillmentStatus.ALLOCATED, FulfillmentStatus.ACCEPTED, FulfillmentStatus.PICKED]
    rows = await fulfillment_orders_page(given.engine, location=location, statuses=wanted, after=after, limit=limit)
    end = rows[-1].id if len(rows) == limit else None
    return Page(items=rows, next=after_path("/v1/fulfillment-orders", end, limit, location=location, status=status))


@router.get("/{fulfillment_order}", responses=problems(FulfillmentOrderUnknown, InvalidInput))
async def fulfillment_order(given: Given, fulfillment_order: str) -> FulfillmentOrderView:
    """Read one fulfillment order."""
    found = await fulfillment_order_by_id(given.engine, fulfillment_order)
    if found is None:
        raise _unknown(fulfillment_order)
    return found


@router.post(
    "/{fulfillment_order}/events",
    status_code=202,
    responses=problems(FulfillmentOrderUnknown, IntakeDuplicate, *BODY_PROBLEMS),
    openapi_extra=body_examples(SHIPPED),
)
async def report(given: Given, later: BackgroundTasks, fulfillment_order: str, report: FulfillmentReport) -> EventTaken:
    """Tell what the location did. `id` is the location's own: the same id again gets the same answer."""
    event = Report(
        type=f"fulfillment.{report.type}",
        about="fulfillment_order",
        id=fulfillment_order,
        external_id=report.id,
        body={"fulfillment_order": fulfillment_order, **report.model_dump(mode="json")},
        received_at=given.clock.now(),
    )
    taken = await take_event(given, later, event)
    if taken is None:
        raise _unknown(fulfillment_order)
    return taken


def _unknown(fulfillment_order: str) -> FulfillmentOrderUnknown:
    return FulfillmentOrderUnknown(f"there is no fulfillment order {fulfillment_order}")

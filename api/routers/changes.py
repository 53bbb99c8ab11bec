"""Changes of an order: cancel, return, route again. Previews write nothing."""

from fastapi import APIRouter, Request, Response

from api.dependencies import Given, IdempotencyKey, Reading
from api.errors import OrderUnknown
from api.examples import CANCEL, RETURN
from api.intaking import answer_order_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.routes import StrictRoute
from api.schemas import Accepted, RouteOrder
from orderloom.domain.changes import ChangeRefused, QuantityUnavailable
from orderloom.domain.placing import CancelItems, ReturnItems
from orderloom.readmodels.changes import ChangePreview, preview_cancel, preview_return

router = APIRouter(prefix="/v1/orders/{order}", tags=["changes"], route_class=StrictRoute)

_CHANGE_PROBLEMS = (OrderUnknown, QuantityUnavailable, ChangeRefused)
_COMMAND_RESPONSES = {**pending(), **problems(*_CHANGE_PROBLEMS, *COMMAND_PROBLEMS, *BODY_PROBLEMS)}


@router.post(
    "/cancel-items", response_model=Accepted, responses=_COMMAND_RESPONSES, openapi_extra=body_examples(CANCEL)
)
async def cancel_items(given: Given, request: Request, order: str, items: CancelItems, key: IdempotencyKey) -> Response:
    """Cancel items, or as many units of them as can still be stopped."""
    return await answer_order_command(given, request, order, key=key, type="order.cancel.requested", body=items)


@router.post(
    "/cancel-items/preview",
    responses=problems(*_CHANGE_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(CANCEL),
)
async def preview_cancellation(conn: Reading, order: str, items: CancelItems) -> ChangePreview:
    """Say what cancelling would change, to the cent, and change nothing."""
    found = await preview_cancel(conn, order, items)
    if found is None:
        raise _unknown(order)
    return found


@router.post(
    "/return-items", response_model=Accepted, responses=_COMMAND_RESPONSES, openapi_extra=body_examples(RETURN)
)
async def return_items(given: Given, request: Request, order: str, items: ReturnItems, key: IdempotencyKey) -> Response:
    """Return shipped items: they are credited and refunded."""
    return await answer_order_command(given, request, order, key=key, type="order.return.requested", body=items)


@router.post(
    "/return-items/preview",
    responses=problems(*_CHANGE_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(RETURN),
)
async def preview_return_of_items(conn: Reading, order: str, items: ReturnItems) -> ChangePreview:
    """Say what returning would change, to the cent, and change nothing."""
    found = await preview_return(conn, order, items)
    if found is None:
        raise _unknown(order)
    return found


@router.post("/route", response_model=Accepted, responses=_COMMAND_RESPONSES)
async def route(
    given: Given, request: Request, order: str, key: IdempotencyKey, nothing: RouteOrder | None = None
) -> Response:
    """Look for a route now for what is open, without waiting for the next planned attempt."""
    return await answer_order_command(
        given, request, order, key=key, type="order.routing.requested", body=nothing or RouteOrder()
    )


def _unknown(order: str) -> OrderUnknown:
    return OrderUnknown(f"there is no order {order}")

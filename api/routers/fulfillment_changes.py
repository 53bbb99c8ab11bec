"""What people and locations want done with a fulfillment order. Each is done whole or refused."""

from fastapi import APIRouter, Request, Response

from api.dependencies import Given, IdempotencyKey
from api.errors import FulfillmentOrderUnknown
from api.examples import CANCEL_LINES, HOLD, MERGE, MOVE, SPLIT
from api.intaking import Command, answer_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.routes import StrictRoute
from api.schemas import Accepted
from orderloom.domain.capacity import CapacityTaken
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment_changes import (
    CancelLines,
    FulfillmentAction,
    FulfillmentRefused,
    Hold,
    LocationUnsuitable,
    Merge,
    Move,
    Release,
    Split,
    request_type,
)
from orderloom.domain.inventory import StockMoved
from orderloom.domain.model import Frozen
from orderloom.domain.units import UnitsUnavailable
from orderloom.readmodels.fulfillment import order_of_fulfillment_order

router = APIRouter(prefix="/v1/fulfillment-orders/{fulfillment_order}", tags=["fulfillment"], route_class=StrictRoute)

_ALWAYS = (FulfillmentOrderUnknown, FulfillmentRefused, *COMMAND_PROBLEMS, *BODY_PROBLEMS)


@router.post(
    "/hold",
    response_model=Accepted,
    responses={**pending(), **problems(*_ALWAYS)},
    openapi_extra=body_examples(HOLD),
)
async def hold(given: Given, request: Request, fulfillment_order: str, hold: Hold, key: IdempotencyKey) -> Response:
    """Keep the location from working on it. What it ships all the same is recorded, and a person is told."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.HOLD, hold, key=key)


@router.post("/release", response_model=Accepted, responses={**pending(), **problems(*_ALWAYS)})
async def release(
    given: Given, request: Request, fulfillment_order: str, key: IdempotencyKey, nothing: Release | None = None
) -> Response:
    """Let the location work on it again."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.RELEASE, nothing or Release(), key=key)


@router.post(
    "/move",
    response_model=Accepted,
    responses={**pending(), **problems(*_ALWAYS, StockMoved, CapacityTaken, LocationUnsuitable)},
    openapi_extra=body_examples(MOVE),
)
async def move(given: Given, request: Request, fulfillment_order: str, move: Move, key: IdempotencyKey) -> Response:
    """Give everything to another location: this one ends, and its `successor` has the units there."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.MOVE, move, key=key)


@router.post(
    "/split",
    response_model=Accepted,
    responses={**pending(), **problems(*_ALWAYS, UnitsUnavailable, CapacityTaken)},
    openapi_extra=body_examples(SPLIT),
)
async def split(given: Given, request: Request, fulfillment_order: str, split: Split, key: IdempotencyKey) -> Response:
    """Take units out into a fulfillment order of their own at the same location; charges stay."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.SPLIT, split, key=key)


@router.post(
    "/merge",
    response_model=Accepted,
    responses={**pending(), **problems(*_ALWAYS, NotFound)},
    openapi_extra=body_examples(MERGE),
)
async def merge(given: Given, request: Request, fulfillment_order: str, merge: Merge, key: IdempotencyKey) -> Response:
    """Take in all of another fulfillment order of the same order, location and delivery group; that one ends."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.MERGE, merge, key=key)


@router.post(
    "/cancel-lines",
    response_model=Accepted,
    responses={**pending(), **problems(*_ALWAYS, UnitsUnavailable)},
    openapi_extra=body_examples(CANCEL_LINES),
)
async def cancel_lines(
    given: Given, request: Request, fulfillment_order: str, lines: CancelLines, key: IdempotencyKey
) -> Response:
    """Take units out: they are open in the order again and can be cancelled there. The order's amounts stay."""
    return await _command(given, request, fulfillment_order, FulfillmentAction.CANCEL_LINES, lines, key=key)


async def _command(
    given: Given, request: Request, fulfillment_order: str, action: FulfillmentAction, body: Frozen, *, key: str
) -> Response:
    order = await order_of_fulfillment_order(given.engine, fulfillment_order)
    if order is None:
        raise FulfillmentOrderUnknown(f"there is no fulfillment order {fulfillment_order}")
    command = Command(
        type=request_type(action),
        order_id=order,
        source="operators",
        key=key,
        body={"fulfillment_order": fulfillment_order, **body.model_dump(mode="json")},
    )
    return await answer_command(given, request, command)

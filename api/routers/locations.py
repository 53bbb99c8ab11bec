"""The work of locations: how full their days are, and what they turned down lately."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import Given, IdempotencyKey, Reading
from api.errors import LocationUnknown
from api.examples import RESET_REJECTIONS
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, problems
from api.routes import StrictRoute
from api.schemas import RejectionsReset
from orderloom.domain.errors import InvalidInput
from orderloom.domain.locations import LocationTraits
from orderloom.domain.rejections import ResetRejections
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.inventory.rejections import reset_rejections
from orderloom.persistence.single import single
from orderloom.readmodels.places import CapacityView, RejectionsView, capacity_of, rejections_of, traits_of

router = APIRouter(prefix="/v1/locations/{location}", tags=["locations"], route_class=StrictRoute)

_HALF_LIFE = RoutingPolicy().rejections_half_life


@router.get("/capacity", responses=problems(LocationUnknown, InvalidInput))
async def capacity(
    given: Given,
    conn: Reading,
    location: str,
    days: Annotated[int, Query(ge=1, le=100, description="How many days from today on.")] = 7,
) -> CapacityView:
    """Tell how many fulfillment orders the location takes each day, and how many of them it has."""
    traits = _known(location, await traits_of(conn, location))
    return await capacity_of(conn, location, traits, given.clock.now(), days)


@router.get("/rejections", responses=problems(LocationUnknown, InvalidInput))
async def rejections(
    given: Given,
    conn: Reading,
    location: str,
    half_life: Annotated[float, Query(ge=60, description="Seconds after which one counts half, as in a policy.")] = (
        _HALF_LIFE
    ),
) -> RejectionsView:
    """Tell what the location turned down by SKU, and how much of it still counts."""
    _known(location, await traits_of(conn, location))
    return await rejections_of(conn, location, given.clock.now(), half_life)


@router.post(
    "/rejections/reset",
    response_model=RejectionsReset,
    responses=problems(LocationUnknown, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(RESET_REJECTIONS),
)
async def reset(given: Given, location: str, wanted: ResetRejections, key: IdempotencyKey) -> Response:
    """Let what the location turned down until now count no more, of one SKU or of all."""
    async with single(given.engine) as conn:
        _known(location, await traits_of(conn, location))
    answered = await reset_rejections(given.engine, key, location, wanted, given.clock.now())
    body = RejectionsReset.model_validate(answered.body).model_dump_json()
    replayed = {"Idempotent-Replayed": "true"} if answered.replayed else {}
    return Response(body, 200, replayed, "application/json")


def _known(location: str, traits: LocationTraits | None) -> LocationTraits:
    if traits is None:
        raise LocationUnknown(f"there is no location {location}", location=location)
    return traits

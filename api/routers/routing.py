"""Routing of an order, looked at beforehand."""

from fastapi import APIRouter

from api.dependencies import Given, Reading
from api.errors import OrderUnknown
from api.examples import PREVIEW_ROUTING
from api.openapi import BODY_PROBLEMS, body_examples, problems
from api.routes import StrictRoute
from api.routing_previews import PreviewRouting, RoutingPreview, preview_routing
from flows_dsl.policies import ConditionFailed
from orderloom.domain.errors import InvalidInput, NotFound
from orderloom.domain.order import OrderMoved
from orderloom.persistence.policies import PolicyUnknown
from orderloom.readmodels.situation import looker_of

router = APIRouter(prefix="/v1/orders/{order}", tags=["routing"], route_class=StrictRoute)


@router.post(
    "/routing-preview",
    responses=problems(
        OrderUnknown, OrderMoved, PolicyUnknown, ConditionFailed, NotFound, InvalidInput, *BODY_PROBLEMS
    ),
    openapi_extra=body_examples(PREVIEW_ROUTING),
)
async def preview(given: Given, conn: Reading, order: str, wanted: PreviewRouting) -> RoutingPreview:
    """Say how the order would be routed now, with another policy, other stock or fewer locations; change nothing."""
    looker = await looker_of(conn, order, given.clock.now())
    if looker is None:
        raise OrderUnknown(f"there is no order {order}")
    return await preview_routing(conn, looker, wanted)

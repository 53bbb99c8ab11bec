"""The release that an order is on: what moving it to another one would come to, and doing it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import Given, IdempotencyKey
from api.errors import OrderUnknown
from api.examples import MOVE_RELEASE
from api.intaking import Command, answer_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.routes import StrictRoute
from api.schemas import Accepted
from flows_dsl.moving import MoveRefused, move, moved_task
from flows_dsl.release import unpack
from orderloom.contracts.moving import RELEASE_REQUESTED, ChangeRelease, MovePreview
from orderloom.domain.errors import NotFound
from orderloom.persistence.releases import ReleaseAmbiguous
from orderloom.readmodels.moving import order_release, release_flows
from orderloom.readmodels.releases import full_hash
from orderloom.readmodels.snapshot import snapshot

router = APIRouter(prefix="/v1/orders/{order}/release", tags=["changes"], route_class=StrictRoute)

_PROBLEMS = (OrderUnknown, NotFound, ReleaseAmbiguous)


@router.get("", responses=problems(*_PROBLEMS))
async def preview_move(
    given: Given, order: str, to: Annotated[str, Query(description="A release's hash, or its beginning.")]
) -> MovePreview:
    """Say what moving the order to another release would come to, and change nothing."""
    whereabouts = await given.whereabouts(order)
    async with snapshot(given.engine) as conn:
        now, target = await order_release(conn, order), await full_hash(conn, to)
        if now is None:
            raise OrderUnknown(f"there is no order {order}")
        flows = await release_flows(conn, target, [one.flow for one in whereabouts])
    known = {hash: unpack(body) for hash, body in flows.bodies.items()}
    instances = [moved_task(one, known, flows.flows) for one in whereabouts]
    if now == target:
        return MovePreview(order=order, outcome="unchanged", release=now, instances=instances)
    try:
        move(whereabouts, known, flows.flows)
    except MoveRefused as error:
        return MovePreview(order=order, outcome="refused", release=now, instances=instances, reason=error.detail)
    return MovePreview(order=order, outcome="moves", release=now, instances=instances)


@router.post(
    "",
    response_model=Accepted,
    responses={**pending(), **problems(*_PROBLEMS, MoveRefused, *COMMAND_PROBLEMS, *BODY_PROBLEMS)},
    openapi_extra=body_examples(MOVE_RELEASE),
)
async def move_order(
    given: Given, request: Request, order: str, change: ChangeRelease, key: IdempotencyKey
) -> Response:
    """Put the order on another release, with all its instances, or refuse it and change nothing."""
    async with snapshot(given.engine) as conn:
        now, target = await order_release(conn, order), await full_hash(conn, change.release)
    if now is None:
        raise OrderUnknown(f"there is no order {order}")
    command = Command(type=RELEASE_REQUESTED, order_id=order, source="operators", key=key, body={"release": target})
    return await answer_command(given, request, command)

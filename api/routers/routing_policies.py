"""Routing policies: what is published and where it is in force, publishing, and putting one in force."""

import asyncio
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from api.dependencies import Given, IdempotencyKey, Limit, Reading
from api.examples import ACTIVATE_POLICY, PUBLISH_POLICY, PUBLISH_POLICY_TEXT
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, problems
from api.paging import after_path
from api.publishing_policies import PublishPolicy, policy_in
from api.routes import StrictRoute
from api.schemas import Page
from flows_dsl.policies import PolicyRefused
from orderloom.domain.errors import InvalidInput
from orderloom.inventory.routing_policies import ActivatePolicy, PolicyActivated, PolicyKept, activate, publish
from orderloom.persistence.policies import PolicyPublished, PolicyUnknown
from orderloom.readmodels.routing_policies import PolicyView, PublishedPolicy, policies_page, policy_view

_PATH = "/v1/routing-policies"
router = APIRouter(prefix=_PATH, tags=["routing policies"], route_class=StrictRoute)


@router.get("", responses=problems(InvalidInput))
async def policies(
    conn: Reading,
    name: Annotated[str | None, Query(description="Only versions of this one.")] = None,
    after: Annotated[
        str | None,
        Query(description="`name:version` of the last one seen.", pattern=r"^[^:]+:[0-9]{1,9}(\.[0-9]{1,9}){2}$"),
    ] = None,
    limit: Limit = 50,
) -> Page[PublishedPolicy]:
    """List routing policies by name, the highest version first, the built-in one too, and where each is in force."""
    mark = None
    if after is not None:
        seen, _, version = after.partition(":")
        mark = seen, version
    found = await policies_page(conn, name=name, after=mark, limit=limit + 1)
    items = found[:limit]
    last = f"{items[-1].name}:{items[-1].version}" if len(found) > limit else None
    return Page(items=items, next=after_path(_PATH, last, limit, name=name))


@router.get("/{policy:path}", responses=problems(PolicyUnknown, InvalidInput))
async def policy(conn: Reading, policy: str) -> PolicyView:
    """Read a routing policy, `name` (its highest version) or `name:version`, as it was written and what it means."""
    return await policy_view(conn, policy)


@router.post(
    "",
    status_code=201,
    response_model=PolicyKept,
    responses={
        200: {"model": PolicyKept, "description": "It was published before, and says the same."},
        **problems(PolicyRefused, PolicyPublished, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    },
    openapi_extra=body_examples(PUBLISH_POLICY, as_a_file=PUBLISH_POLICY_TEXT),
)
async def publish_one(given: Given, wanted: PublishPolicy, key: IdempotencyKey) -> Response:
    """Publish a routing policy: what it says under this version never changes. It routes nothing until activated."""
    policy = await asyncio.to_thread(policy_in, wanted)
    answered = await publish(given.engine, key, policy, wanted.written, given.clock.now())
    kept = PolicyKept.model_validate(answered.body)
    headers = {"Location": f"{_PATH}/{quote(f'{kept.name}:{kept.version}', safe=':/')}"}
    return _response(kept, 201 if kept.new else 200, headers, replayed=answered.replayed)


@router.post(
    "/{policy:path}/activate",
    response_model=PolicyActivated,
    responses=problems(PolicyUnknown, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(ACTIVATE_POLICY),
)
async def activate_one(given: Given, policy: str, wanted: ActivatePolicy, key: IdempotencyKey) -> Response:
    """Put a policy in force for the next orders of a channel, or one of before again, or `default`, the built-in."""
    answered = await activate(given.engine, key, policy, wanted, given.clock.now())
    return _response(PolicyActivated.model_validate(answered.body), 200, {}, replayed=answered.replayed)


def _response(body: PolicyKept | PolicyActivated, status: int, headers: dict[str, str], *, replayed: bool) -> Response:
    again = {"Idempotent-Replayed": "true"} if replayed else {}
    return Response(body.model_dump_json(), status, {**headers, **again}, "application/json")

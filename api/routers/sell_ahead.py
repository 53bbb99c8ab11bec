"""What may be sold ahead by SKU and channel: what is in force, changes of it, and what became of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import MAX_NUMBER, Given, IdempotencyKey, Limit, Reading
from api.examples import REMOVE_SELL_AHEAD, SET_SELL_AHEAD
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, problems
from api.paging import after_path
from api.routes import StrictRoute
from api.schemas import Page
from orderloom.domain.errors import InvalidInput
from orderloom.domain.sell_ahead import SellAheadPolicy
from orderloom.inventory.selling_ahead import (
    RemoveSellAhead,
    SellAheadChanged,
    SellAheadUnknown,
    SetSellAhead,
    remove_sell_ahead,
    set_sell_ahead,
)
from orderloom.persistence.requests import Answered
from orderloom.persistence.sell_ahead_policies import SellAheadChange
from orderloom.readmodels.selling_ahead import changes_page, policies_page

_PATH = "/v1/sell-ahead"
router = APIRouter(prefix=_PATH, tags=["selling ahead"], route_class=StrictRoute)

Channel = Annotated[str | None, Query(description="Only what names this channel.")]
Sku = Annotated[str | None, Query(description="Only what names this SKU.")]


@router.get("", responses=problems(InvalidInput))
async def policies(
    conn: Reading,
    channel: Channel = None,
    sku: Sku = None,
    after: Annotated[
        str | None, Query(description="Channel and SKU of the last one seen, with a space; a default lacks one.")
    ] = None,
    limit: Limit = 50,
) -> Page[SellAheadPolicy]:
    """List what may be sold ahead, by channel and SKU; one that names only one of them is the default of the other."""
    of_channel, _, last = (after or "").partition(" ")
    mark = (of_channel, last) if after else None
    found = await policies_page(conn, channel=channel, sku=sku, after=mark, limit=limit)
    end = f"{found[-1].channel or ''} {found[-1].sku or ''}" if len(found) == limit else None
    return Page(items=found, next=after_path(_PATH, end, limit, channel=channel, sku=sku))


@router.get("/changes", responses=problems(InvalidInput))
async def changes(
    conn: Reading,
    channel: Channel = None,
    sku: Sku = None,
    after: Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="Number of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[SellAheadChange]:
    """List who changed what may be sold ahead, why, and what it was before; the latest change first."""
    found = await changes_page(conn, channel=channel, sku=sku, before=after, limit=limit)
    end = found[-1].number if len(found) == limit else None
    return Page(items=found, next=after_path(f"{_PATH}/changes", end, limit, channel=channel, sku=sku))


@router.post(
    "/set",
    response_model=SellAheadChanged,
    responses=problems(*COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(SET_SELL_AHEAD),
)
async def set_policies(given: Given, wanted: SetSellAhead, key: IdempotencyKey) -> Response:
    """Say what may be sold ahead from now on: all of the policies or none; each replaces the one that was there."""
    return _response(await set_sell_ahead(given.engine, key, wanted, given.clock.now()))


@router.post(
    "/remove",
    response_model=SellAheadChanged,
    responses=problems(SellAheadUnknown, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(REMOVE_SELL_AHEAD),
)
async def remove_policies(given: Given, wanted: RemoveSellAhead, key: IdempotencyKey) -> Response:
    """Take policies out of force, all or none: the default of the SKU or channel counts, or the channel's word."""
    return _response(await remove_sell_ahead(given.engine, key, wanted, given.clock.now()))


def _response(answered: Answered) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answered.replayed else {}
    body = SellAheadChanged.model_validate(answered.body).model_dump_json()
    return Response(body, 200, headers, "application/json")

"""Changes of stock that belong to no order: adjustments, counts, safety stock, receipts and feeds."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from api.dependencies import Given, IdempotencyKey
from api.examples import ADJUST, COUNT, EXPECT, KEEP_BACK, RECEIVED
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, problems
from api.routes import PlainRoute, StrictRoute
from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Frozen
from orderloom.inventory import changing
from orderloom.inventory.changing import (
    Adjustments,
    ExpectedReceipts,
    ReceiptArrived,
    ReceiptUnknown,
    SafetyStocks,
    StockAnswer,
    StockCounts,
)
from orderloom.inventory.feed_lines import BadRow, FeedOptions, FeedUnreadable, Format, lines_of
from orderloom.inventory.feed_previews import FeedPreview, preview_feed
from orderloom.inventory.feed_progress import FeedBusy, FeedChanged, FeedProgress
from orderloom.inventory.feeds import load_feed
from orderloom.inventory.whole_feeds import FeedZeroesTooMuch
from orderloom.persistence.requests import Answered

router = APIRouter(prefix="/v1/stock", tags=["stock changes"], route_class=StrictRoute)
feeds = APIRouter(prefix="/v1/stock", tags=["stock changes"], route_class=PlainRoute)
"""Beside the strict routes: a feed is read as a stream, not as one body."""

_PROBLEMS = problems(*COMMAND_PROBLEMS, *BODY_PROBLEMS)
SHOWN = 1000
"""Lines that were not merged which an answer names."""


_FEED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {kind: {"schema": {"type": "string"}} for kind in ("text/csv", "application/x-ndjson")},
    }
}

FeedMode = Annotated[Literal["full", "delta"], Query(description="Quantities are what is on hand, or changes.")]
Location = Annotated[str | None, Query(description="Of rows that name none.")]
ZeroAtMost = Annotated[
    float,
    Query(ge=0, le=1, description="The share of a location's stocked shelves that a full feed may set to zero."),
]


class FeedAnswer(Frozen):
    """What a feed came to."""

    feed: FeedProgress
    refused: tuple[BadRow, ...]
    """The first thousand lines that were not merged, with the reason."""


@router.post("/adjustments", response_model=StockAnswer, responses=_PROBLEMS, openapi_extra=body_examples(ADJUST))
async def adjust(given: Given, wanted: Adjustments, key: IdempotencyKey) -> Response:
    """Change what is on hand by a difference, with the reason; each record has its own result."""
    return _response(await changing.adjust(given.engine, key, wanted, given.clock.now()))


@router.post("/counts", response_model=StockAnswer, responses=_PROBLEMS, openapi_extra=body_examples(COUNT))
async def count(given: Given, wanted: StockCounts, key: IdempotencyKey) -> Response:
    """Set what is on hand to what was counted; what moved after the count is kept, and so is a later count."""
    return _response(await changing.count(given.engine, key, wanted, given.clock.now()))


@router.post("/safety-stock", response_model=StockAnswer, responses=_PROBLEMS, openapi_extra=body_examples(KEEP_BACK))
async def keep_back(given: Given, wanted: SafetyStocks, key: IdempotencyKey) -> Response:
    """Set how many units are kept back at locations; what is reserved stays reserved, orders get what becomes free."""
    return _response(await changing.keep_back(given.engine, key, wanted, given.clock.now()))


@router.post("/receipts", response_model=StockAnswer, responses=_PROBLEMS, openapi_extra=body_examples(EXPECT))
async def expect(given: Given, wanted: ExpectedReceipts, key: IdempotencyKey) -> Response:
    """Say what is on its way and when; the same receipt again replaces what was said of it."""
    return _response(await changing.expect(given.engine, key, wanted, given.clock.now()))


@router.post(
    "/receipts/{receipt:path}/received",
    response_model=StockAnswer,
    responses=problems(ReceiptUnknown, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(RECEIVED),
)
async def receive(given: Given, receipt: str, arrived: ReceiptArrived, key: IdempotencyKey) -> Response:
    """Say that what was expected has arrived: it is on hand, and expected no longer."""
    return _response(await changing.receive(given.engine, key, receipt, arrived, given.clock.now()))


@feeds.post(
    "/feeds",
    responses=problems(FeedUnreadable, FeedChanged, FeedBusy, FeedZeroesTooMuch, InvalidInput, *COMMAND_PROBLEMS),
    openapi_extra=_FEED,
)
async def feed(
    given: Given,
    request: Request,
    key: IdempotencyKey,
    *,
    mode: FeedMode,
    location: Location = None,
    zero_at_most: ZeroAtMost = 0.2,
) -> FeedAnswer:
    """
    Merge a feed of any length, CSV with a header or NDJSON, as it comes in; the idempotency key is the feed's id.

    A full feed is read to its end before anything changes, and sets to zero what it does not name of the locations
    that it does. Interrupted, a feed is sent again with the same key and goes on where it stopped. Lines that cannot be
    merged are told and stop no other.
    """
    refused: list[BadRow] = []

    def tell(_: FeedProgress, bad: Sequence[BadRow]) -> None:
        refused.extend(bad[: SHOWN - len(refused)])

    options = FeedOptions(id=key, mode=mode, format=_format(request), location=location, zero_at_most=zero_at_most)
    progress = await load_feed(given.engine, options, lines_of(request.stream()), given.clock.now, tell)
    return FeedAnswer(feed=progress, refused=tuple(refused))


@feeds.post("/feeds/preview", responses=problems(FeedUnreadable, InvalidInput), openapi_extra=_FEED)
async def preview(
    given: Given, request: Request, mode: FeedMode, location: Location = None, zero_at_most: ZeroAtMost = 0.2
) -> FeedPreview:
    """
    Say what a feed would change, by location and the first shelves of each, and change nothing.

    It is read to its end, and compared with the stock of now as if it had not been sent before.
    """
    options = FeedOptions(
        id="preview", mode=mode, format=_format(request), location=location, zero_at_most=zero_at_most
    )
    return await preview_feed(given.engine, options, lines_of(request.stream()), given.clock.now())


def _format(request: Request) -> Format:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return "ndjson" if kind.endswith("ndjson") else "csv"


def _response(answered: Answered) -> Response:
    headers = {"Idempotent-Replayed": "true"} if answered.replayed else {}
    body = StockAnswer.model_validate(answered.body).model_dump_json()
    return Response(body, 200, headers, "application/json")

"""Process exceptions: what waits for a person, what the person changes of it, and what the person decides."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.bulk import BulkAsk, BulkPreview, BulkSubmit, TokenUnreadable, preview_bulk, read_token, submit_bulk
from api.deciding import Wanted, command_of, settle
from api.dependencies import ApiDependencies, Given, IdempotencyKey, Limit, Reading
from api.examples import BULK, BULK_CHANGE, CHANGE_EXCEPTION, RESOLVE
from api.intaking import answer_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.paging import after_path
from api.routes import StrictRoute
from api.schemas import Accepted, ExceptionChanged, Page, ResolveException
from orderloom.domain.errors import InvalidInput
from orderloom.domain.exception_status import ChangeException, FlowWaits, TransitionRefused
from orderloom.domain.exceptions import AlreadyUndoing, ExceptionClosed, ExceptionUnknown, NobodyWaits, TaskOutOfReach
from orderloom.readmodels.exception_list import ExceptionFilter, exceptions_page
from orderloom.readmodels.exceptions import ExceptionView, exception_by_id
from orderloom.readmodels.snapshot import snapshot

DECISION_PROBLEMS = (ExceptionUnknown, ExceptionClosed, NobodyWaits, AlreadyUndoing, TaskOutOfReach)
CHANGE_PROBLEMS = (ExceptionUnknown, ExceptionClosed, TransitionRefused, FlowWaits)

router = APIRouter(prefix="/v1/exceptions", tags=["exceptions"], route_class=StrictRoute)


class ExceptionQuery(ExceptionFilter):
    """Which process exceptions are listed, and from where on."""

    after: Annotated[str | None, Query(description="Id of the last one seen.")] = None
    limit: Limit = 50


@router.get("", responses=problems(InvalidInput))
async def exceptions(given: Given, conn: Reading, query: Annotated[ExceptionQuery, Query()]) -> Page[ExceptionView]:
    """List process exceptions of all orders, or of one: the active ones unless asked otherwise, oldest first."""
    now = given.clock.now()
    rows = await exceptions_page(conn, query, after=query.after, limit=query.limit, now=now)
    last = rows[-1].id if len(rows) == query.limit else None
    filters = query.model_dump(mode="json", exclude_defaults=True, exclude={"after", "limit"})
    return Page(items=rows, next=after_path("/v1/exceptions", last, query.limit, **filters))


@router.get("/{exception}", responses=problems(ExceptionUnknown, InvalidInput))
async def exception(conn: Reading, exception: str) -> ExceptionView:
    """Read one process exception: the error, where it happened, what can be done now, and what was changed of it."""
    found = await exception_by_id(conn, exception)
    if found is None:
        raise ExceptionUnknown(f"there is no process exception {exception}", exception=exception)
    return found


@router.post(
    "/{exception}/resolve",
    response_model=Accepted | ExceptionChanged,
    responses={**pending(), **problems(*DECISION_PROBLEMS, *COMMAND_PROBLEMS, *BODY_PROBLEMS)},
    openapi_extra=body_examples(RESOLVE),
)
async def resolve(
    given: Given, request: Request, exception: str, decision: ResolveException, key: IdempotencyKey
) -> Response:
    """Decide about a process exception. What the flow that waits cannot do is refused and changes nothing."""
    return await _answer(given, request, exception, decision, key)


@router.post(
    "/{exception}/change",
    response_model=Accepted | ExceptionChanged,
    responses={**pending(), **problems(*CHANGE_PROBLEMS, *COMMAND_PROBLEMS, *BODY_PROBLEMS)},
    openapi_extra=body_examples(CHANGE_EXCEPTION),
)
async def change(
    given: Given, request: Request, exception: str, wanted: ChangeException, key: IdempotencyKey
) -> Response:
    """Change who sees to a process exception, until when, and its status. What may not follow changes nothing."""
    return await _answer(given, request, exception, wanted, key)


@router.post(
    "/bulk/preview",
    responses=problems(InvalidInput, *BODY_PROBLEMS),
    openapi_extra=body_examples(BULK, change=BULK_CHANGE),
)
async def bulk_preview(given: Given, conn: Reading, ask: BulkAsk) -> BulkPreview:
    """Say of each exception that is meant what would be done, or why it is refused, and change nothing."""
    return await preview_bulk(conn, ask, given.clock.now())


@router.post("/bulk", responses=problems(TokenUnreadable, *BODY_PROBLEMS), response_class=StreamingResponse)
async def bulk(given: Given, wanted: BulkSubmit) -> StreamingResponse:
    """
    Do what a preview has shown, one JSON line for each exception as it is done, and a last one with the sums.

    Sent again with the same token it goes on where it stopped: what was decided is answered as before.
    """
    seen = read_token(wanted.token)
    return StreamingResponse(submit_bulk(given, seen, wanted), media_type="application/x-ndjson")


async def _found(given: ApiDependencies, exception: str) -> ExceptionView:
    async with snapshot(given.engine) as conn:
        found = await exception_by_id(conn, exception)
    if found is None:
        raise ExceptionUnknown(f"there is no process exception {exception}", exception=exception)
    return found


async def _answer(given: ApiDependencies, request: Request, exception: str, wanted: Wanted, key: str) -> Response:
    found = await _found(given, exception)
    if found.order is not None:
        return await answer_command(given, request, command_of(found.order, exception, wanted, key))
    await settle(given, exception, wanted, key)
    found = await _found(given, exception)
    body = ExceptionChanged(exception=exception, status=found.status, links={"self": f"/v1/exceptions/{exception}"})
    return Response(body.model_dump_json(), media_type="application/json")

"""Process exceptions: what waits for a person, and what the person decides."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.bodies import StrictRoute
from api.dependencies import Given, IdempotencyKey, Limit, Reading
from api.examples import RESOLVE
from api.intaking import Command, answer_command
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, pending, problems
from api.paging import after_path
from api.schemas import Accepted, Page, ResolveException
from orderloom.domain.errors import InvalidInput
from orderloom.domain.exceptions import (
    AlreadyUndoing,
    ExceptionClosed,
    ExceptionUnknown,
    NobodyWaits,
    TaskOutOfReach,
    WithoutOrder,
)
from orderloom.readmodels.exceptions import ExceptionView, exception_by_id, open_exceptions
from orderloom.readmodels.snapshot import snapshot

DECISION_PROBLEMS = (ExceptionUnknown, ExceptionClosed, NobodyWaits, AlreadyUndoing, WithoutOrder, TaskOutOfReach)

router = APIRouter(prefix="/v1/exceptions", tags=["exceptions"], route_class=StrictRoute)


@router.get("", responses=problems(InvalidInput))
async def exceptions(
    conn: Reading,
    order: Annotated[str | None, Query(description="Only those of the order with this id.")] = None,
    after: Annotated[str | None, Query(description="Id of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[ExceptionView]:
    """List the open process exceptions of all orders, or of one, oldest first."""
    rows = await open_exceptions(conn, after=after, limit=limit, order=order)
    last = rows[-1].id if len(rows) == limit else None
    return Page(items=rows, next=after_path("/v1/exceptions", last, limit, order=order))


@router.get("/{exception}", responses=problems(ExceptionUnknown, InvalidInput))
async def exception(conn: Reading, exception: str) -> ExceptionView:
    """Read one process exception, with the error and where it happened."""
    found = await exception_by_id(conn, exception)
    if found is None:
        raise ExceptionUnknown(f"there is no process exception {exception}", exception=exception)
    return found


@router.post(
    "/{exception}/resolve",
    response_model=Accepted,
    responses={**pending(), **problems(*DECISION_PROBLEMS, *COMMAND_PROBLEMS, *BODY_PROBLEMS)},
    openapi_extra=body_examples(RESOLVE),
)
async def resolve(
    given: Given, request: Request, exception: str, decision: ResolveException, key: IdempotencyKey
) -> Response:
    """Decide about a process exception. What the flow that waits cannot do is refused and changes nothing."""
    async with snapshot(given.engine) as conn:
        found = await exception_by_id(conn, exception)
    if found is None:
        raise ExceptionUnknown(f"there is no process exception {exception}", exception=exception)
    if found.order is None:
        raise WithoutOrder(f"process exception {exception} belongs to no order", exception=exception)
    command = Command(
        type="exception.resolve.requested",
        order_id=found.order,
        source="operators",
        key=key,
        body={"exception": exception, **decision.model_dump(mode="json", exclude_none=True)},
    )
    return await answer_command(given, request, command)

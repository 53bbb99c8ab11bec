"""Reservations of carts, agents and other systems."""

from collections.abc import Awaitable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import TypeAdapter, ValidationError

from api.dependencies import Given, IdempotencyKey, Limit, Reading
from api.errors import ReservationIdUnusable
from api.examples import RELEASE, RESERVE, RESERVE_MORE, SHIP_RESERVED, TRANSFER
from api.openapi import BODY_PROBLEMS, COMMAND_PROBLEMS, body_examples, problems
from api.paging import after_path
from api.routes import StrictRoute
from api.schemas import Page
from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Identifier
from orderloom.domain.reserving import (
    CreateReservation,
    FulfillReservation,
    ReleaseReservation,
    ReservationEnded,
    ReservationRefused,
    ReservationUnknown,
    TransferReservation,
    UpdateReservation,
)
from orderloom.inventory import reservations as service
from orderloom.inventory.reservations import ReservationAnswer, UnknownChannel
from orderloom.persistence.requests import Answered
from orderloom.readmodels.reservations import ReservationView, reservation_by_id, reservations_page

router = APIRouter(prefix="/v1/reservations", tags=["reservations"], route_class=StrictRoute)

_CHANGE_PROBLEMS = (ReservationUnknown, ReservationEnded, *COMMAND_PROBLEMS, *BODY_PROBLEMS)
_ID: TypeAdapter[str] = TypeAdapter(Identifier)


@router.post(
    "",
    status_code=201,
    response_model=ReservationAnswer,
    responses=problems(ReservationRefused, ReservationIdUnusable, UnknownChannel, *COMMAND_PROBLEMS, *BODY_PROBLEMS),
    openapi_extra=body_examples(RESERVE),
)
async def create(given: Given, wanted: CreateReservation, key: IdempotencyKey) -> Response:
    """Hold stock at locations or location groups. The idempotency key becomes the reservation's id."""
    try:
        id = _ID.validate_python(key)
    except ValidationError:
        raise ReservationIdUnusable(f"{key!r} cannot be the id of a reservation", key=key) from None
    answered = await service.create_reservation(given.engine, id, wanted, given.clock.now())
    if answered.body["status"] == "refused":
        results = answered.body["results"]
        raise ReservationRefused("there is not enough for all records", results=results)
    location = {"Location": f"/v1/reservations/{id}"}
    return _response(answered, 201, location)


@router.get("", responses=problems(InvalidInput))
async def reservations(
    conn: Reading,
    owner: Annotated[str | None, Query(description="Only those of this owner.")] = None,
    after: Annotated[str | None, Query(description="Id of the last one seen.")] = None,
    limit: Limit = 50,
) -> Page[ReservationView]:
    """List reservations that hold something, by id."""
    rows = await reservations_page(conn, owner=owner, after=after, limit=limit)
    last = rows[-1].id if len(rows) == limit else None
    return Page(items=rows, next=after_path("/v1/reservations", last, limit, owner=owner))


@router.get("/{reservation:path}", responses=problems(ReservationUnknown, InvalidInput))
async def reservation(conn: Reading, reservation: str) -> ReservationView:
    """Read one reservation: what it holds where, and what became of the rest."""
    found = await reservation_by_id(conn, reservation)
    if found is None:
        raise ReservationUnknown(f"there is no reservation {reservation}", reservation=reservation)
    return found


@router.post(
    "/{reservation:path}/updates",
    response_model=ReservationAnswer,
    responses=problems(*_CHANGE_PROBLEMS),
    openapi_extra=body_examples(RESERVE_MORE),
)
async def update(given: Given, reservation: str, wanted: UpdateReservation, key: IdempotencyKey) -> Response:
    """Hold other quantities from now on, or until another time; each record has its own result."""
    return await _changed(service.update_reservation(given.engine, key, reservation, wanted, given.clock.now()))


@router.post(
    "/{reservation:path}/transfers",
    response_model=ReservationAnswer,
    responses=problems(*_CHANGE_PROBLEMS),
    openapi_extra=body_examples(TRANSFER),
)
async def transfer(given: Given, reservation: str, wanted: TransferReservation, key: IdempotencyKey) -> Response:
    """Hold units elsewhere; each record has its own result, and those that name the same transfer id share one."""
    return await _changed(service.transfer_reservation(given.engine, key, reservation, wanted, given.clock.now()))


@router.post(
    "/{reservation:path}/fulfillments",
    response_model=ReservationAnswer,
    responses=problems(*_CHANGE_PROBLEMS),
    openapi_extra=body_examples(SHIP_RESERVED),
)
async def fulfill(given: Given, reservation: str, wanted: FulfillReservation, key: IdempotencyKey) -> Response:
    """Say what has left locations; each record has its own result."""
    return await _changed(service.fulfill_reservation(given.engine, key, reservation, wanted, given.clock.now()))


@router.post(
    "/{reservation:path}/releases",
    response_model=ReservationAnswer,
    responses=problems(*_CHANGE_PROBLEMS),
    openapi_extra=body_examples(RELEASE),
)
async def release(given: Given, reservation: str, wanted: ReleaseReservation, key: IdempotencyKey) -> Response:
    """Hold no longer what is named, or, with no records, all of it; each record has its own result."""
    return await _changed(service.release_reservation(given.engine, key, reservation, wanted, given.clock.now()))


async def _changed(doing: Awaitable[Answered]) -> Response:
    return _response(await doing, 200, {})


def _response(answered: Answered, status: int, headers: dict[str, str]) -> Response:
    replayed = {"Idempotent-Replayed": "true"} if answered.replayed else {}
    body = ReservationAnswer.model_validate(answered.body).model_dump_json()
    return Response(body, status, {**headers, **replayed}, "application/json")

"""
Reservations of carts, agents and other systems: made, changed, moved, fulfilled, released, and ended by business time.

Each function is one transaction; asked twice with the same key it is done once.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain import shelves as decide
from orderloom.domain.channel import ChannelPolicy, Promise
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.reserving import (
    CreateReservation,
    FulfillReservation,
    Place,
    RecordResult,
    ReleaseReservation,
    ReservationEnded,
    ReservationUnknown,
    TransferReservation,
    UpdateReservation,
)
from orderloom.domain.shelves import At, Ledger
from orderloom.persistence.conflicts import tried
from orderloom.persistence.requests import Answered, Asked, once
from orderloom.persistence.reservations import held_by, lock_request, next_expired, write_held
from orderloom.persistence.shelves import lock_shelves, write_shelves
from orderloom.persistence.tables.catalog import channels
from orderloom.persistence.tables.inventory import reservation_requests, stock_changes
from orderloom.persistence.transactions import Transaction

_request = reservation_requests.c
EXPIRED_AT_ONCE = 100
"""Reservations that are ended in one look."""


class UnknownChannel(NotFound):
    """There is no such channel.

    Name a channel that is set up, or leave it out.
    """

    code = "reservation.channel_unknown"
    status = 422


class ReservationAnswer(Frozen):
    """What became of a request about a reservation, record by record in the order of the request."""

    reservation: str
    status: Literal["active", "ordered", "fulfilled", "released", "expired", "refused"]
    """Of the reservation after it; ``refused``: nothing was reserved, and there is none."""
    expires_at: datetime | None = None
    results: tuple[RecordResult, ...] = ()


type Decision = Callable[[Ledger], Sequence[RecordResult]]


async def create_reservation(engine: AsyncEngine, key: str, wanted: CreateReservation, now: datetime) -> Answered:
    """
    Hold stock; the answer says of each record what is held.

    Raises:
        IdempotencyKeyReused: the key came with another request.
        UnknownChannel: the channel that it names is not set up.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        promise = await _promise(conn, wanted.channel)
        expires_at = None if wanted.expires_in is None else now + timedelta(seconds=wanted.expires_in)
        shelves = await lock_shelves(conn, {(each.place, each.sku) for each in wanted.records}, promise)
        ledger = Ledger(shelves, {})
        results = decide.reserve(ledger, wanted.records, partial=wanted.partial)
        if not any(ledger.held.values()):
            return _answer(key, "refused", None, results)
        await conn.execute(
            insert(reservation_requests).values(
                id=key,
                owner=wanted.owner,
                reference=wanted.reference,
                promise=promise,
                status="active",
                expires_at=expires_at,
                created_at=now,
                channel_id=wanted.channel,
            )
        )
        await write_held(conn, key, {}, ledger, now)
        await write_shelves(conn, shelves, now)
        return _answer(key, "active", expires_at, results)

    asked = Asked(key=key, kind="reservation.create", body=wanted.model_dump(mode="json"), now=now)
    return await once(engine, asked, work)


async def update_reservation(
    engine: AsyncEngine, key: str, id: str, wanted: UpdateReservation, now: datetime
) -> Answered:
    """Hold other quantities, or hold them for longer or shorter."""
    shelves = {(each.place, each.sku) for each in wanted.records}

    def decision(ledger: Ledger) -> list[RecordResult]:
        return decide.set_levels(ledger, wanted.records, partial=wanted.partial, all_or_nothing=wanted.all_or_nothing)

    return await _change(
        engine, _asked(key, "update", id, wanted, now), id, shelves, decision, expires_in=wanted.expires_in
    )


async def transfer_reservation(
    engine: AsyncEngine, key: str, id: str, wanted: TransferReservation, now: datetime
) -> Answered:
    """Hold units elsewhere: what is reserved moves, nothing physical does."""
    shelves = {(spot.place, each.sku) for each in wanted.records for spot in (each.source, each.target)}
    asked = _asked(key, "transfer", id, wanted, now)
    return await _change(engine, asked, id, shelves, lambda ledger: decide.transfer(ledger, wanted.records))


async def fulfill_reservation(
    engine: AsyncEngine, key: str, id: str, wanted: FulfillReservation, now: datetime
) -> Answered:
    """Take what has left locations off what is reserved and on hand."""
    shelves = {(Place("location", each.location), each.sku) for each in wanted.records}
    asked = _asked(key, "fulfill", id, wanted, now)
    return await _change(engine, asked, id, shelves, lambda ledger: decide.fulfill(ledger, wanted.records))


async def release_reservation(
    engine: AsyncEngine, key: str, id: str, wanted: ReleaseReservation, now: datetime
) -> Answered:
    """Hold no longer what is named, or all of it."""
    shelves = {(each.place, each.sku) for each in wanted.records}

    def decision(ledger: Ledger) -> list[RecordResult]:
        return decide.release(ledger, wanted.records) if wanted.records else decide.release_all(ledger, "released")

    return await _change(engine, _asked(key, "release", id, wanted, now), id, shelves, decision)


async def expire_due(engine: AsyncEngine, now: datetime) -> int:
    """End the reservations whose time is over at *now*, each in its own transaction; return how many."""
    for count in range(EXPIRED_AT_ONCE):
        if not await tried(partial(_expire_next, engine, now)):
            return count
    return EXPIRED_AT_ONCE


async def _expire_next(engine: AsyncEngine, now: datetime) -> bool:
    async with Transaction(engine) as conn:
        id = await next_expired(conn, now)
        if id is not None:
            await end_reservation(conn, id, "expired", now)
    return id is not None


async def end_reservation(conn: AsyncConnection, id: str, status: str, now: datetime) -> None:
    """End all that a reservation holds, whose row the caller has locked; it goes to orders that wait for it."""
    before = await held_by(conn, id)
    ledger = Ledger(await lock_shelves(conn, before, "ato"), dict(before))
    decide.release_all(ledger, status)
    await write_held(conn, id, before, ledger, now)
    await write_shelves(conn, ledger.shelves, now)


def _asked(key: str, kind: str, id: str, wanted: Frozen, now: datetime) -> Asked:
    body: JsonObject = {"reservation": id, **wanted.model_dump(mode="json", by_alias=True)}
    return Asked(key=key, kind=f"reservation.{kind}", body=body, now=now)


async def _change(
    engine: AsyncEngine,
    asked: Asked,
    id: str,
    shelves: Iterable[At],
    decision: Decision,
    *,
    expires_in: int | None = None,
) -> Answered:
    """
    Lock a reservation, decide, and write what came of it.

    Raises:
        ReservationUnknown: there is none with this id.
        ReservationEnded: it holds nothing any more, or its time is over.
        IdempotencyKeyReused: the key came with another request.
    """

    async def work(conn: AsyncConnection) -> JsonObject:
        request = await lock_request(conn, id)
        if request is None:
            raise ReservationUnknown(f"there is no reservation {id}", reservation=id)
        over = request.expires_at is not None and request.expires_at <= asked.now
        if request.status != "active" or over:
            status = "expired" if request.status == "active" else request.status
            raise ReservationEnded(f"reservation {id} is {status}", reservation=id, status=status)
        before = await held_by(conn, id)
        ledger = Ledger(await lock_shelves(conn, {*shelves, *before}, request.promise), dict(before))
        results = decision(ledger)
        expires_at = request.expires_at
        if expires_in is not None:
            expires_at = asked.now + timedelta(seconds=expires_in)
            await conn.execute(update(reservation_requests).where(_request.id == id).values(expires_at=expires_at))
        status = await write_held(conn, id, before, ledger, asked.now)
        await write_shelves(conn, ledger.shelves, asked.now)
        await _note_shipped(conn, id, ledger, asked.now)
        return _answer(id, status, expires_at, results)

    return await once(engine, asked, work)


async def _note_shipped(conn: AsyncConnection, id: str, ledger: Ledger, now: datetime) -> None:
    rows = [
        {"location_id": place.id, "sku": sku, "quantity": -quantity, "cause": id, "at": now}
        for place, sku, quantity, status in ledger.ended
        if status == "fulfilled"
    ]
    if rows:
        await conn.execute(insert(stock_changes), rows)


async def _promise(conn: AsyncConnection, channel: str | None) -> Promise:
    if channel is None:
        return "ato"
    found: Any = (await conn.execute(select(channels.c.policy).where(channels.c.id == channel))).scalar_one_or_none()
    if found is None:
        raise UnknownChannel(f"there is no channel {channel}", channel=channel)
    return ChannelPolicy.model_validate(found).promise


def _answer(id: str, status: Any, expires_at: datetime | None, results: Sequence[RecordResult]) -> JsonObject:
    answer = ReservationAnswer(reservation=id, status=status, expires_at=expires_at, results=tuple(results))
    return answer.model_dump(mode="json")

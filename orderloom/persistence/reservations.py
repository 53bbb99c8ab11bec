"""Reservations that belong to no order: the request, what it holds, and how what it held has ended."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, insert, literal_column, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.reserving import Place, Spot
from orderloom.domain.shelves import At, Held, Ledger
from orderloom.persistence.tables.inventory import reservation_requests, reservations

_request = reservation_requests.c
_row = reservations.c
_ENDINGS = ("ordered", "fulfilled", "released", "expired")


async def lock_request(conn: AsyncConnection, id: str) -> Row[Any] | None:
    """Lock a reservation and return its row."""
    found = await conn.execute(select(reservation_requests).where(_request.id == id).with_for_update())
    return found.one_or_none()


async def held_by(conn: AsyncConnection, id: str) -> Held:
    """Return what a reservation holds."""
    query = select(_row.group_id, _row.location_id, _row.sku, func.sum(_row.quantity).label("quantity")).where(
        _row.request_id == id, _row.status == "active"
    )
    rows = await conn.execute(query.group_by(_row.group_id, _row.location_id, _row.sku))
    return {
        (Spot(location=row.location_id, group=None if row.location_id else row.group_id).place, row.sku): row.quantity
        for row in rows
    }


async def write_held(conn: AsyncConnection, id: str, before: Held, ledger: Ledger, now: datetime) -> str:
    """Write what a reservation holds after a change, and what ended; return its status."""
    for at in sorted(set(before) | set(ledger.held)):
        was, quantity = before.get(at, 0), ledger.held.get(at, 0)
        if was == quantity:
            continue
        where = (_row.request_id == id, _row.status == "active", _row.sku == at[1], *_at(at[0]))
        if quantity == 0:
            await conn.execute(reservations.delete().where(*where))
        elif was:
            await conn.execute(update(reservations).where(*where).values(quantity=quantity))
        else:
            await conn.execute(insert(reservations).values(_entry(id, at, quantity, "active", now)))
    if ledger.ended:
        await conn.execute(
            insert(reservations),
            [_entry(id, (place, sku), quantity, status, now) for place, sku, quantity, status in ledger.ended],
        )
    if any(ledger.held.values()):
        return "active"
    status = next((each[3] for each in reversed(ledger.ended) if each[3] in _ENDINGS), "released")
    await conn.execute(update(reservation_requests).where(_request.id == id).values(status=status))
    return status


def _at(place: Place) -> tuple[Any, ...]:
    if place.kind == "location":
        return (_row.location_id == place.id,)
    return (_row.group_id == place.id, _row.location_id.is_(None))


def _entry(id: str, at: At, quantity: int, status: str, now: datetime) -> dict[str, Any]:
    place, sku = at
    return {
        "request_id": id,
        "sku": sku,
        "group_id": place.id if place.kind == "group" else None,
        "location_id": place.id if place.kind == "location" else None,
        "quantity": quantity,
        "status": status,
        "created_at": now,
    }


async def next_expired(conn: AsyncConnection, now: datetime) -> str | None:
    """Lock a reservation whose time is over, that nobody else works on, and return its id."""
    # Written out: as a parameter it would not be recognised as the condition of the index.
    active = _request.status == literal_column("'active'")
    query = (
        select(_request.id)
        .where(active, _request.expires_at <= now)
        .order_by(_request.expires_at, _request.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await conn.execute(query)).scalar_one_or_none()

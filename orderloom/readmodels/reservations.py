"""Reservations that belong to no order: what each holds, and what became of the rest."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.persistence.tables.inventory import reservation_requests, reservations

_request = reservation_requests.c
_row = reservations.c


class ReservedUnits(Frozen):
    """Units of a SKU at a location or a location group, with how they stand."""

    location: str | None
    group: str | None
    sku: str
    status: str
    """``active``: held; ``transferred``, ``ordered``, ``fulfilled``, ``released`` and ``expired`` are final."""
    quantity: int


class ReservationView(Frozen):
    """One reservation."""

    id: str
    owner: str
    reference: str
    promise: str
    channel: str | None
    """Whose orders may take it over."""
    order: str | None
    """The one that did; its status is ``ordered`` then."""
    status: str
    expires_at: datetime | None
    created_at: datetime
    units: tuple[ReservedUnits, ...]


_VIEW = select(
    *(_request[name] for name in ("id", "owner", "reference", "promise", "status", "expires_at", "created_at")),
    _request.channel_id.label("channel"),
    _request.order_id.label("order"),
)


async def reservation_by_id(conn: AsyncConnection, id: str) -> ReservationView | None:
    """Return a reservation; None: there is none."""
    found = await _views(conn, _VIEW.where(_request.id == id))
    return found[0] if found else None


async def reservations_page(
    conn: AsyncConnection, *, owner: str | None, after: str | None, limit: int
) -> list[ReservationView]:
    """Return reservations that hold something, by id, from behind *after*."""
    query = _VIEW.where(_request.status == "active").order_by(_request.id).limit(limit)
    if owner is not None:
        query = query.where(_request.owner == owner)
    if after is not None:
        query = query.where(_request.id > after)
    return await _views(conn, query)


async def _views(conn: AsyncConnection, query: Select[*tuple[object, ...]]) -> list[ReservationView]:
    requests = (await conn.execute(query)).mappings().all()
    if not requests:
        return []
    units = await _units(conn, [row["id"] for row in requests])
    return [ReservationView(**row, units=tuple(units[row["id"]])) for row in requests]


async def _units(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, list[ReservedUnits]]:
    keys = (_row.request_id, _row.location_id, _row.group_id, _row.sku, _row.status)
    query = select(*keys, func.sum(_row.quantity).label("quantity")).where(_row.request_id.in_(ids)).group_by(*keys)
    found: dict[str, list[ReservedUnits]] = defaultdict(list)
    for row in await conn.execute(
        query.order_by(_row.request_id, _row.group_id, _row.location_id, _row.sku, _row.status)
    ):
        found[row.request_id].append(_of(row))
    return found


def _of(row: Row[*tuple[object, ...]]) -> ReservedUnits:
    return ReservedUnits(
        location=row.location_id, group=row.group_id, sku=row.sku, status=row.status, quantity=row.quantity
    )

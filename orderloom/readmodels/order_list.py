"""Orders in a list, the newest first."""

from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.domain.money import Money
from orderloom.domain.order import OrderStatus, order_status, quantities
from orderloom.domain.units import UnitState
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders
from orderloom.readmodels.exceptions import OPEN
from orderloom.readmodels.order_facts import product_pools_of

_GONE = (UnitState.SOURCE, UnitState.CANCELLED, UnitState.RETURNED)


class OrderSummary(Frozen):
    """An order in a list."""

    id: str
    channel: str
    external_id: str
    placed_at: AwareDatetime
    status: OrderStatus
    grand_total: Money
    """Of what is neither cancelled nor returned, with tax."""
    open_exceptions: int
    release: str
    """Hash of the release that it is on."""
    closed: bool
    """The service window is over; a command opens it again."""


class OrderFilter(Frozen):
    """Which orders are meant: all that is said must hold."""

    channel: str | None = None
    external_id: str | None = None
    """The channel's own number."""
    release: str | None = None
    """Hash of the release that they are on."""
    since: AwareDatetime | None = None
    """Placed then or later."""
    open: bool = False
    """Only such as are not closed."""


async def orders_page(
    conn: AsyncConnection, wanted: OrderFilter, *, after: str | None, limit: int
) -> list[OrderSummary]:
    """Return at most *limit* orders that were placed before the order *after*, in two statements."""
    rows = await _rows(conn, wanted, after=after, limit=limit)
    pools = await product_pools_of(conn, [row.id for row in rows])
    return [
        OrderSummary(
            id=row.id,
            channel=row.channel_id,
            external_id=row.external_id,
            placed_at=row.placed_at,
            status=order_status(quantities(pools.get(row.id, ()))),
            grand_total=Money(amount=int(row.grand_total), currency=row.currency),
            open_exceptions=row.open_exceptions,
            release=row.release,
            closed=row.closed_at is not None,
        )
        for row in rows
    ]


async def _rows(
    conn: AsyncConnection, wanted: OrderFilter, *, after: str | None, limit: int
) -> list[Row[*tuple[Any, ...]]]:
    table, entry, exception = orders.c, unit_entries.c, process_exceptions.c
    grand_total = (
        select(func.coalesce(func.sum(entry.amount + entry.tax), 0))
        .where(entry.order_id == table.id, entry.state.not_in(_GONE))
        .scalar_subquery()
    )
    waiting = select(func.count()).where(exception.order_id == table.id, exception.status.in_(OPEN)).scalar_subquery()
    query = (
        select(
            table.id,
            table.channel_id,
            table.external_id,
            table.placed_at,
            table.currency,
            table.release,
            table.closed_at,
            grand_total.label("grand_total"),
            waiting.label("open_exceptions"),
        )
        .order_by(table.placed_at.desc(), table.id.desc())
        .limit(limit)
    )
    equal = (
        (table.channel_id, wanted.channel),
        (table.external_id, wanted.external_id),
        (table.release, wanted.release),
    )
    for column, value in equal:
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(table.placed_at >= wanted.since)
    if wanted.open:
        query = query.where(table.closed_at.is_(None))
    if after is not None:
        mark = select(table.placed_at, table.id).where(table.id == after).scalar_subquery()
        query = query.where(tuple_(table.placed_at, table.id) < mark)
    return list(await conn.execute(query))

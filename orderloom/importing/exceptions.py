"""Records what an import could not do for a person to see: process exceptions, each once."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.importing.classify import Cancellation
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders

_DETAILS = {
    "nothing_covers": "Row {row}: {quantity} of {sku} cancelled; no earlier sale to this customer has as many left.",
    "charge": "Row {row}: charge {sku} cancelled; a charge is not given back by itself.",
    "no_customer": "Row {row}: {quantity} of {sku} cancelled for nobody: the row names no customer.",
}


class Unresolved(Frozen):
    """A row of a cancellation that changed nothing."""

    row: int
    invoice: str
    code: str
    detail: str
    at: datetime


def unresolved(cancellation: Cancellation) -> list[Unresolved]:
    """Return what of *cancellation* nothing covers."""
    return [
        Unresolved(
            row=row.row,
            invoice=cancellation.invoice,
            code=f"import.{row.reason}",
            detail=_DETAILS[row.reason].format(row=row.row, sku=row.sku, quantity=row.quantity),
            at=cancellation.at,
        )
        for row in cancellation.uncovered
    ]


async def record(conn: AsyncConnection, import_id: str, found: Iterable[Unresolved]) -> None:
    """Add a process exception for each of *found*; one that is there already stays as it is."""
    rows: list[dict[str, Any]] = [
        {
            "id": f"{import_id}.{one.row}",
            "order_id": None,
            "number": 0,
            "category": "Return",
            "code": one.code,
            "detail": one.detail,
            "severity": "Low",
            "priority": "Low",
            "status": "new",
            "attached_to": one.invoice,
            "created_at": one.at,
        }
        for one in found
    ]
    if rows:
        await conn.execute(insert(process_exceptions).on_conflict_do_nothing(), rows)


async def orders_by_invoice(conn: AsyncConnection, channel: str, invoices: Iterable[str]) -> dict[str, str]:
    """Return the orders that the channel placed for *invoices*."""
    query = select(orders.c.external_id, orders.c.id).where(
        orders.c.channel_id == channel, orders.c.external_id.in_(sorted(invoices))
    )
    return {row.external_id: row.id for row in await conn.execute(query)}

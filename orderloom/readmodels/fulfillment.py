"""Fulfillment orders, as locations and people see them."""

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Row, Select, Text, and_, bindparam, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.domain.units import UnitState
from orderloom.persistence.tables.fulfillment import fulfillment_order_lines, fulfillment_orders
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import order_lines
from orderloom.readmodels.allowed import AllowedAction, allowed_on_fulfillment_order


class FulfillmentOrderLine(Frozen):
    """One item of a fulfillment order."""

    line: str
    sku: str | None
    name: str
    quantity: int
    """What the location still has to ship, or has shipped."""
    original_quantity: int
    rejected_quantity: int
    reject_reason: str | None


class FulfillmentOrderView(Frozen):
    """What one location is to ship of one order."""

    id: str
    order: str
    location: str | None
    """None when it is digital: nothing leaves a location."""
    delivery_group: str
    kind: str
    """``warehouse``, ``pickup`` (fetched there), ``dropship`` (sent by a supplier) or ``digital``."""
    status: str
    attempt: int
    """The routing attempt that made it."""
    created_at: AwareDatetime
    closed_at: AwareDatetime | None
    hold_reason: str | None
    """Why the location is not to work on it, while it is held."""
    successor: str | None
    """The fulfillment order that has its units now: it was moved, or merged into that one."""
    allowed_actions: tuple[AllowedAction, ...]
    lines: tuple[FulfillmentOrderLine, ...]


_HELD = (UnitState.ALLOCATED, UnitState.FULFILLED, UnitState.RETURN_INITIATED, UnitState.RETURNED)


def _select() -> Select[*tuple[Any, ...]]:
    table = fulfillment_orders.c
    return select(
        table.id,
        table.order_id,
        table.location_id,
        table.delivery_group_id,
        table.kind,
        table.status,
        table.attempt,
        table.created_at,
        table.closed_at,
        table.hold_reason,
        table.successor_id,
    )


async def fulfillment_orders_of(conn: AsyncConnection, order_id: str) -> list[FulfillmentOrderView]:
    """Return all fulfillment orders of an order, by number, in two statements."""
    table = fulfillment_orders.c
    query = _select().where(table.order_id == order_id).order_by(table.number)
    return await _with_lines(conn, (await conn.execute(query)).all())


async def fulfillment_orders_page(
    conn: AsyncConnection,
    *,
    location: str,
    statuses: Sequence[str],
    after: str | None,
    limit: int,
) -> list[FulfillmentOrderView]:
    """Return at most *limit* fulfillment orders of a location with one of *statuses*, by status and id."""
    table = fulfillment_orders.c
    query = _select().where(table.location_id == location, table.status.in_(statuses))
    if after is not None:
        mark = select(table.status).where(table.id == after).scalar_subquery()
        query = query.where((table.status > mark) | and_(table.status == mark, table.id > after))
    query = query.order_by(table.status, table.id).limit(limit)
    return await _with_lines(conn, (await conn.execute(query)).all())


async def fulfillment_order_by_id(conn: AsyncConnection, fulfillment_order: str) -> FulfillmentOrderView | None:
    """Return one fulfillment order, or None."""
    rows = (await conn.execute(_select().where(fulfillment_orders.c.id == fulfillment_order))).all()
    found = await _with_lines(conn, rows)
    return found[0] if found else None


_WHOSE = text(
    """
    SELECT f.order_id, COALESCE(f.location_id, f.kind) AS source, :type = ANY(o.wanted) AS wanted
    FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id WHERE f.id = :id
    """
).bindparams(bindparam("type", type_=Text))


async def whose(conn: AsyncConnection, fulfillment_order: str, type: str) -> tuple[str, str, bool] | None:
    """
    Return whose a fulfillment order is, or None: order, who reports of it, and whether *type* wakes the workflow.

    The location reports of it, or ``digital`` where there is none.
    """
    row = (await conn.execute(_WHOSE, {"id": fulfillment_order, "type": type})).one_or_none()
    return None if row is None else (row.order_id, row.source, row.wanted)


async def _with_lines(conn: AsyncConnection, rows: Sequence[Row[*tuple[Any, ...]]]) -> list[FulfillmentOrderView]:
    lines = await _lines(conn, {row.id: row.order_id for row in rows})
    return [
        FulfillmentOrderView(
            id=row.id,
            order=row.order_id,
            location=row.location_id,
            delivery_group=row.delivery_group_id,
            kind=row.kind,
            status=row.status,
            attempt=row.attempt,
            created_at=row.created_at,
            closed_at=row.closed_at,
            hold_reason=row.hold_reason,
            successor=row.successor_id,
            allowed_actions=allowed_on_fulfillment_order(row.status, row.kind, held=row.hold_reason is not None),
            lines=tuple(lines.get(row.id, ())),
        )
        for row in rows
    ]


async def _lines(conn: AsyncConnection, orders: dict[str, str]) -> dict[str, list[FulfillmentOrderLine]]:
    """Return the lines of the fulfillment orders in *orders*, which maps them to their order."""
    asked = fulfillment_order_lines.c
    line = order_lines.c
    entry = unit_entries.c
    held = (
        select(func.coalesce(func.sum(entry.quantity), 0))
        .where(
            entry.order_id == line.order_id,
            entry.line_id == line.id,
            entry.fulfillment_order_id == asked.fulfillment_order_id,
            entry.state.in_(_HELD),
        )
        .scalar_subquery()
    )
    query = (
        select(
            asked.fulfillment_order_id,
            asked.line_id.label("line"),
            line.sku,
            line.name,
            held.label("quantity"),
            asked.original_quantity,
            asked.rejected_quantity,
            asked.reject_reason,
        )
        .select_from(fulfillment_order_lines)
        .join(fulfillment_orders, fulfillment_orders.c.id == asked.fulfillment_order_id)
        .join(order_lines, and_(line.order_id == fulfillment_orders.c.order_id, line.id == asked.line_id))
        .where(asked.fulfillment_order_id.in_(sorted(orders)))
        .order_by(asked.fulfillment_order_id, line.position)
    )
    found: dict[str, list[FulfillmentOrderLine]] = {}
    for row in (await conn.execute(query)).mappings():
        values = dict(row)
        found.setdefault(values.pop("fulfillment_order_id"), []).append(FulfillmentOrderLine.model_validate(values))
    return found

"""Fulfillment orders, as locations and people see them."""

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Row, Text, and_, any_, bindparam, func, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
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


_table = fulfillment_orders.c
_SELECTED = select(
    _table.id,
    _table.order_id,
    _table.location_id,
    _table.delivery_group_id,
    _table.kind,
    _table.status,
    _table.attempt,
    _table.created_at,
    _table.closed_at,
    _table.hold_reason,
    _table.successor_id,
)
_OF_ORDER = _SELECTED.where(_table.order_id == bindparam("of_order")).order_by(_table.number)
_OF_ID = _SELECTED.where(_table.id == bindparam("of_id"))
_PAGE = (
    _SELECTED.where(
        _table.location_id == bindparam("of_location"),
        _table.status == any_(bindparam("statuses", type_=ARRAY(Text))),
    )
    .order_by(_table.status, _table.id)
    .limit(bindparam("at_most"))
)
_MARK = select(_table.status).where(_table.id == bindparam("after")).correlate(None).scalar_subquery()
_NEXT_PAGE = _PAGE.where(or_(_table.status > _MARK, and_(_table.status == _MARK, _table.id > bindparam("after"))))


async def fulfillment_orders_of(conn: AsyncConnection, order_id: str) -> list[FulfillmentOrderView]:
    """Return all fulfillment orders of an order, by number, in two statements."""
    return await _with_lines(conn, (await conn.execute(_OF_ORDER, {"of_order": order_id})).all())


async def fulfillment_orders_page(
    conn: AsyncConnection,
    *,
    location: str,
    statuses: Sequence[str],
    after: str | None,
    limit: int,
) -> list[FulfillmentOrderView]:
    """Return at most *limit* fulfillment orders of a location with one of *statuses*, by status and id."""
    asked = {"of_location": location, "statuses": list(statuses), "at_most": limit}
    page = conn.execute(_PAGE, asked) if after is None else conn.execute(_NEXT_PAGE, {**asked, "after": after})
    return await _with_lines(conn, (await page).all())


async def fulfillment_order_by_id(conn: AsyncConnection, fulfillment_order: str) -> FulfillmentOrderView | None:
    """Return one fulfillment order, or None."""
    found = await _with_lines(conn, (await conn.execute(_OF_ID, {"of_id": fulfillment_order})).all())
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
    lines = await _lines(conn, [row.id for row in rows])
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


_asked = fulfillment_order_lines.c
_line = order_lines.c
_entry = unit_entries.c
_QUANTITY = (
    select(func.coalesce(func.sum(_entry.quantity), 0))
    .where(
        _entry.order_id == _line.order_id,
        _entry.line_id == _line.id,
        _entry.fulfillment_order_id == _asked.fulfillment_order_id,
        _entry.state.in_(_HELD),
    )
    .scalar_subquery()
)
_LINES = (
    select(
        _asked.fulfillment_order_id,
        _asked.line_id.label("line"),
        _line.sku,
        _line.name,
        _QUANTITY.label("quantity"),
        _asked.original_quantity,
        _asked.rejected_quantity,
        _asked.reject_reason,
    )
    .select_from(fulfillment_order_lines)
    .join(fulfillment_orders, _table.id == _asked.fulfillment_order_id)
    .join(order_lines, and_(_line.order_id == _table.order_id, _line.id == _asked.line_id))
    .where(_asked.fulfillment_order_id == any_(bindparam("of_ids", type_=ARRAY(Text))))
    .order_by(_asked.fulfillment_order_id, _line.position)
)


async def _lines(conn: AsyncConnection, ids: Sequence[str]) -> dict[str, list[FulfillmentOrderLine]]:
    """Return the lines of the fulfillment orders *ids*."""
    found: dict[str, list[FulfillmentOrderLine]] = {}
    for row in (await conn.execute(_LINES, {"of_ids": list(ids)})).mappings():
        values = dict(row)
        found.setdefault(values.pop("fulfillment_order_id"), []).append(FulfillmentOrderLine.model_validate(values))
    return found

"""Fulfillment orders, as locations and people see them."""

from collections.abc import Sequence

from pydantic import AwareDatetime
from sqlalchemy import JSON, Text, and_, any_, bindparam, literal_column, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.model import Frozen
from orderloom.domain.units import UnitState
from orderloom.persistence.single import Rows, fetch
from orderloom.persistence.tables.fulfillment import fulfillment_orders
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
_LINES = literal_column(
    f"""
    (SELECT json_agg(json_build_object(
        'line', a.line_id, 'sku', l.sku, 'name', l.name,
        'quantity', (SELECT COALESCE(SUM(u.quantity), 0) FROM unit_entries u
                     WHERE u.order_id = l.order_id AND u.line_id = l.id
                        AND u.fulfillment_order_id = a.fulfillment_order_id
                        AND u.state IN ({", ".join(f"'{state}'" for state in _HELD)})),
        'original_quantity', a.original_quantity, 'rejected_quantity', a.rejected_quantity,
        'reject_reason', a.reject_reason) ORDER BY l.position)
     FROM fulfillment_order_lines a
     JOIN order_lines l ON l.order_id = fulfillment_orders.order_id AND l.id = a.line_id
     WHERE a.fulfillment_order_id = fulfillment_orders.id)
    """,  # noqa: S608  # states of ours
    JSON,
)
_table = fulfillment_orders.c
_SELECTED = select(
    _table.id,
    _table.order_id.label("order"),
    _table.location_id.label("location"),
    _table.delivery_group_id.label("delivery_group"),
    _table.kind,
    _table.status,
    _table.attempt,
    _table.created_at,
    _table.closed_at,
    _table.hold_reason,
    _table.successor_id.label("successor"),
    _LINES.label("lines"),
)
"""Fulfillment orders as they are shown, with their lines: one statement for all of them."""
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
    """Return all fulfillment orders of an order, by number, in one statement."""
    return _shown((await conn.execute(_OF_ORDER, {"of_order": order_id})).all())


async def fulfillment_orders_page(
    engine: AsyncEngine,
    *,
    location: str,
    statuses: Sequence[str],
    after: str | None,
    limit: int,
) -> list[FulfillmentOrderView]:
    """
    Return at most *limit* fulfillment orders of a location with one of *statuses*, by status and id.

    One statement, and no transaction around it: locations ask for this all the time.
    """
    asked = {"of_location": location, "statuses": list(statuses), "at_most": limit}
    page = (_PAGE, asked) if after is None else (_NEXT_PAGE, {**asked, "after": after})
    return _shown(await fetch(engine, *page))


async def fulfillment_order_by_id(engine: AsyncEngine, fulfillment_order: str) -> FulfillmentOrderView | None:
    """Return one fulfillment order, or None."""
    found = _shown(await fetch(engine, _OF_ID, {"of_id": fulfillment_order}))
    return found[0] if found else None


_ORDER = text("SELECT order_id FROM fulfillment_orders WHERE id = :id")


async def order_of_fulfillment_order(engine: AsyncEngine, fulfillment_order: str) -> str | None:
    """Return the order that has a fulfillment order; None if there is no such."""
    rows = await fetch(engine, _ORDER, {"id": fulfillment_order})
    return rows[0].order_id if rows else None


def _shown(rows: Rows) -> list[FulfillmentOrderView]:
    return [
        FulfillmentOrderView(
            id=row.id,
            order=row.order,
            location=row.location,
            delivery_group=row.delivery_group,
            kind=row.kind,
            status=row.status,
            attempt=row.attempt,
            created_at=row.created_at,
            closed_at=row.closed_at,
            hold_reason=row.hold_reason,
            successor=row.successor,
            allowed_actions=allowed_on_fulfillment_order(row.status, row.kind, held=row.hold_reason is not None),
            lines=row.lines or (),
        )
        for row in rows
    ]

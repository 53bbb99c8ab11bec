"""An order as people and channels see it: everything about it in a fixed number of statements."""

from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.fulfillment import STOPPABLE, FulfillmentStatus
from orderloom.domain.model import Frozen
from orderloom.domain.money import Money
from orderloom.domain.order import ItemStatus, Line, OrderStatus, Quantities, Totals, item_status, totals
from orderloom.persistence.ledgers import read_funds
from orderloom.persistence.tables.orders import delivery_groups, orders
from orderloom.readmodels.allowed import AllowedAction, allowed_actions
from orderloom.readmodels.exceptions import ExceptionView, exceptions_of
from orderloom.readmodels.fulfillment import FulfillmentOrderView, fulfillment_orders_of
from orderloom.readmodels.order_documents import (
    ChangeOrderView,
    CreditMemoView,
    InvoiceView,
    RoutingAttemptView,
    RoutingScheduleView,
    change_orders_of,
    credit_memos_of,
    invoices_of,
    routing_attempts_of,
    routing_schedules_of,
)
from orderloom.readmodels.order_facts import OrderFacts, facts_of
from orderloom.readmodels.order_money import FundsView, PaymentView, funds_view, payments_of


class QuantitiesView(Frozen):
    """An item's quantities, and what follows from them."""

    ordered: int
    reserved: int
    """Reserved at a location group and not allocated."""
    cancelled: int
    allocated: int
    """In a fulfillment order, shipped or not."""
    fulfilled: int
    """Shipped, returned or not."""
    return_initiated: int
    returned: int
    quantity: int
    """What the customer has or will have."""
    net_ordered: int
    available_to_cancel: int
    available_to_fulfill: int
    available_to_return: int


class OrderItem(Frozen):
    """One line of the order: as it was placed, and where its units stand."""

    id: str
    position: int
    kind: str
    sku: str | None
    name: str
    delivery_group: str
    status: ItemStatus
    quantities: QuantitiesView
    unit_price: Money
    line_amount: Money
    """As placed, before adjustments, without tax."""
    adjustment: Money
    tax: Money
    total: Money
    """As placed, adjusted, with tax."""
    tax_category: str
    backordered: int
    """Units that were sold beyond what was available, and still wait for stock."""
    release_at: AwareDatetime | None
    """Of a preorder: it is not routed before."""


class DeliveryGroupView(Frozen):
    """Where a part of the order goes; names and addresses are not shown here."""

    id: str
    country: str
    method: str


class OrderView(Frozen):
    """An order with everything that belongs to it, but no personal data."""

    id: str
    number: str
    channel: str
    external_id: str
    currency: str
    life_cycle: str
    status: OrderStatus
    placed_at: AwareDatetime
    closed: bool
    """The service window is over; a command opens it again."""
    seq: int
    """Number of the last entry of its journal."""
    release: str
    next_due_at: AwareDatetime | None
    """When it will do something by itself, if nothing happens before."""
    items: tuple[OrderItem, ...]
    delivery_groups: tuple[DeliveryGroupView, ...]
    totals: dict[str, Money]
    """By the names of the reference, over what is neither cancelled nor returned."""
    funds: FundsView
    payments: tuple[PaymentView, ...]
    fulfillment_orders: tuple[FulfillmentOrderView, ...]
    invoices: tuple[InvoiceView, ...]
    credit_memos: tuple[CreditMemoView, ...]
    change_orders: tuple[ChangeOrderView, ...]
    routing_attempts_made: int
    routing_schedules: tuple[RoutingScheduleView, ...]
    routing_attempts: tuple[RoutingAttemptView, ...]
    exceptions: tuple[ExceptionView, ...]
    allowed_actions: tuple[AllowedAction, ...]


async def order_view(conn: AsyncConnection, order_id: str) -> OrderView | None:
    """Return an order, or None; the number of statements does not depend on the order."""
    row = await _order_row(conn, order_id)
    if row is None:
        return None
    currency: str = row.currency
    facts = await facts_of(conn, order_id)
    funds = await read_funds(conn, order_id)
    shipments = await fulfillment_orders_of(conn, order_id)
    stoppable = frozenset(each.id for each in shipments if FulfillmentStatus(each.status) in STOPPABLE)
    return OrderView(
        **_header(row, facts),
        items=tuple(_item(line, facts.quantities_of(line), currency) for line in facts.lines),
        delivery_groups=await _delivery_groups(conn, order_id),
        totals=_totals(totals(facts.lines, facts.pools), currency),
        funds=funds_view(funds, currency),
        payments=tuple(await payments_of(conn, order_id, currency, funds)),
        fulfillment_orders=tuple(shipments),
        invoices=tuple(await invoices_of(conn, order_id, currency, funds)),
        credit_memos=tuple(await credit_memos_of(conn, order_id, currency)),
        change_orders=tuple(await change_orders_of(conn, order_id, currency)),
        routing_schedules=tuple(await routing_schedules_of(conn, order_id)),
        routing_attempts=tuple(await routing_attempts_of(conn, order_id)),
        exceptions=tuple(await exceptions_of(conn, order_id)),
        allowed_actions=allowed_actions(facts, row.life_cycle, stoppable),
    )


async def _order_row(conn: AsyncConnection, order_id: str) -> Row[*tuple[Any, ...]] | None:
    table = orders.c
    query = select(
        table.id,
        table.channel_id,
        table.external_id,
        table.currency,
        table.life_cycle,
        table.placed_at,
        table.closed_at,
        table.seq,
        table.release,
        table.next_due_at,
        table.routing_attempts,
    ).where(table.id == order_id)
    return (await conn.execute(query)).one_or_none()


def _header(row: Row[*tuple[Any, ...]], facts: OrderFacts) -> dict[str, Any]:
    return {
        "id": row.id,
        "number": row.id,
        "channel": row.channel_id,
        "external_id": row.external_id,
        "currency": row.currency,
        "life_cycle": row.life_cycle,
        "status": facts.status,
        "placed_at": row.placed_at,
        "closed": row.closed_at is not None,
        "seq": row.seq,
        "release": row.release,
        "next_due_at": row.next_due_at,
        "routing_attempts_made": row.routing_attempts,
    }


def _item(line: Line, quantities: Quantities, currency: str) -> OrderItem:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=currency)

    return OrderItem(
        id=line.id,
        position=line.position,
        kind=line.kind,
        sku=line.sku,
        name=line.name,
        delivery_group=line.delivery_group,
        status=item_status(quantities),
        quantities=_quantities(quantities),
        unit_price=money(line.unit_price),
        line_amount=money(line.line_amount),
        adjustment=money(line.adjustment),
        tax=money(line.tax),
        total=money(line.total),
        tax_category=line.tax_category,
        backordered=min(line.sold_ahead, quantities.open),
        release_at=line.release_at,
    )


def _quantities(quantities: Quantities) -> QuantitiesView:
    return QuantitiesView(**{name: getattr(quantities, name) for name in QuantitiesView.model_fields})


def _totals(sums: Totals, currency: str) -> dict[str, Money]:
    amounts: dict[str, int] = sums.model_dump()
    return {name: Money(amount=amount, currency=currency) for name, amount in amounts.items()}


async def _delivery_groups(conn: AsyncConnection, order_id: str) -> tuple[DeliveryGroupView, ...]:
    table = delivery_groups.c
    query = select(table.id, table.country, table.method).where(table.order_id == order_id).order_by(table.id)
    return tuple(DeliveryGroupView.model_validate(row) for row in (await conn.execute(query)).mappings())

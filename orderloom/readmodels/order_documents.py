"""What belongs to an order beside its items: invoices, credit memos, change orders, routing."""

from pydantic import AwareDatetime
from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.money import Money
from orderloom.persistence.tables.fulfillment import routing_attempts, routing_schedules
from orderloom.persistence.tables.orders import change_order_lines, change_orders
from orderloom.persistence.tables.payments import credit_memo_lines, credit_memos, invoice_lines, invoices


class DocumentLine(Frozen):
    """One line of an invoice, credit memo or change order."""

    line: str
    quantity: int
    amount: Money
    """Adjusted, without tax."""
    tax: Money
    reason: str | None = None
    """Why the line was changed; only in a change order."""


class InvoiceView(Frozen):
    """An invoice over one fulfillment order."""

    id: str
    fulfillment_order: str
    amount: Money
    tax: Money
    total: Money
    balance: Money
    """What is not paid yet."""
    created_at: AwareDatetime
    voided_at: AwareDatetime | None = None
    """Since then it charges nothing; the fulfillment order may be invoiced again."""
    lines: tuple[DocumentLine, ...]


class CreditMemoView(Frozen):
    """A credit memo over one change order. Amounts are positive."""

    id: str
    change_order: str
    amount: Money
    tax: Money
    total: Money
    created_at: AwareDatetime
    lines: tuple[DocumentLine, ...]


class ChangeOrderView(Frozen):
    """A change of the order. Amounts are what was added to it: negative for a cancellation or return."""

    id: str
    kind: str
    before_fulfillment: bool
    balances: JsonObject
    """What the order's totals went down by, in minor units."""
    created_at: AwareDatetime
    lines: tuple[DocumentLine, ...]


class RoutingScheduleView(Frozen):
    """A routing attempt that is planned, was made, or was given up."""

    number: int
    status: str
    reason: str
    scheduled_at: AwareDatetime
    ended_at: AwareDatetime | None


class RoutingAttemptView(Frozen):
    """What a routing attempt found, and why."""

    number: int
    schedule: int
    outcome: str
    answer: JsonObject
    at: AwareDatetime


async def invoices_of(conn: AsyncConnection, order_id: str, currency: str, funds: OrderFunds) -> list[InvoiceView]:
    """Return the invoices of an order by number; *funds* says what is unpaid of each."""
    table = invoices.c
    query = select(table.id, table.fulfillment_order_id, table.amount, table.tax, table.created_at, table.voided_at)
    rows = (await conn.execute(query.where(table.order_id == order_id).order_by(table.number))).all()
    lines = await _lines(
        conn, order_id, currency, documents=invoices, lines=invoice_lines, key=invoice_lines.c.invoice_id
    )
    return [
        InvoiceView(
            id=row.id,
            fulfillment_order=row.fulfillment_order_id,
            amount=Money(amount=row.amount, currency=currency),
            tax=Money(amount=row.tax, currency=currency),
            total=Money(amount=row.amount + row.tax, currency=currency),
            balance=Money(amount=funds.invoice_balance(row.id), currency=currency),
            created_at=row.created_at,
            voided_at=row.voided_at,
            lines=lines.get(row.id, ()),
        )
        for row in rows
    ]


async def credit_memos_of(conn: AsyncConnection, order_id: str, currency: str) -> list[CreditMemoView]:
    """Return the credit memos of an order by number."""
    table = credit_memos.c
    query = select(table.id, table.change_order_id, table.amount, table.tax, table.created_at)
    rows = (await conn.execute(query.where(table.order_id == order_id).order_by(table.number))).all()
    key = credit_memo_lines.c.credit_memo_id
    lines = await _lines(conn, order_id, currency, documents=credit_memos, lines=credit_memo_lines, key=key)
    return [
        CreditMemoView(
            id=row.id,
            change_order=row.change_order_id,
            amount=Money(amount=row.amount, currency=currency),
            tax=Money(amount=row.tax, currency=currency),
            total=Money(amount=row.amount + row.tax, currency=currency),
            created_at=row.created_at,
            lines=lines.get(row.id, ()),
        )
        for row in rows
    ]


async def change_orders_of(conn: AsyncConnection, order_id: str, currency: str) -> list[ChangeOrderView]:
    """Return the change orders of an order, in the order in which they were made."""
    table = change_orders.c
    query = select(table.id, table.kind, table.before_fulfillment, table.balances, table.created_at)
    rows = (await conn.execute(query.where(table.order_id == order_id).order_by(table.seq, table.id))).mappings()
    key = change_order_lines.c.change_order_id
    lines = await _lines(conn, order_id, currency, documents=change_orders, lines=change_order_lines, key=key)
    return [ChangeOrderView(**row, lines=lines.get(row["id"], ())) for row in rows]


async def _lines(
    conn: AsyncConnection, order_id: str, currency: str, *, documents: Table, lines: Table, key: ColumnElement[str]
) -> dict[str, tuple[DocumentLine, ...]]:
    """Return the lines of all *documents* of an order, by document, in one statement."""
    reason = [lines.c.reason] if "reason" in lines.c else []
    query = (
        select(key.label("document"), lines.c.line_id, lines.c.quantity, lines.c.amount, lines.c.tax, *reason)
        .join(documents, documents.c.id == key)
        .where(documents.c.order_id == order_id)
        .order_by(key, lines.c.line_id)
    )
    found: dict[str, list[DocumentLine]] = {}
    for row in (await conn.execute(query)).mappings():
        line = DocumentLine(
            line=row["line_id"],
            quantity=row["quantity"],
            amount=Money(amount=row["amount"], currency=currency),
            tax=Money(amount=row["tax"], currency=currency),
            reason=row.get("reason"),
        )
        found.setdefault(row["document"], []).append(line)
    return {document: tuple(of_document) for document, of_document in found.items()}


async def routing_schedules_of(conn: AsyncConnection, order_id: str) -> list[RoutingScheduleView]:
    """Return the routing schedules of an order, by number."""
    table = routing_schedules.c
    query = select(table.number, table.status, table.reason, table.scheduled_at, table.ended_at)
    rows = await conn.execute(query.where(table.order_id == order_id).order_by(table.number))
    return [RoutingScheduleView.model_validate(row) for row in rows.mappings()]


async def routing_attempts_of(conn: AsyncConnection, order_id: str) -> list[RoutingAttemptView]:
    """Return the routing attempts of an order, by number."""
    table = routing_attempts.c
    query = select(table.number, table.schedule, table.outcome, table.answer, table.at)
    rows = await conn.execute(query.where(table.order_id == order_id).order_by(table.number))
    return [RoutingAttemptView.model_validate(row) for row in rows.mappings()]

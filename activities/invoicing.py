"""Invoices of fulfillment orders and credit memos of change orders: documents, and what they move in the ledger."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import select

from activities.fulfillment import required_fulfillment_order
from activities.registry import implements
from activities.unit import Fact, Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import CreditMemoCreated, ForChangeOrder, ForFulfillmentOrder, InvoiceCreated
from orderloom.domain import ids
from orderloom.domain.errors import NotFound
from orderloom.domain.funds import Account, Posting
from orderloom.domain.invoicing import AlreadyInvoiced
from orderloom.domain.units import Pool, UnitState
from orderloom.persistence.books import INVOICES
from orderloom.persistence.tables.orders import change_order_lines, change_orders
from orderloom.persistence.tables.payments import credit_memo_lines, credit_memos, invoice_lines, invoices


class DocumentLine(NamedTuple):
    """A line of an invoice or credit memo; amounts in minor units, ``amount`` without tax."""

    line_id: str
    quantity: int
    amount: int
    tax: int


_BILLABLE = (UnitState.ALLOCATED, UnitState.FULFILLED, UnitState.RETURN_INITIATED, UnitState.RETURNED)
"""What went out is invoiced in full even if it came back before its invoice: the credit memo gives it back."""


JUST_INVOICED = Fact[InvoiceCreated]()
"""The last invoice that the transaction has made; it is not voided."""


@implements(actions.create_invoice)
async def create_invoice(unit: Unit, command: ForFulfillmentOrder) -> InvoiceCreated:
    """Invoice a fulfillment order's units, charges included, at their share of the order's amounts."""
    billed = _by_line(
        pool for pool in await unit.pools(*_BILLABLE) if pool.account.fulfillment_order == command.fulfillment_order
    )
    number = 1 + await _invoiced_before(unit, command.fulfillment_order)
    if not billed:
        await required_fulfillment_order(unit, command.fulfillment_order)
    invoice = ids.invoice_id(unit.order.id, number)
    amount, tax = _totals(billed)
    unit.journal("invoice.created", {"invoice": invoice, "total": amount + tax})
    row = {"id": invoice, "order_id": unit.order.id, "number": number, "amount": amount, "tax": tax}
    unit.enter(invoices, {**row, "fulfillment_order_id": command.fulfillment_order, "created_at": unit.now})
    unit.enter(invoice_lines, *({"invoice_id": invoice, **line._asdict()} for line in billed))
    unit.post(Posting(debit=Account.ORDERED, credit=Account.INVOICED, amount=amount + tax, document_id=invoice))
    created = InvoiceCreated(invoice=invoice, total=amount + tax)
    unit.remember(JUST_INVOICED, created)
    return created


@implements(actions.create_credit_memo)
async def create_credit_memo(unit: Unit, command: ForChangeOrder) -> CreditMemoCreated:
    """Credit a change order of fulfilled items; asked again for the same change order, answer with its memo."""
    lines = await _credited_lines(unit, command.change_order)
    if (known := await _memo_of(unit, command.change_order)) is not None:
        return known
    number = await unit.next_number(credit_memos)
    memo = ids.credit_memo_id(unit.order.id, number)
    amount, tax = _totals(lines)
    unit.journal("credit-memo.created", {"credit_memo": memo, "total": amount + tax})
    row = {"id": memo, "order_id": unit.order.id, "number": number, "amount": amount, "tax": tax}
    unit.enter(credit_memos, {**row, "change_order_id": command.change_order, "created_at": unit.now})
    unit.enter(credit_memo_lines, *({"credit_memo_id": memo, **line._asdict()} for line in lines))
    unit.post(Posting(debit=Account.INVOICED, credit=Account.CREDITED, amount=amount + tax, document_id=memo))
    return CreditMemoCreated(credit_memo=memo, total=amount + tax)


async def _invoiced_before(unit: Unit, fulfillment_order: str) -> int:
    """
    Return how many invoices the order has; none of them is a fulfillment order's, unless voided.

    Raises:
        AlreadyInvoiced: one is.
    """
    rows = await unit.book(INVOICES)
    for invoice, of, voided, _ in rows:
        if of == fulfillment_order and not voided:
            detail = f"fulfillment order {fulfillment_order} has invoice {invoice}"
            raise AlreadyInvoiced(detail, fulfillment_order=fulfillment_order, invoice=invoice)
    return len(rows)


def _by_line(pools: Iterable[Pool]) -> list[DocumentLine]:
    lines: dict[str, DocumentLine] = {}
    for pool in pools:
        _, quantity, amount, tax = lines.get(pool.line_id, (pool.line_id, 0, 0, 0))
        lines[pool.line_id] = DocumentLine(pool.line_id, quantity + pool.quantity, amount + pool.amount, tax + pool.tax)
    return list(lines.values())


def _totals(lines: Sequence[DocumentLine]) -> tuple[int, int]:
    return sum(line.amount for line in lines), sum(line.tax for line in lines)


async def _credited_lines(unit: Unit, change_order: str) -> list[DocumentLine]:
    """Return the memo's lines: positive amounts where the change order's are negative."""
    columns = change_order_lines.c
    rows = await unit.read(
        select(columns.line_id, columns.quantity, columns.amount, columns.tax)
        .join(change_orders, change_orders.c.id == columns.change_order_id)
        .where(
            change_orders.c.id == change_order,
            change_orders.c.order_id == unit.order.id,
            change_orders.c.before_fulfillment.is_(False),
        )
        .order_by(columns.line_id)
    )
    lines = [DocumentLine(row.line_id, row.quantity, -row.amount, -row.tax) for row in rows]
    if not lines:
        detail = f"order {unit.order.id} has no change order {change_order} of fulfilled items"
        raise NotFound(detail, change_order=change_order)
    return lines


async def _memo_of(unit: Unit, change_order: str) -> CreditMemoCreated | None:
    columns = credit_memos.c
    query = select(columns.id, (columns.amount + columns.tax).label("total")).where(
        columns.change_order_id == change_order
    )
    found = (await unit.read(query)).one_or_none()
    return None if found is None else CreditMemoCreated(credit_memo=found.id, total=found.total)

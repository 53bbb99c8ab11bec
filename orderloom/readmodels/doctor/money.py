"""Checks of the money ledger against itself, the unit ledger, documents and payment intents."""

from sqlalchemy import ColumnElement, Table, and_, case, func, literal, select

from orderloom.contracts.outside import GatewayOperation, Outcome
from orderloom.domain.funds import Account
from orderloom.domain.units import UnitState
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.orders import orders
from orderloom.persistence.tables.payments import (
    credit_memo_lines,
    credit_memos,
    invoice_lines,
    invoices,
    payment_intents,
    payments,
)
from orderloom.readmodels.doctor.rows import Broken, broken, named, together, total

_entries = money_entries.c
_intents = payment_intents.c
_COUNTER_ACCOUNTS = (Account.CUSTOMER, Account.GATEWAY)
_OF_PAYMENTS = (Account.AUTHORISED, Account.CAPTURED, Account.APPLIED, Account.REFUNDED)
_CAPTURED = (Account.CAPTURED, Account.APPLIED, Account.REFUNDED)
"""Captured money stays in these accounts together, whatever becomes of it."""
_NOT_OWED = (UnitState.SOURCE, UnitState.CANCELLED)


def money_unbalanced() -> Broken:
    """Find orders whose postings do not add up to zero."""
    sums = select(_entries.order_id, func.sum(_entries.amount).label("amount")).group_by(_entries.order_id).subquery()
    return broken(sums, order=sums.c.order_id, subject=named("postings"), expected=literal(0), found=sums.c.amount)


def money_negative() -> Broken:
    """Find accounts of an order or payment that are below zero."""
    found = func.sum(_entries.amount)
    account = (_entries.order_id, _entries.account, _entries.payment_id)
    sums = (
        select(*account, found.label("amount"))
        .where(_entries.account.not_in(_COUNTER_ACCOUNTS))
        .group_by(*account)
        .having(found < 0)
        .subquery()
    )
    return broken(
        sums,
        order=sums.c.order_id,
        subject=named("account", sums.c.account, sums.c.payment_id),
        expected=literal(0),
        found=sums.c.amount,
    )


def money_and_units_differ() -> Broken:
    """Find orders whose customer account is not what their units that are not cancelled cost."""
    units = (
        select(unit_entries.c.order_id, func.sum(unit_entries.c.amount + unit_entries.c.tax).label("amount"))
        .where(unit_entries.c.state.not_in(_NOT_OWED))
        .group_by(unit_entries.c.order_id)
        .subquery()
    )
    owed = (
        select(_entries.order_id, func.sum(-_entries.amount).label("amount"))
        .where(_entries.account == Account.CUSTOMER)
        .group_by(_entries.order_id)
        .subquery()
    )
    source = orders.outerjoin(units, units.c.order_id == orders.c.id).outerjoin(owed, owed.c.order_id == orders.c.id)
    return broken(
        source,
        order=orders.c.id,
        subject=named("account customer"),
        expected=func.coalesce(units.c.amount, 0),
        found=func.coalesce(owed.c.amount, 0),
    )


def invoices_unlike_lines() -> Broken:
    """Find invoices whose amount or tax is not the sum of their lines."""
    return _unlike_lines(invoices, invoice_lines, invoice_lines.c.invoice_id, "invoice")


def credit_memos_unlike_lines() -> Broken:
    """Find credit memos whose amount or tax is not the sum of their lines."""
    return _unlike_lines(credit_memos, credit_memo_lines, credit_memo_lines.c.credit_memo_id, "credit memo")


def _unlike_lines(documents: Table, lines: Table, document: ColumnElement[str], name: str) -> Broken:
    sums = (
        select(document.label("id"), func.sum(lines.c.amount).label("amount"), func.sum(lines.c.tax).label("tax"))
        .group_by(document)
        .subquery()
    )
    source = documents.outerjoin(sums, sums.c.id == documents.c.id)
    return together(
        *(
            broken(
                source,
                order=documents.c.order_id,
                subject=named(name, documents.c.id, measure),
                expected=func.coalesce(sums.c[measure], 0),
                found=documents.c[measure],
            )
            for measure in ("amount", "tax")
        )
    )


def invoices_unlike_ledger() -> Broken:
    """Find invoices that the money ledger does not hold at their total, or that it holds though they are void."""
    total_ = case((invoices.c.voided_at.is_(None), invoices.c.amount + invoices.c.tax), else_=0)
    return _unlike_ledger(invoices, Account.INVOICED, "invoice", total_)


def credit_memos_unlike_ledger() -> Broken:
    """Find credit memos that the money ledger does not hold at their total."""
    expected = credit_memos.c.amount + credit_memos.c.tax
    return _unlike_ledger(credit_memos, Account.CREDITED, "credit memo", expected)


def _unlike_ledger(documents: Table, account: Account, name: str, expected: ColumnElement[int]) -> Broken:
    sums = (
        select(_entries.document_id.label("id"), func.sum(_entries.amount).label("amount"))
        .where(_entries.account == account, _entries.document_id.is_not(None))
        .group_by(_entries.document_id)
        .subquery()
    )
    return broken(
        documents.outerjoin(sums, sums.c.id == documents.c.id),
        order=documents.c.order_id,
        subject=named(name, documents.c.id),
        expected=expected,
        found=func.coalesce(sums.c.amount, 0),
    )


def captures_unlike_intents() -> Broken:
    """Find payments that captured another amount than their capture intents succeeded with."""
    captured = total(_entries.amount, _entries.account.in_(_CAPTURED))
    return _unlike_intents(captured, GatewayOperation.CAPTURE)


def refunds_unlike_intents() -> Broken:
    """Find payments that refunded another amount than their refund intents succeeded with."""
    refunded = total(_entries.amount, _entries.account == Account.REFUNDED)
    return _unlike_intents(refunded, GatewayOperation.REFUND)


def _unlike_intents(booked: ColumnElement[int], operation: GatewayOperation) -> Broken:
    ledger = (
        select(_entries.payment_id.label("id"), booked.label("amount"))
        .where(_entries.account.in_(_OF_PAYMENTS))
        .group_by(_entries.payment_id)
        .subquery()
    )
    done = and_(_intents.operation == operation, _intents.outcome == Outcome.SUCCEEDED)
    asked = (
        select(_intents.payment_id.label("id"), func.sum(_intents.amount).label("amount"))
        .where(done)
        .group_by(_intents.payment_id)
        .subquery()
    )
    source = payments.outerjoin(ledger, ledger.c.id == payments.c.id).outerjoin(asked, asked.c.id == payments.c.id)
    return broken(
        source,
        order=payments.c.order_id,
        subject=named("payment", payments.c.id, operation.value),
        expected=func.coalesce(asked.c.amount, 0),
        found=func.coalesce(ledger.c.amount, 0),
    )

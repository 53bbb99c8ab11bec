"""Reads and shapes the rows of the two ledgers. Sums are made by PostgreSQL, meaning by the domain."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.outside import GatewayOperation, Outcome
from orderloom.domain.funds import Account as MoneyAccount
from orderloom.domain.funds import LedgerBalance, OrderFunds, Posting
from orderloom.domain.order import Line
from orderloom.domain.payments import PaymentBalance
from orderloom.domain.units import Account, Movement, Pool, UnitState
from orderloom.persistence.books import (
    BALANCES,
    INTENTS,
    LINES,
    MONEY,
    PAYMENTS,
    Books,
    Rows,
    read_books,
)

_STATES = {state: rank for rank, state in enumerate(UnitState)}


async def read_lines_and_pools(conn: AsyncConnection, order_id: str) -> tuple[list[Line], list[Pool]]:
    """Return an order's lines and balances (``lines_and_pools``); one statement."""
    return lines_and_pools(await read_books(conn, order_id, LINES, BALANCES))


def lines_and_pools(books: Books) -> tuple[list[Line], list[Pool]]:
    """
    Return an order's lines and the balances of its units that are not zero, the counter-account included.

    Both are in the order of the lines' positions, pools then by state, place and fulfillment order.
    """
    lines = [_line(row) for row in books.rows(LINES)]
    return lines, in_order(lines, [_pool(row) for row in books.rows(BALANCES)])


def in_order(lines: Iterable[Line], pools: Iterable[Pool]) -> list[Pool]:
    """Return *pools* by the positions of *lines*, then by state, place and fulfillment order."""
    position = {line.id: line.position for line in lines}

    def rank(pool: Pool) -> tuple[int, int, str, str]:
        account = pool.account
        return position[pool.line_id], _STATES[account.state], account.place, account.fulfillment_order or ""

    return sorted(pools, key=rank)


_OF_LINE = tuple({"delivery_group_id": "delivery_group", "tax_rate::text": "tax_rate"}.get(c, c) for c in LINES.columns)


def _line(row: Sequence[Any]) -> Line:
    """Return the line of a row of ``LINES``: what the database holds needs no check."""
    values = dict(zip(_OF_LINE, row, strict=True))
    if values["tax_rate"] is not None:
        values["tax_rate"] = Decimal(values["tax_rate"])
    if values["release_at"] is not None:
        values["release_at"] = datetime.fromisoformat(values["release_at"])
    return Line.model_construct(**values)


def _pool(row: Sequence[Any]) -> Pool:
    line_id, state, place, fulfillment_order, quantity, amount, tax = row
    account = Account(state=UnitState(state), place=place, fulfillment_order=fulfillment_order)
    return Pool(line_id=line_id, account=account, quantity=quantity, amount=amount, tax=tax)


def movement_rows(order_id: str, seq: int, movements: Sequence[Movement]) -> list[dict[str, Any]]:
    """Return the rows that enter *movements* into the ledger of units: out of the source, into the target."""
    return [
        {
            "order_id": order_id,
            "seq": seq,
            "line_id": movement.line_id,
            "state": account.state.value,
            "place": account.place,
            "fulfillment_order_id": account.fulfillment_order,
            "quantity": sign * movement.quantity,
            "amount": sign * movement.amount,
            "tax": sign * movement.tax,
        }
        for movement in movements
        for account, sign in ((movement.source, -1), (movement.target, 1))
    ]


def posting_rows(order_id: str, seq: int, postings: Sequence[Posting]) -> list[dict[str, Any]]:
    """Return the rows that enter *postings* into the ledger of money: out of the debit, into the credit account."""
    return [
        {
            "order_id": order_id,
            "seq": seq,
            "account": account.value,
            "payment_id": posting.payment_id,
            "document_id": posting.document_id,
            "amount": sign * posting.amount,
        }
        for posting in postings
        for account, sign in ((posting.debit, -1), (posting.credit, 1))
    ]


_PENDING = frozenset({Outcome.REQUESTED, Outcome.UNKNOWN})


async def read_funds(conn: AsyncConnection, order_id: str) -> OrderFunds:
    """Return an order's money; one statement."""
    books = await read_books(conn, order_id, MONEY, PAYMENTS, INTENTS)
    return funds_of(books.rows(MONEY), books.rows(PAYMENTS), books.rows(INTENTS))


def funds_of(balances: Rows, payments: Rows, intents: Rows) -> OrderFunds:
    """
    Return the money that rows of ``MONEY``, ``PAYMENTS`` and ``INTENTS`` tell of.

    Several balances of one account and document add up.
    """
    summed: dict[tuple[str, str | None, str | None], int] = {}
    for account, payment, document, amount in balances:
        summed[account, payment, document] = summed.get((account, payment, document), 0) + int(amount)
    entries = tuple(
        LedgerBalance(account=MoneyAccount(account), payment_id=payment, document_id=document, amount=amount)
        for (account, payment, document), amount in summed.items()
        if amount
    )
    asked = _Asked(intents)
    memos: dict[str, int] = {}
    for _, _, operation, amount, document, _, outcome, *_ in intents:
        if operation == GatewayOperation.REFUND and outcome in _PENDING and document is not None:
            memos[document] = memos.get(document, 0) + int(amount)
    return OrderFunds(
        entries=entries,
        payments=tuple(_payment(payment, entries, asked) for payment in payments),
        pending_memo_refunds=memos,
    )


class _Asked:
    """Sums of what gateways were asked for."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def pending(self, payment: str, operation: GatewayOperation, *, excess: bool = False) -> int:
        return sum(
            int(amount)
            for _, of, what, amount, document, _, outcome, *_ in self._rows
            if of == payment and what == operation and outcome in _PENDING and not (excess and document is not None)
        )

    def reversed(self, payment: str) -> int:
        return sum(
            int(amount)
            for _, of, what, amount, _, _, outcome, *_ in self._rows
            if of == payment and what == GatewayOperation.REVERSE and outcome == Outcome.SUCCEEDED
        )


def _payment(row: Sequence[Any], entries: Sequence[LedgerBalance], asked: _Asked) -> PaymentBalance:
    payment, position, method, covers, _, token, authorization = row
    can_ask = token is not None and authorization is None

    def balance(account: MoneyAccount) -> int:
        return sum(entry.amount for entry in entries if entry.account is account and entry.payment_id == payment)

    authorised, captured = balance(MoneyAccount.AUTHORISED), balance(MoneyAccount.CAPTURED)
    applied, refunded = balance(MoneyAccount.APPLIED), balance(MoneyAccount.REFUNDED)
    taken = captured + applied + refunded
    asking = asked.pending(payment, GatewayOperation.AUTHORIZE)
    on_account = method == "account"
    return PaymentBalance(
        payment_id=payment,
        position=position,
        method=method,
        authorised=authorised,
        captured=captured,
        applied=applied,
        refunded=refunded,
        reversed=asked.reversed(payment),
        on_account=max(0, int(covers) - taken) if on_account else 0,
        authorizable=int(covers) if can_ask and not on_account and asking == authorised == taken == 0 else 0,
        pending_authorization=asking,
        pending_capture=asked.pending(payment, GatewayOperation.CAPTURE),
        pending_refund=asked.pending(payment, GatewayOperation.REFUND),
        pending_excess=asked.pending(payment, GatewayOperation.REFUND, excess=True),
        pending_reverse=asked.pending(payment, GatewayOperation.REVERSE),
    )

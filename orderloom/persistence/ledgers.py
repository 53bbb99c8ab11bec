"""Reads and shapes the rows of the two ledgers. Sums are made by PostgreSQL, meaning by the domain."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import (
    BindParameter,
    CollectionAggregate,
    Row,
    Select,
    Text,
    any_,
    bindparam,
    case,
    column,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.outside import GatewayOperation, Outcome
from orderloom.domain.funds import Account as MoneyAccount
from orderloom.domain.funds import LedgerBalance, OrderFunds, Posting
from orderloom.domain.order import Line
from orderloom.domain.payments import PaymentBalance
from orderloom.domain.units import Account, Movement, Pool, UnitState
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import order_lines

_ORDER = bindparam("order_id", type_=Text)
_ORDERS = any_(bindparam("order_ids", type_=ARRAY(Text)))
_STATES = list(UnitState)

_balance = unit_entries.c


def _lines_and_pools(of: BindParameter[str] | CollectionAggregate[Any]) -> Select[*tuple[Any, ...]]:
    """Return the query for the lines of the orders *of*, each with its balances that are not zero."""
    balances = (
        select(
            _balance.order_id,
            _balance.line_id,
            _balance.state,
            _balance.place,
            _balance.fulfillment_order_id,
            func.sum(_balance.quantity).label("units"),
            func.sum(_balance.amount).label("money"),
            func.sum(_balance.tax).label("tax_money"),
        )
        .where(_balance.order_id == of)
        .group_by(_balance.order_id, _balance.line_id, _balance.state, _balance.place, _balance.fulfillment_order_id)
        .having((func.sum(_balance.quantity) != 0) | (func.sum(_balance.amount) != 0) | (func.sum(_balance.tax) != 0))
        .subquery("balances")
    )
    line, balance = order_lines.c, balances.c
    rank = case({state.value: rank for rank, state in enumerate(_STATES)}, value=balance.state, else_=len(_STATES))
    columns = [column for column in balance if column.name not in {"order_id", "line_id"}]
    same = (balance.order_id == line.order_id) & (balance.line_id == line.id)
    return (
        select(order_lines, *columns)
        .select_from(order_lines.outerjoin(balances, same))
        .where(line.order_id == of)
        .order_by(line.position, rank, balance.place, balance.fulfillment_order_id.nulls_first())
    )


_OF_ONE, _OF_MANY = _lines_and_pools(_ORDER), _lines_and_pools(_ORDERS)


LINES_AND_POOLS = frozenset({order_lines.name, unit_entries.name})
"""Names of the tables that lines and balances are read from."""


async def read_lines_and_pools(conn: AsyncConnection, order_id: str) -> tuple[list[Line], list[Pool]]:
    """
    Return an order's lines and the balances of its units that are not zero, the counter-account included.

    Both are in the order of the lines' positions, pools then by state, place and fulfillment order; one statement.
    """
    return _read(await conn.execute(_OF_ONE, {"order_id": order_id}))


async def read_lines_and_pools_of(
    conn: AsyncConnection, order_ids: Sequence[str]
) -> dict[str, tuple[list[Line], list[Pool]]]:
    """Return what ``read_lines_and_pools`` does, of several orders; one statement."""
    rows: dict[str, list[Row[*tuple[Any, ...]]]] = {order: [] for order in order_ids}
    for row in await conn.execute(_OF_MANY, {"order_ids": list(order_ids)}):
        rows[row.order_id].append(row)
    return {order: _read(of_order) for order, of_order in rows.items()}


def _read(rows: Iterable[Row[*tuple[Any, ...]]]) -> tuple[list[Line], list[Pool]]:
    lines: dict[str, Line] = {}
    pools: list[Pool] = []
    for row in rows:
        if row.id not in lines:
            lines[row.id] = line_of(row)
        if row.state is not None:
            pools.append(_pool(row))
    return list(lines.values()), pools


def line_of(row: Row[*tuple[Any, ...]]) -> Line:
    """Return the line that a row of ``order_lines`` holds."""
    return Line(
        id=row.id,
        position=row.position,
        kind=row.kind,
        sku=row.sku,
        name=row.name,
        delivery_group=row.delivery_group_id,
        quantity=row.quantity,
        unit_price=row.unit_price,
        line_amount=row.line_amount,
        adjustment=row.adjustment,
        tax=row.tax,
        tax_category=row.tax_category,
        tax_rate=row.tax_rate,
        fulfilment=row.fulfilment,
        sold_ahead=row.sold_ahead,
        release_at=row.release_at,
    )


def _pool(row: Row[*tuple[Any, ...]]) -> Pool:
    account = Account.model_construct(
        state=UnitState(row.state), place=row.place, fulfillment_order=row.fulfillment_order_id
    )
    return Pool.model_construct(
        line_id=row.id, account=account, quantity=int(row.units), amount=int(row.money), tax=int(row.tax_money)
    )


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


FUNDS = """
    (SELECT jsonb_agg(jsonb_build_array(m.account, m.payment_id, m.document_id, m.amount)
                      ORDER BY m.account, m.payment_id, m.document_id)
     FROM (SELECT account, payment_id, document_id, SUM(amount) AS amount FROM money_entries
           WHERE order_id = {order} GROUP BY account, payment_id, document_id HAVING SUM(amount) <> 0) m) AS entries,
    (SELECT jsonb_agg(jsonb_build_array(p.id, p.position, p.method, p.amount,
                                        p.token IS NOT NULL AND p.authorization_ref IS NULL) ORDER BY p.position, p.id)
     FROM payments p WHERE p.order_id = {order}) AS payments,
    (SELECT jsonb_agg(jsonb_build_array(i.id, i.payment_id, i.operation, i.outcome, i.document_id, i.amount))
     FROM payment_intents i
     WHERE i.order_id = {order} AND (i.operation = 'reverse' OR i.outcome IN ('requested', 'unknown'))) AS intents
"""
"""Columns of a query about ``{order}``; each may be null. For ``funds_of``."""

FUNDS_COLUMNS = (column("entries", JSONB), column("payments", JSONB), column("intents", JSONB))

_READ_FUNDS = text(f"SELECT {FUNDS.format(order=':order_id')}").columns(*FUNDS_COLUMNS)  # a constant of this module

_PENDING = frozenset({Outcome.REQUESTED, Outcome.UNKNOWN})


async def read_funds(conn: AsyncConnection, order_id: str) -> OrderFunds:
    """Return an order's money; one statement."""
    row = (await conn.execute(_READ_FUNDS, {"order_id": order_id})).one()
    return funds_of(row.entries or (), row.payments or (), row.intents or ())


def funds_of(
    balances: Sequence[Sequence[Any]], payments: Sequence[Sequence[Any]], intents: Sequence[Sequence[Any]]
) -> OrderFunds:
    """Return the money that the columns ``FUNDS`` tell of; several balances of one account and document add up."""
    summed: dict[tuple[str, str | None, str | None], int] = {}
    for account, payment, document, amount in balances:
        summed[account, payment, document] = summed.get((account, payment, document), 0) + int(amount)
    entries = tuple(
        LedgerBalance.model_construct(
            account=MoneyAccount(account), payment_id=payment, document_id=document, amount=amount
        )
        for (account, payment, document), amount in summed.items()
        if amount
    )
    asked = _Asked(intents)
    memos: dict[str, int] = {}
    for _, _, operation, outcome, document, amount in intents:
        if operation == GatewayOperation.REFUND and outcome in _PENDING and document is not None:
            memos[document] = memos.get(document, 0) + int(amount)
    return OrderFunds.model_construct(
        entries=entries,
        payments=tuple(_payment(payment, entries, asked) for payment in payments),
        pending_memo_refunds=memos,
    )


class _Asked:
    """Sums of what gateways were asked for."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        self._rows = rows

    def pending(self, payment: str, operation: GatewayOperation, *, excess: bool = False) -> int:
        return sum(
            int(amount)
            for _, of, what, outcome, document, amount in self._rows
            if of == payment and what == operation and outcome in _PENDING and not (excess and document is not None)
        )

    def reversed(self, payment: str) -> int:
        return sum(
            int(amount)
            for _, of, what, outcome, _, amount in self._rows
            if of == payment and what == GatewayOperation.REVERSE and outcome == Outcome.SUCCEEDED
        )


def _payment(row: Sequence[Any], entries: Sequence[LedgerBalance], asked: _Asked) -> PaymentBalance:
    payment, position, method, covers, can_ask = row

    def balance(account: MoneyAccount) -> int:
        return sum(entry.amount for entry in entries if entry.account is account and entry.payment_id == payment)

    authorised, captured = balance(MoneyAccount.AUTHORISED), balance(MoneyAccount.CAPTURED)
    applied, refunded = balance(MoneyAccount.APPLIED), balance(MoneyAccount.REFUNDED)
    taken = captured + applied + refunded
    asking = asked.pending(payment, GatewayOperation.AUTHORIZE)
    on_account = method == "account"
    return PaymentBalance.model_construct(
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

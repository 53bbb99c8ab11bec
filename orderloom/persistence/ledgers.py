"""Reads and shapes the rows of the two ledgers. Sums are made by PostgreSQL, meaning by the domain."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Row, bindparam, case, func, literal, select
from sqlalchemy.dialects.postgresql import JSONB, aggregate_order_by
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds, Posting
from orderloom.domain.order import Line
from orderloom.domain.units import Account, Movement, Pool, UnitState
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.orders import order_lines
from orderloom.persistence.tables.payments import payment_intents, payments

_ORDER = bindparam("order_id")
_STATES = list(UnitState)

_balance = unit_entries.c
_balances = (
    select(
        _balance.line_id,
        _balance.state,
        _balance.place,
        _balance.fulfillment_order_id,
        func.sum(_balance.quantity).label("units"),
        func.sum(_balance.amount).label("money"),
        func.sum(_balance.tax).label("tax_money"),
    )
    .where(_balance.order_id == _ORDER)
    .group_by(_balance.line_id, _balance.state, _balance.place, _balance.fulfillment_order_id)
    .having(
        (func.sum(_balance.quantity) != 0) | (func.sum(_balance.amount) != 0) | (func.sum(_balance.tax) != 0)
    )
    .subquery("balances")
)
_state_rank = case(
    {state.value: rank for rank, state in enumerate(_STATES)}, value=_balances.c.state, else_=len(_STATES)
)
_LINES_AND_POOLS = (
    select(order_lines, _balances)
    .select_from(order_lines.outerjoin(_balances, _balances.c.line_id == order_lines.c.id))
    .where(order_lines.c.order_id == _ORDER)
    .order_by(
        order_lines.c.position, _state_rank, _balances.c.place, _balances.c.fulfillment_order_id.nulls_first()
    )
)


async def read_lines_and_pools(conn: AsyncConnection, order_id: str) -> tuple[list[Line], list[Pool]]:
    """
    Return an order's lines and the balances of its units that are not zero, the counter-account included.

    Both are in the order of the lines' positions, pools then by state, place and fulfillment order; one statement.
    """
    lines: dict[str, Line] = {}
    pools: list[Pool] = []
    for row in await conn.execute(_LINES_AND_POOLS, {"order_id": order_id}):
        if row.id not in lines:
            lines[row.id] = line_of(row)
        if row.state is not None:
            pools.append(_pool(row))
    return list(lines.values()), pools


def line_of(row: Row[Any]) -> Line:
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
    )


def _pool(row: Row[Any]) -> Pool:
    account = Account(state=UnitState(row.state), place=row.place, fulfillment_order=row.fulfillment_order_id)
    return Pool(
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

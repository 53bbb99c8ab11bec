"""An order's payments and what they hold."""

from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds
from orderloom.domain.model import Frozen
from orderloom.domain.money import Money
from orderloom.domain.payments import PaymentBalance
from orderloom.persistence.tables.payments import payment_intents, payments


class IntentView(Frozen):
    """Something that a gateway was asked to do, and what came of it."""

    id: str
    operation: str
    amount: Money
    document: str | None
    """The invoice or credit memo it is for."""
    outcome: str
    """``requested``, ``succeeded``, ``failed``, or ``unknown`` while the gateway does not say."""
    code: str | None
    """The gateway's reason; ``given`` for what the channel had done itself."""
    created_at: AwareDatetime
    settled_at: AwareDatetime | None


class PaymentView(Frozen):
    """A payment of the order and its balances."""

    id: str
    method: str
    gateway: str
    amount: Money
    """What the channel says it covers."""
    authorised: Money
    """Authorised and neither captured nor reversed."""
    captured: Money
    """All that was captured, whatever became of it."""
    applied: Money
    """Applied to invoices and not refunded."""
    refunded: Money
    pending_capture: Money
    pending_refund: Money
    available_to_capture: Money
    available_to_refund: Money
    expires_at: AwareDatetime | None
    intents: tuple[IntentView, ...]


class FundsView(Frozen):
    """The order's money as a whole."""

    ordered: Money
    """Owed and not invoiced yet."""
    invoiced: Money
    """Invoiced, less what was credited."""
    credited: Money
    authorised: Money
    captured: Money
    """Captured and not applied."""
    applied: Money
    refunded: Money
    excess: Money
    """Captured beyond what the order owes."""
    refundable: Money
    to_authorize: Money
    to_reverse: Money


def funds_view(funds: OrderFunds, currency: str) -> FundsView:
    """Return the order's money with its currency."""
    return FundsView(**{name: Money(amount=getattr(funds, name), currency=currency) for name in FundsView.model_fields})


async def payments_of(conn: AsyncConnection, order_id: str, currency: str, funds: OrderFunds) -> list[PaymentView]:
    """Return the payments of an order by position, with their intents, in two statements."""
    table = payments.c
    query = select(table.id, table.method, table.gateway, table.amount, table.expires_at)
    rows = (await conn.execute(query.where(table.order_id == order_id).order_by(table.position))).all()
    intents = await _intents(conn, order_id, currency)
    balances = {balance.payment_id: balance for balance in funds.payments}
    return [_payment(row, balances[row.id], tuple(intents.get(row.id, ())), currency) for row in rows]


def _payment(
    row: Row[*tuple[Any, ...]], balance: PaymentBalance, intents: tuple[IntentView, ...], currency: str
) -> PaymentView:
    def money(amount: int) -> Money:
        return Money(amount=amount, currency=currency)

    return PaymentView(
        id=row.id,
        method=row.method,
        gateway=row.gateway,
        amount=money(row.amount),
        authorised=money(balance.authorised),
        captured=money(balance.captured + balance.applied + balance.refunded),
        applied=money(balance.applied),
        refunded=money(balance.refunded),
        pending_capture=money(balance.pending_capture),
        pending_refund=money(balance.pending_refund),
        available_to_capture=money(balance.available_to_capture),
        available_to_refund=money(balance.available_to_refund),
        expires_at=row.expires_at,
        intents=intents,
    )


async def _intents(conn: AsyncConnection, order_id: str, currency: str) -> dict[str, list[IntentView]]:
    table = payment_intents.c
    query = (
        select(
            table.payment_id,
            table.id,
            table.operation,
            table.amount,
            table.document_id,
            table.outcome,
            table.code,
            table.created_at,
            table.settled_at,
        )
        .where(table.order_id == order_id)
        .order_by(table.created_at, table.id)
    )
    found: dict[str, list[IntentView]] = {}
    for row in await conn.execute(query):
        intent = IntentView(
            id=row.id,
            operation=row.operation,
            amount=Money(amount=row.amount, currency=currency),
            document=row.document_id,
            outcome=row.outcome,
            code=row.code,
            created_at=row.created_at,
            settled_at=row.settled_at,
        )
        found.setdefault(row.payment_id, []).append(intent)
    return found

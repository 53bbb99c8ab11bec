"""Previews of changes: the plan that the change itself would carry out, over facts that are only read."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.changes import ChangeBalances, ChangedLine, plan_cancel, plan_return
from orderloom.domain.model import Frozen
from orderloom.domain.money import Money
from orderloom.domain.placing import CancelItems, ReturnItems
from orderloom.domain.units import Movement
from orderloom.persistence.ledgers import read_funds
from orderloom.persistence.tables.orders import orders
from orderloom.readmodels.order_documents import DocumentLine
from orderloom.readmodels.order_facts import facts_of, stoppable_of


class GivenBack(Frozen):
    """Units that a fulfillment order would have to give back."""

    fulfillment_order: str
    line: str
    quantity: int


class ChangePreview(Frozen):
    """What a change would lower. Amounts are positive where the order goes down."""

    order: str
    lines: tuple[DocumentLine, ...]
    balances: dict[str, Money]
    """By the names of the reference; excess and refundable amounts are of the whole order after the change."""
    give_back: tuple[GivenBack, ...] = ()


async def preview_cancel(conn: AsyncConnection, order_id: str, request: CancelItems) -> ChangePreview | None:
    """
    Return what cancelling would do, or None if there is no such order.

    Raises:
        QuantityUnavailable, ChangeRefused: as the cancellation itself would be refused.
    """
    row = await _order(conn, order_id)
    if row is None:
        return None
    life_cycle, currency = row
    facts, funds = await facts_of(conn, order_id), await read_funds(conn, order_id)
    stoppable = await stoppable_of(conn, order_id)
    plan = plan_cancel(facts.lines, facts.pools, request, life_cycle, stoppable, funds=funds)
    return ChangePreview(
        order=order_id,
        lines=_lines(plan.per_line, currency),
        balances=_balances(plan.balances, currency),
        give_back=tuple(_given_back(movement) for movement in plan.give_back),
    )


async def preview_return(conn: AsyncConnection, order_id: str, request: ReturnItems) -> ChangePreview | None:
    """
    Return what returning would do, or None if there is no such order.

    Raises:
        QuantityUnavailable, ChangeRefused: as the return itself would be refused.
    """
    row = await _order(conn, order_id)
    if row is None:
        return None
    life_cycle, currency = row
    facts, funds = await facts_of(conn, order_id), await read_funds(conn, order_id)
    plan = plan_return(facts.lines, facts.pools, request, life_cycle, funds=funds)
    return ChangePreview(
        order=order_id, lines=_lines(plan.per_line, currency), balances=_balances(plan.balances, currency)
    )


async def _order(conn: AsyncConnection, order_id: str) -> tuple[str, str] | None:
    query = select(orders.c.life_cycle, orders.c.currency).where(orders.c.id == order_id)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else (row.life_cycle, row.currency)


def _lines(changed: tuple[ChangedLine, ...], currency: str) -> tuple[DocumentLine, ...]:
    return tuple(
        DocumentLine(
            line=line.line_id,
            quantity=line.quantity,
            amount=Money(amount=line.amount, currency=currency),
            tax=Money(amount=line.tax, currency=currency),
            reason=line.reason,
        )
        for line in changed
    )


def _balances(balances: ChangeBalances, currency: str) -> dict[str, Money]:
    amounts: dict[str, int] = balances.model_dump()
    return {name: Money(amount=amount, currency=currency) for name, amount in amounts.items()}


def _given_back(movement: Movement) -> GivenBack:
    return GivenBack(
        fulfillment_order=movement.source.fulfillment_order or "", line=movement.line_id, quantity=movement.quantity
    )

"""The actions that undo others, each as far as the domain allows, and the record of what was undone."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Row, bindparam, select

from activities.fulfillment import give_capacity_back, set_status, take_back
from activities.intents import IntentDraft, call_intents, order_intents
from activities.payments import ask, done_amount
from activities.registry import implements, prepares, settles
from activities.reservations import by_line
from activities.scheduling import end
from activities.unit import Unit
from orderloom.contracts import undoing
from orderloom.contracts.outside import GatewayOperation, GatewayRequest, Outcome
from orderloom.contracts.undoing import (
    Amount,
    Compensated,
    Count,
    ForAttempt,
    ForInvoice,
    ForSchedule,
    GiveBackPayment,
)
from orderloom.domain.errors import NotFound
from orderloom.domain.fulfillment import OPEN, STOPPABLE, FulfillmentStatus, FulfillmentUnderWay
from orderloom.domain.funds import Account, OrderFunds, Posting
from orderloom.domain.invoicing import InvoiceTaken
from orderloom.domain.order import OrderMoved
from orderloom.domain.payments import PaymentBalance
from orderloom.domain.units import UnitState
from orderloom.persistence.tables.fulfillment import fulfillment_orders, routing_schedules
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.payments import invoices

_PLANNED = select(routing_schedules.c.number).where(
    routing_schedules.c.order_id == bindparam("of_order"),
    routing_schedules.c.number == bindparam("of_number"),
    routing_schedules.c.status == "scheduled",
)


@implements(undoing.withdraw_routing)
async def withdraw_routing(unit: Unit, command: ForSchedule) -> Count:
    """Abandon a routing schedule that is still planned; one that has ended stays as it ended."""
    planned = (await unit.read(_PLANNED, {"of_order": unit.order.id, "of_number": command.schedule})).one_or_none()
    if planned is None:
        return Count(count=0)
    unit.journal("routing.withdrawn", {"schedule": command.schedule})
    end(unit, command.schedule, "abandoned", unit.now)
    return Count(count=1)


_orders = fulfillment_orders.c
_OF_ATTEMPT = (
    select(_orders.id, _orders.status, _orders.location_id, _orders.capacity_day)
    .where(
        _orders.order_id == bindparam("of_order"),
        _orders.attempt == bindparam("of_attempt"),
        _orders.status.not_in((FulfillmentStatus.CANCELLED.value, FulfillmentStatus.REJECTED.value)),
    )
    .order_by(_orders.number)
)


@implements(undoing.cancel_fulfillment_orders)
async def cancel_fulfillment_orders(unit: Unit, command: ForAttempt) -> Count:
    """Cancel what a routing attempt led to, all of it or nothing; what is cancelled or rejected already stays so."""
    rows = (await unit.read(_OF_ATTEMPT, {"of_order": unit.order.id, "of_attempt": command.attempt})).all()
    _refuse_unstoppable(rows)
    products = {line.id for line in await unit.lines() if line.kind == "product"}
    held = [pool for pool in await unit.pools(UnitState.ALLOCATED) if pool.line_id in products]
    for row in rows:
        unit.journal("fulfillment.cancelled", {"fulfillment_order": row.id, "location": row.location_id})
    quantities = {row.id: by_line(pool for pool in held if pool.account.fulfillment_order == row.id) for row in rows}
    await take_back(unit, quantities, products)
    for row in rows:
        set_status(unit, row.id, FulfillmentStatus.CANCELLED)
    await give_capacity_back(unit, [row.capacity_day and (row.location_id, row.capacity_day) for row in rows])
    return Count(count=len(rows))


def _refuse_unstoppable(rows: Sequence[Row[str, str, str]]) -> None:
    begun = [row for row in rows if FulfillmentStatus(row.status) not in STOPPABLE]
    if not begun:
        return
    named = ", ".join(f"{row.id} is {row.status}" for row in begun)
    going = [row.id for row in begun if FulfillmentStatus(row.status) in OPEN]
    raise FulfillmentUnderWay(named, fulfillment_orders=[row.id for row in begun], open=[*going])


_INVOICE = select(invoices.c.fulfillment_order_id, invoices.c.voided_at).where(
    invoices.c.id == bindparam("of_id"), invoices.c.order_id == bindparam("of_order")
)
_CAME_BACK = (UnitState.RETURN_INITIATED, UnitState.RETURNED)


@implements(undoing.void_invoice)
async def void_invoice(unit: Unit, command: ForInvoice) -> Amount:
    """Void an invoice that nobody has paid and nothing was credited of; what it charged is owed without it again."""
    row = (await unit.read(_INVOICE, {"of_id": command.invoice, "of_order": unit.order.id})).one_or_none()
    if row is None:
        raise NotFound(f"order {unit.order.id} has no invoice {command.invoice}", invoice=command.invoice)
    if row.voided_at is not None:
        return Amount(amount=0)
    funds = await unit.funds()
    await _refuse_taken(unit, funds, command.invoice, row.fulfillment_order_id)
    total = funds.balance(Account.INVOICED, document_id=command.invoice)
    unit.journal("invoice.voided", {"invoice": command.invoice, "total": total})
    unit.change(invoices, {"id": command.invoice}, {"voided_at": unit.now})
    unit.post(Posting(debit=Account.INVOICED, credit=Account.ORDERED, amount=total, document_id=command.invoice))
    return Amount(amount=total)


async def _refuse_taken(unit: Unit, funds: OrderFunds, invoice: str, fulfillment_order: str) -> None:
    applied = funds.balance(Account.APPLIED, document_id=invoice)
    asked = [
        intent.id
        for intent in await order_intents(unit, GatewayOperation.CAPTURE)
        if intent.document_id == invoice and intent.outcome in _OPEN
    ]
    if applied or asked:
        raise InvoiceTaken(f"funds are applied to invoice {invoice}", invoice=invoice, applied=applied, asked=[*asked])
    if any(pool.account.fulfillment_order == fulfillment_order for pool in await unit.pools(*_CAME_BACK)):
        raise InvoiceTaken(f"goods of invoice {invoice} came back", invoice=invoice)


_OPEN = frozenset({Outcome.REQUESTED, Outcome.UNKNOWN})


@prepares(undoing.give_back_payment)
async def prepare_giving_back(unit: Unit, command: GiveBackPayment) -> list[GatewayRequest] | Amount:
    """
    Take the call's funds off its invoice, and ask to reverse what it authorised and to refund what it captured.

    What was given back before, in whatever way, is not given back twice; what was captured since is no longer
    reversed.

    Raises:
        OrderMoved: the call is under way, or an invoice of another has taken what it captured.
    """
    intents = await call_intents(unit, command.call)
    if asked := [intent.id for intent in intents if intent.outcome in _OPEN]:
        raise OrderMoved("what is to be given back has not been answered for yet", intents=[*asked])
    if command.invoice is not None:
        _take_off(unit, await unit.funds(), command.invoice)
    funds = {payment.payment_id: payment for payment in (await unit.funds()).payments}
    refunds = await order_intents(unit, GatewayOperation.REFUND)
    taken = {
        capture: sum(it.amount for it in refunds if it.capture_ref == capture and it.outcome is not Outcome.FAILED)
        for capture in {refund.capture_ref for refund in refunds}
    }
    drafts: list[IntentDraft] = []
    for intent in intents:
        payment = funds[intent.payment_id]
        if intent.outcome is not Outcome.SUCCEEDED:
            continue
        if intent.operation is GatewayOperation.AUTHORIZE:
            left = min(intent.amount, payment.authorised - payment.pending_capture - payment.pending_reverse)
            drafts.append(_draft(intent.payment_id, GatewayOperation.REVERSE, left))
        elif intent.operation is GatewayOperation.CAPTURE:
            left = intent.amount - taken.get(intent.reference, 0)
            _refuse_applied(payment, left)
            funds[intent.payment_id] = replace(payment, captured=payment.captured - left)
            drafts.append(_draft(intent.payment_id, GatewayOperation.REFUND, left, intent.reference))
    return await ask(unit, [draft for draft in drafts if draft.amount > 0])


@settles(undoing.give_back_payment)
async def settle_giving_back(unit: Unit, _: GiveBackPayment) -> Amount:
    """Return what was given back."""
    return Amount(amount=await done_amount(unit))


def _draft(payment_id: str, operation: GatewayOperation, amount: int, capture: str | None = None) -> IntentDraft:
    return IntentDraft(payment_id=payment_id, operation=operation, amount=amount, capture_ref=capture)


def _take_off(unit: Unit, funds: OrderFunds, invoice: str) -> None:
    """Free what is applied to the invoice, as far as no credit memo has been refunded from it."""
    for payment in funds.payments:
        applied = funds.balance(Account.APPLIED, payment_id=payment.payment_id, document_id=invoice)
        free = payment.applied - (payment.pending_refund - payment.pending_excess)
        if (amount := min(applied, free)) > 0:
            unit.post(
                Posting(
                    debit=Account.APPLIED,
                    credit=Account.CAPTURED,
                    amount=amount,
                    payment_id=payment.payment_id,
                    document_id=invoice,
                )
            )


def _refuse_applied(payment: PaymentBalance, amount: int) -> None:
    if amount > payment.available_to_apply:
        detail = f"{amount} of payment {payment.payment_id} are to be refunded, {payment.available_to_apply} are free"
        raise OrderMoved(detail, payment=payment.payment_id, amount=amount, free=payment.available_to_apply)


@implements(undoing.record_compensation)
async def record_compensation(unit: Unit, command: Compensated) -> Count:
    """Write down on the exception, and in the journal, what became of undoing each call."""
    count = dict.fromkeys(("undone", "skipped", "final"), 0)
    for call in command.calls:
        count[call.outcome] += 1
    unit.journal("flow.compensated", {"exception": command.exception, **count})
    if command.exception is not None:
        result = {"calls": [call.model_dump(mode="json", exclude_none=True) for call in command.calls]}
        unit.change(process_exceptions, {"id": command.exception}, {"result": result})
    return Count(count=count["undone"])

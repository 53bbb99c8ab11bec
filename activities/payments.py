"""Authorise, capture, reverse: what the gateways are asked for an order, and what came of it."""

from collections.abc import Sequence

from activities.intents import IntentDraft, action_intents, order_intents, write_intents
from activities.invoicing import JUST_INVOICED
from activities.registry import prepares, settles
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import Amount, AuthorizePayment, EnsureFunds, FundsEnsured, Nothing
from orderloom.contracts.outside import GatewayOperation, GatewayRequest, Outcome
from orderloom.domain.errors import NotFound
from orderloom.domain.funds import Account, Posting
from orderloom.domain.order import OrderMoved
from orderloom.domain.payments import PaymentDeclined, plan_capture
from orderloom.persistence.books import INVOICES

_OPEN = frozenset({Outcome.REQUESTED, Outcome.UNKNOWN})


async def done_amount(unit: Unit) -> int:
    """
    Return the sum of the action's intents, in minor units; they are all settled.

    Raises:
        PaymentDeclined: a gateway refused one of them; the others stay done.
    """
    intents = await action_intents(unit)
    for intent in intents:
        if intent.outcome is Outcome.FAILED:
            raise PaymentDeclined(
                f"{intent.operation.value} of payment {intent.payment_id} was refused: {intent.code}",
                payment=intent.payment_id,
                operation=intent.operation.value,
                amount=intent.amount,
                reason=intent.code,
            )
    return sum(intent.amount for intent in intents)


async def ask(unit: Unit, drafts: Sequence[IntentDraft]) -> list[GatewayRequest] | Amount:
    """Write *drafts* as intents; return what is to be asked outside, or the amount if all of it is settled here."""
    requests = await write_intents(unit, drafts)
    return requests or Amount(amount=await done_amount(unit))


@prepares(actions.authorize_payment)
async def prepare_authorization(unit: Unit, _: AuthorizePayment) -> list[GatewayRequest] | Amount:
    """Ask to authorise what the order's money does not cover yet, payment by payment, by position."""
    funds = await unit.funds()
    missing = funds.to_authorize
    drafts: list[IntentDraft] = []
    for payment in funds.payments:
        amount = min(payment.authorizable, missing)
        if amount > 0 and payment.pending_authorization == 0:
            drafts.append(
                IntentDraft(payment_id=payment.payment_id, operation=GatewayOperation.AUTHORIZE, amount=amount)
            )
            missing -= amount
    return await ask(unit, drafts)


@settles(actions.authorize_payment)
async def settle_authorization(unit: Unit, _: AuthorizePayment) -> Amount:
    """Return what was authorised."""
    return Amount(amount=await done_amount(unit))


@prepares(actions.capture_payment)
async def prepare_capture(unit: Unit, _: Nothing) -> list[GatewayRequest] | Amount:
    """Ask to capture what the order comes to and is not captured yet; nothing is asked unless all of it can be had."""
    funds = await unit.funds()
    pending = sum(payment.pending_capture for payment in funds.payments)
    plan = plan_capture(max(0, funds.ordered + funds.unpaid - pending), funds.payments)
    return await ask(unit, [_capture(payment_id, amount) for payment_id, amount in plan.captures])


@settles(actions.capture_payment)
async def settle_capture(unit: Unit, _: Nothing) -> Amount:
    """Return what was captured."""
    return Amount(amount=await done_amount(unit))


@prepares(actions.ensure_funds)
async def prepare_funds(unit: Unit, command: EnsureFunds) -> list[GatewayRequest] | FundsEnsured:
    """Apply captured funds to the invoice and ask to capture the rest; neither unless both together cover it."""
    await _refuse_while_pending(unit, command.invoice)
    funds = await unit.funds()
    await _invoice_total(unit, command.invoice)
    plan = plan_capture(funds.invoice_balance(command.invoice), funds.payments)
    for payment_id, amount in plan.applies:
        unit.post(
            Posting(
                debit=Account.CAPTURED,
                credit=Account.APPLIED,
                amount=amount,
                payment_id=payment_id,
                document_id=command.invoice,
            )
        )
    requests = await write_intents(
        unit, [_capture(payment_id, amount, command.invoice) for payment_id, amount in plan.captures]
    )
    return requests or await settle_funds(unit, command)


@settles(actions.ensure_funds)
async def settle_funds(unit: Unit, command: EnsureFunds) -> FundsEnsured:
    """Return what is applied to the invoice now; each capture was applied when it was settled."""
    captured = await done_amount(unit)
    balance = (await unit.funds()).invoice_balance(command.invoice)
    return FundsEnsured(applied=await _invoice_total(unit, command.invoice) - balance, captured=captured)


@prepares(actions.reverse_authorization)
async def prepare_reversal(unit: Unit, _: Nothing) -> list[GatewayRequest] | Amount:
    """Ask to give back what is authorised and the order can no longer need."""
    funds = await unit.funds()
    left = {
        payment.payment_id: payment.authorised - payment.pending_capture - payment.pending_reverse
        for payment in (funds.payments if funds.to_reverse > 0 else ())
    }
    drafts = [
        IntentDraft(payment_id=payment_id, operation=GatewayOperation.REVERSE, amount=amount)
        for payment_id, amount in left.items()
        if amount > 0
    ]
    return await ask(unit, drafts)


@settles(actions.reverse_authorization)
async def settle_reversal(unit: Unit, _: Nothing) -> Amount:
    """Return what was given back."""
    return Amount(amount=await done_amount(unit))


def _capture(payment_id: str, amount: int, invoice: str | None = None) -> IntentDraft:
    return IntentDraft(payment_id=payment_id, operation=GatewayOperation.CAPTURE, amount=amount, document_id=invoice)


async def _invoice_total(unit: Unit, invoice: str) -> int:
    known = unit.recall(JUST_INVOICED)
    if known is not None and known.invoice == invoice:
        return known.total
    totals = {id: int(total) for id, _, voided, total in await unit.book(INVOICES) if not voided}
    if invoice not in totals:
        raise NotFound(f"order {unit.order.id} has no invoice {invoice}", invoice=invoice)
    return totals[invoice]


async def _refuse_while_pending(unit: Unit, invoice: str) -> None:
    for intent in await order_intents(unit, GatewayOperation.CAPTURE):
        if intent.document_id == invoice and intent.outcome in _OPEN:
            detail = f"a capture for invoice {invoice} is under way"
            raise OrderMoved(detail, invoice=invoice, intent=intent.id)

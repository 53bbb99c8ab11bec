"""Ensure refunds: a credit memo, or what was captured beyond what the order owes, goes back where it came from."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import select

from activities.intents import Intent, IntentDraft, order_intents
from activities.payments import ask, done_amount
from activities.registry import prepares, settles
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import Amount, EnsureRefunds
from orderloom.contracts.outside import GatewayOperation, GatewayRequest, Outcome
from orderloom.domain.errors import NotFound
from orderloom.domain.payments import PaymentBalance, PaymentShare, plan_refund
from orderloom.persistence.tables.payments import credit_memos


@prepares(actions.ensure_refunds)
async def prepare_refunds(unit: Unit, command: EnsureRefunds) -> list[GatewayRequest] | Amount:
    """
    Ask to refund the credit memo, then the excess.

    What was asked for earlier and is not refused counts as refunded from the moment it was asked (reference 6k).
    """
    funds = await unit.funds()
    captures = [
        capture
        for capture in await order_intents(unit, GatewayOperation.CAPTURE)
        if capture.outcome is Outcome.SUCCEEDED
    ]
    taken = [
        refund for refund in await order_intents(unit, GatewayOperation.REFUND) if refund.outcome is not Outcome.FAILED
    ]
    drafts: list[IntentDraft] = []
    if command.credit_memo is not None:
        await _refuse_unknown_memo(unit, command.credit_memo)
        plan = plan_refund(funds.memo_balance(command.credit_memo), [_applied(each) for each in funds.payments])
        drafts += _drafts(plan, captures, taken, command.credit_memo)
    if command.excess:
        plan = plan_refund(funds.excess, [_unapplied(each) for each in funds.payments])
        drafts += _drafts(plan, captures, [*taken, *drafts], None)
    return await ask(unit, drafts)


@settles(actions.ensure_refunds)
async def settle_refunds(unit: Unit, _: EnsureRefunds) -> Amount:
    """Return what was refunded."""
    return Amount(amount=await done_amount(unit))


def _applied(payment: PaymentBalance) -> PaymentBalance:
    """Return what of *payment* credit memos can be refunded from: what invoices have taken."""
    pending = payment.pending_refund - payment.pending_excess
    return replace(payment, captured=0, pending_refund=pending)


def _unapplied(payment: PaymentBalance) -> PaymentBalance:
    """Return what of *payment* excess can be refunded from: what no invoice has taken."""
    return replace(payment, applied=0, pending_refund=payment.pending_excess)


def _drafts(
    plan: Sequence[PaymentShare], captures: Sequence[Intent], taken: Sequence[Intent | IntentDraft], memo: str | None
) -> list[IntentDraft]:
    """Spread each payment's share over its captures: a gateway refunds a capture, not a payment."""
    return [
        IntentDraft(
            payment_id=payment_id,
            operation=GatewayOperation.REFUND,
            amount=share.amount,
            document_id=memo,
            capture_ref=share.payment_id,
        )
        for payment_id, amount in plan
        for share in plan_refund(
            amount,
            [
                _left_of(position, capture, taken)
                for position, capture in enumerate(captures)
                if capture.payment_id == payment_id
            ],
        )
    ]


def _left_of(position: int, capture: Intent, taken: Sequence[Intent | IntentDraft]) -> PaymentBalance:
    """Return a capture as a balance of its own, so that the rule for payments chooses among captures too."""
    assert capture.reference is not None, f"capture {capture.id} succeeded without a reference"
    refunded = sum(refund.amount for refund in taken if refund.capture_ref == capture.reference)
    return PaymentBalance(
        payment_id=capture.reference,
        position=position,
        method=capture.operation.value,
        captured=capture.amount,
        pending_refund=refunded,
    )


async def _refuse_unknown_memo(unit: Unit, memo: str) -> None:
    columns = credit_memos.c
    query = select(columns.id).where(columns.id == memo, columns.order_id == unit.order.id)
    if (await unit.read(query)).scalar_one_or_none() is None:
        raise NotFound(f"order {unit.order.id} has no credit memo {memo}", credit_memo=memo)

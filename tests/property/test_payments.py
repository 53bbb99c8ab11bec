"""Plans over payments never take more than there is, and all of what is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.payments import (
    FundsInsufficient,
    PaymentBalance,
    RefundExceedsPaid,
    plan_capture,
    plan_refund,
)

CENTS = st.integers(0, 200)


@st.composite
def balances(draw: st.DrawFn) -> list[PaymentBalance]:
    """Up to six payments in any state, in any order."""
    payments = [
        PaymentBalance(
            payment_id=f"P{position}",
            position=position,
            method="card",
            authorised=draw(CENTS),
            captured=draw(CENTS),
            applied=draw(CENTS),
            pending_capture=draw(st.integers(0, 50)),
            pending_refund=(excess := draw(st.integers(0, 50))) + draw(st.integers(0, 50)),
            pending_excess=excess,
            pending_reverse=draw(st.integers(0, 50)),
        )
        for position in range(draw(st.integers(0, 6)))
    ]
    return draw(st.permutations(payments))


@given(balances(), st.integers(0, 1000))
def test_a_capture_plan_covers_the_amount_within_the_balances(payments: list[PaymentBalance], amount: int) -> None:
    """All or nothing: exactly the amount, each payment at most once and within its balance, captured funds first."""
    by_id = {payment.payment_id: payment for payment in payments}
    ready = sum(payment.available_to_apply for payment in payments)
    funds = ready + sum(payment.available_to_capture for payment in payments)
    if funds < amount:
        with pytest.raises(FundsInsufficient) as caught:
            plan_capture(amount, payments)
        assert caught.value.facts["short"] == amount - funds
        return

    plan = plan_capture(amount, payments)

    assert sum(share.amount for share in plan.applies) == min(ready, amount)
    assert sum(share.amount for share in (*plan.applies, *plan.captures)) == amount
    assert all(0 < share.amount <= by_id[share.payment_id].available_to_apply for share in plan.applies)
    assert all(0 < share.amount <= by_id[share.payment_id].available_to_capture for share in plan.captures)
    for shares in (plan.applies, plan.captures):
        assert len({share.payment_id for share in shares}) == len(shares)


@given(balances(), st.integers(0, 1000))
def test_a_refund_plan_pays_the_amount_within_the_balances(payments: list[PaymentBalance], amount: int) -> None:
    """All or nothing: exactly the amount, each payment at most once and within what is refundable."""
    by_id = {payment.payment_id: payment for payment in payments}
    refundable = sum(payment.available_to_refund for payment in payments)
    if refundable < amount:
        with pytest.raises(RefundExceedsPaid):
            plan_refund(amount, payments)
        return

    shares = plan_refund(amount, payments)

    assert sum(share.amount for share in shares) == amount
    assert all(0 < share.amount <= by_id[share.payment_id].available_to_refund for share in shares)
    assert len({share.payment_id for share in shares}) == len(shares)


@given(balances(), st.integers(0, 1000), st.data())
def test_the_order_of_the_payments_does_not_matter(
    payments: list[PaymentBalance], amount: int, data: st.DataObject
) -> None:
    """Ties are broken by position and id, so rows may come back from the database in any order."""
    shuffled = data.draw(st.permutations(payments))

    if sum(payment.available_to_refund for payment in payments) >= amount:
        assert plan_refund(amount, shuffled) == plan_refund(amount, payments)
    if sum(payment.available_to_apply + payment.available_to_capture for payment in payments) >= amount:
        assert plan_capture(amount, shuffled) == plan_capture(amount, payments)

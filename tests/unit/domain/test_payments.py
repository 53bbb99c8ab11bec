"""Which payments cover an amount, and which take a refund: G20 and reference 6d."""

from dataclasses import replace

import pytest

from orderloom.domain.payments import (
    CapturePlan,
    FundsInsufficient,
    PaymentBalance,
    RefundExceedsPaid,
    plan_capture,
    plan_refund,
)


def card(position: int, authorised: int) -> PaymentBalance:
    """Return a card with an authorisation."""
    return PaymentBalance(payment_id=f"C{position}", position=position, method="card", authorised=authorised)


def paid(position: int, captured: int = 0, applied: int = 0, **pending: int) -> PaymentBalance:
    """Return a payment that was captured."""
    return PaymentBalance(
        payment_id=f"P{position}", position=position, method="card", captured=captured, applied=applied, **pending
    )


GIFT = paid(0, captured=30)


@pytest.mark.parametrize(
    ("payments", "captures"),
    [
        pytest.param([GIFT, card(1, 100), card(2, 70)], [("C2", 70)], id="exact"),
        pytest.param([GIFT, card(1, 100), card(2, 60)], [("C1", 70)], id="largest"),
        pytest.param([GIFT, card(1, 40), card(2, 35)], [("C1", 40), ("C2", 30)], id="largest, then the rest"),
        pytest.param([GIFT, card(2, 70), card(1, 70)], [("C1", 70)], id="a tie goes to the first position"),
    ],
)
def test_g20_capture(payments: list[PaymentBalance], captures: list[tuple[str, int]]) -> None:
    """An invoice of 100 takes the captured 30, then the authorisation that fits best."""
    plan = plan_capture(100, payments)

    assert plan.applies == (("P0", 30),)
    assert list(plan.captures) == captures


def test_g20_short() -> None:
    """10 short: an error with the facts, and no plan."""
    with pytest.raises(FundsInsufficient) as caught:
        plan_capture(100, [GIFT, card(1, 40), card(2, 20)])

    assert caught.value.facts == {"amount": 100, "available": 90, "short": 10}


def test_g25_an_uncovered_rest_is_an_error() -> None:
    """An order of 1,193.48 with 326.79 authorised is 866.69 short."""
    with pytest.raises(FundsInsufficient) as caught:
        plan_capture(119_348, [card(1, 32_679)])

    assert caught.value.facts["short"] == 86_669


def test_what_is_pending_is_not_there() -> None:
    """A pending capture, reversal or refund of excess cannot be used twice."""
    pending = replace(card(1, 100), pending_capture=60, pending_reverse=20)
    refunding = paid(2, captured=50, pending_refund=40, pending_excess=40)

    plan = plan_capture(30, [pending, refunding])

    assert plan == CapturePlan(applies=(("P2", 10),), captures=(("C1", 20),))
    with pytest.raises(FundsInsufficient):
        plan_capture(31, [pending, refunding])


def test_tender_on_account_needs_no_authorisation() -> None:
    """What our own books may still capture covers an amount like an authorisation does."""
    account = PaymentBalance(payment_id="A", position=1, method="account", on_account=80)

    assert plan_capture(80, [account]).captures == (("A", 80),)
    assert account.available_to_capture == 80


def test_nothing_is_taken_for_nothing() -> None:
    """An amount of 0 is covered without touching a payment."""
    assert plan_capture(0, [GIFT]) == CapturePlan()
    assert plan_refund(0, [GIFT]) == ()


@pytest.mark.parametrize(
    ("amount", "balances", "shares"),
    [
        pytest.param(30, [100, 30, 50], [("P2", 30)], id="exact"),
        pytest.param(40, [100, 30, 50], [("P3", 40)], id="smallest sufficient"),
        pytest.param(110, [100, 30, 50], [("P1", 100), ("P2", 10)], id="largest, then the smallest sufficient"),
        pytest.param(130, [100, 30, 50], [("P1", 100), ("P2", 30)], id="largest, then exact"),
        pytest.param(40, [50, 50], [("P1", 40)], id="a tie goes to the first position"),
    ],
)
def test_refund_order(amount: int, balances: list[int], shares: list[tuple[str, int]]) -> None:
    """A refund goes to an exact balance, else the smallest sufficient one, else the largest (6d)."""
    payments = [paid(position, applied=balance) for position, balance in enumerate(balances, start=1)]

    assert list(plan_refund(amount, payments)) == shares


def test_no_refund_beyond_what_was_paid() -> None:
    """A pending refund counts from the moment it is asked for (6k)."""
    payment = paid(1, applied=93_50, pending_refund=33_00)

    with pytest.raises(RefundExceedsPaid) as caught:
        plan_refund(60_51, [payment])

    assert caught.value.facts == {"asked": 6051, "refundable": 6050}
    assert payment.available_to_refund == 6050

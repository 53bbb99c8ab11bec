"""Payments: which of them to capture or refund, in an order that is always the same."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen


class PaymentDeclined(OrderloomError):
    """The gateway refused the payment.

    Ask the customer for another payment method, or cancel the order.
    """

    code = "payment.declined"
    status = 402


class FundsInsufficient(OrderloomError):
    """The order's payments do not cover the amount.

    Add a payment for the missing amount, then retry.
    """

    code = "payment.insufficient"
    status = 402


class RefundExceedsPaid(OrderloomError):
    """More would be refunded than was captured and not yet refunded.

    Refund at most what is still refundable.
    """

    code = "refund.exceeds_paid"
    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentBalance:
    """What one payment holds now, in minor units: balances of its accounts, and what is asked of its gateway."""

    payment_id: str
    position: int
    method: str
    authorised: int = 0
    """Authorised and neither captured nor reversed."""
    captured: int = 0
    """Captured and not applied to an invoice."""
    applied: int = 0
    refunded: int = 0
    reversed: int = 0
    on_account: int = 0
    """What our own books may still capture without an authorisation (method ``account``)."""
    authorizable: int = 0
    """What its gateway may still be asked to authorise: there is a token and no authorisation."""
    pending_authorization: int = 0
    pending_capture: int = 0
    pending_refund: int = 0
    """All refunds that were asked for and have no answer."""
    pending_excess: int = 0
    """Those of them that are for no credit memo: they take from what is captured and not applied."""
    pending_reverse: int = 0

    @property
    def available_to_capture(self) -> int:
        """Return what may still be captured."""
        return max(0, self.authorised + self.on_account - self.pending_capture - self.pending_reverse)

    @property
    def available_to_apply(self) -> int:
        """Return what is captured and free to be applied to an invoice."""
        return max(0, self.captured - self.pending_excess)

    @property
    def available_to_refund(self) -> int:
        """Return what may still be refunded; a pending refund counts from when it is asked for (reference 6k)."""
        return max(0, self.captured + self.applied - self.pending_refund)


class PaymentShare(NamedTuple):
    """An amount of one payment, in minor units."""

    payment_id: str
    amount: int


class CapturePlan(Frozen):
    """How an amount is covered: captured funds to apply, and authorisations to capture (and then apply)."""

    applies: tuple[PaymentShare, ...] = ()
    captures: tuple[PaymentShare, ...] = ()


def plan_capture(amount: int, payments: Sequence[PaymentBalance]) -> CapturePlan:
    """
    Decide how *amount* is covered (reference, Ensure Funds, and 6g): captured funds first, then authorisations.

    Within each: a balance that is exactly what remains, else the largest; ties by position, then id.

    Raises:
        FundsInsufficient: all together do not cover it; the facts name what is short.
    """
    captured = {payment.payment_id: payment.available_to_apply for payment in payments}
    to_capture = {payment.payment_id: payment.available_to_capture for payment in payments}
    funds = sum(captured.values()) + sum(to_capture.values())
    if funds < amount:
        detail = f"the payments cover {funds} of {amount} minor units: {amount - funds} are missing"
        raise FundsInsufficient(detail, amount=amount, available=funds, short=amount - funds)
    order = _in_order(payments)
    applies = _take(amount, captured, order, _largest)
    captures = _take(amount - sum(share.amount for share in applies), to_capture, order, _largest)
    return CapturePlan(applies=applies, captures=captures)


def plan_refund(amount: int, payments: Sequence[PaymentBalance]) -> tuple[PaymentShare, ...]:
    """
    Decide which payments *amount* goes back to (reference 6d).

    A balance that is exactly what remains, else the smallest that suffices, else the largest; ties by position, then
    id. Balances are what is available to refund.

    Raises:
        RefundExceedsPaid: it is more than all of them together; the facts name what is refundable.
    """
    available = {payment.payment_id: payment.available_to_refund for payment in payments}
    refundable = sum(available.values())
    if refundable < amount:
        detail = f"{amount} minor units were to be refunded, {refundable} are refundable"
        raise RefundExceedsPaid(detail, asked=amount, refundable=refundable)
    return _take(amount, available, _in_order(payments), _smallest_sufficient)


def _in_order(payments: Sequence[PaymentBalance]) -> list[str]:
    return [payment.payment_id for payment in sorted(payments, key=lambda each: (each.position, each.payment_id))]


def _take(
    amount: int, balances: dict[str, int], order: Sequence[str], prefer: Callable[[int, int], tuple[bool, int]]
) -> tuple[PaymentShare, ...]:
    """Take *amount*, or all there is, from *balances*; the first of *order* wins among equals."""
    shares: list[PaymentShare] = []
    left = [payment_id for payment_id in order if balances[payment_id] > 0]
    while amount > 0 and left:
        best = min(left, key=lambda payment_id: prefer(balances[payment_id], amount))
        left.remove(best)
        shares.append(PaymentShare(best, min(balances[best], amount)))
        amount -= shares[-1].amount
    return tuple(shares)


def _largest(balance: int, amount: int) -> tuple[bool, int]:
    return balance != amount, -balance


def _smallest_sufficient(balance: int, amount: int) -> tuple[bool, int]:
    """Prefer what suffices, the smallest first (an exact match is the smallest), then what does not, largest first."""
    return balance < amount, balance if balance >= amount else -balance

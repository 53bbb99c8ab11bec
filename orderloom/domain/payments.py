"""Payments: which of them to capture or refund, in an order that is always the same."""

from orderloom.domain.errors import OrderloomError


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

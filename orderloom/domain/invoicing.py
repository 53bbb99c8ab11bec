"""Invoices and credit memos."""

from orderloom.domain.errors import OrderloomError


class AlreadyInvoiced(OrderloomError):
    """The fulfillment order has an invoice.

    Use that invoice; a fulfillment order is invoiced once.
    """

    code = "invoice.exists"
    status = 409

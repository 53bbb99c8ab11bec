"""Invoices and credit memos."""

from orderloom.domain.errors import OrderloomError


class AlreadyInvoiced(OrderloomError):
    """The fulfillment order has an invoice.

    Use that invoice; a fulfillment order is invoiced once.
    """

    code = "invoice.exists"
    status = 409


class InvoiceTaken(OrderloomError):
    """The invoice is paid or credited, in full or in part.

    Give the money back first; what was credited stays as it is.
    """

    code = "invoice.taken"
    status = 409

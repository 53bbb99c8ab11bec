"""Changes of an order after it was placed: cancel and return, as a plan that preview and submit share."""

from orderloom.domain.errors import OrderloomError


class QuantityUnavailable(OrderloomError):
    """The quantity cannot be cancelled or returned.

    Ask for at most the available quantity that the facts name.
    """

    code = "change.quantity_unavailable"
    status = 409


class ChangeRefused(OrderloomError):
    """The item or order cannot be changed this way.

    See the detail; delivery charges and unmanaged orders cannot be changed by this command.
    """

    code = "change.refused"
    status = 409

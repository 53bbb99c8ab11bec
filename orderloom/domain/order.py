"""Orders: items, quantities and the statuses derived from them."""

from orderloom.domain.errors import OrderloomError


class OrderMoved(OrderloomError):
    """The order has changed since this was decided.

    Read the order again and decide anew.
    """

    code = "order.moved"
    status = 409

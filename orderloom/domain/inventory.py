"""Stock at locations and location groups, and what may be promised of it."""

from orderloom.domain.errors import OrderloomError


class StockMoved(OrderloomError):
    """The stock that a route counted on has gone.

    Find a route again with the stock of now.
    """

    code = "stock.moved"
    status = 409

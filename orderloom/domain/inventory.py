"""Stock at locations and location groups, and what may be promised of it."""

from orderloom.domain.errors import OrderloomError


class StockMoved(OrderloomError):
    """The stock that a route counted on has gone.

    Find a route again with the stock of now.
    """

    code = "stock.moved"
    status = 409


def available_to_fulfill(on_hand: int, reserved: int, safety: int) -> int:
    """Return what can be shipped now, the safety stock kept back; below zero when more is reserved than that."""
    return on_hand - reserved - safety


def available_to_order(on_hand: int, reserved: int, safety: int, future: int) -> int:
    """Return what can be promised: what can be shipped now and what is on its way."""
    return on_hand + future - reserved - safety

"""How many fulfillment orders a location takes a day: some are held for it, others it has."""

from datetime import date

from orderloom.domain.errors import OrderloomError

type Day = tuple[str, date]
"""A location, and a day of its calendar."""


class CapacityTaken(OrderloomError):
    """The location can take no more fulfillment orders on that day.

    Find a route again: the location is left out while its day is full.
    """

    code = "capacity.taken"
    status = 409


class CapacityNotHeld(OrderloomError):
    """Less capacity is held or assigned on that day than was to be given back.

    This is a fault of the program that counts, not of the order: run ``orderloom doctor``.
    """

    code = "capacity.not_held"
    status = 409

"""
The ledger of units: every unit of an order line is in exactly one state, and carries its share of the line's money.

A movement takes quantity, adjusted amount and tax out of one account and puts them into another, so that the sum over
all accounts of a line is always zero and every total is a sum over accounts (reference section 0.2 and 0.3, 6n).
"""

from enum import StrEnum

from orderloom.domain.model import Frozen


class UnitState(StrEnum):
    """The states of a unit. ``source`` is the counter-account that all units come from."""

    SOURCE = "source"
    OPEN = "open"
    """Ordered, not reserved."""
    RESERVED = "reserved"
    """Ordered and reserved at a location group."""
    ALLOCATED = "allocated"
    """In a fulfillment order, at its location."""
    FULFILLED = "fulfilled"
    """Shipped."""
    RETURN_INITIATED = "return_initiated"
    RETURNED = "returned"
    CANCELLED = "cancelled"


class Account(Frozen):
    """Where units stand: a state, and a place where the state has one."""

    state: UnitState
    place: str = ""
    """Location group when reserved, location when allocated or later, else empty."""
    fulfillment_order: str | None = None
    """Set from ``allocated`` on."""


class Pool(Frozen):
    """The balance of one line in one account. Amounts in minor units; ``amount`` is adjusted and without tax."""

    line_id: str
    account: Account
    quantity: int
    amount: int
    tax: int


class Movement(Frozen):
    """Units of a line on their way from one account to another, with their share of the money."""

    line_id: str
    source: Account
    target: Account
    quantity: int
    amount: int
    tax: int

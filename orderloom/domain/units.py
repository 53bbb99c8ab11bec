"""
The ledger of units: every unit of an order line is in exactly one state, and carries its share of the line's money.

A movement takes quantity, adjusted amount and tax out of one account and puts them into another, so that the sum over
all accounts of a line is always zero and every total is a sum over accounts (reference section 0.2 and 0.3, 6n).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from orderloom.domain.errors import OrderloomError
from orderloom.domain.money import split


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where units stand: a state, and a place where the state has one."""

    state: UnitState
    place: str = ""
    """Location group when reserved, location when allocated or later, else empty."""
    fulfillment_order: str | None = None
    """Set from ``allocated`` on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The balance of one line in one account. Amounts in minor units; ``amount`` is adjusted and without tax."""

    line_id: str
    account: Account
    quantity: int
    amount: int
    tax: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Units of a line on their way from one account to another, with their share of the money."""

    line_id: str
    source: Account
    target: Account
    quantity: int
    amount: int
    tax: int


class UnitsUnavailable(OrderloomError):
    """There are not that many units, or not that much money on them, in the account.

    Read the order again: its units have moved, or the quantity is wrong.
    """

    code = "units.unavailable"
    status = 409


def move(pool: Pool, quantity: int, target: Account, *, amount: int | None = None, tax: int | None = None) -> Movement:
    """
    Return the movement of *quantity* units of *pool* to *target* with their share of the money.

    Amount and tax are each sliced by largest remainder, ties to the units that move. Given explicitly they may differ
    from the share: a quantity of 0 moves money alone.

    Raises:
        UnitsUnavailable: the pool holds less, or money would stay behind without units.
    """
    if not 0 <= quantity <= pool.quantity:
        raise UnitsUnavailable(
            f"line {pool.line_id} has {pool.quantity} units in {pool.account.state}, not {quantity}",
            line=pool.line_id,
            available=pool.quantity,
            asked=quantity,
        )
    rest = pool.quantity - quantity
    moved = Movement(
        line_id=pool.line_id,
        source=pool.account,
        target=target,
        quantity=quantity,
        amount=_share(pool.amount, quantity, rest) if amount is None else amount,
        tax=_share(pool.tax, quantity, rest) if tax is None else tax,
    )
    stays = pool.amount - moved.amount, pool.tax - moved.tax
    if min(*stays, moved.amount, moved.tax) < 0 or (quantity and not rest and any(stays)):
        raise UnitsUnavailable(
            f"line {pool.line_id} has {pool.amount} + {pool.tax} tax in {pool.account.state}, not"
            f" {moved.amount} + {moved.tax}",
            line=pool.line_id,
            amount=pool.amount,
            tax=pool.tax,
        )
    return moved


def _share(total: int, quantity: int, rest: int) -> int:
    return split(total, (quantity, rest))[0] if quantity else 0


def apply(pools: Iterable[Pool], movements: Iterable[Movement]) -> tuple[Pool, ...]:
    """
    Return the balances after *movements*, those that were there first, new ones in the order of the movements.

    Balances of nothing are left out. Only ``source`` may go below zero.

    Raises:
        UnitsUnavailable: an account would go below zero.
    """
    after = {(pool.line_id, pool.account): (pool.quantity, pool.amount, pool.tax) for pool in pools}
    for movement in movements:
        for account, sign in ((movement.source, -1), (movement.target, 1)):
            quantity, amount, tax = after.get((movement.line_id, account), (0, 0, 0))
            balance = (
                quantity + sign * movement.quantity,
                amount + sign * movement.amount,
                tax + sign * movement.tax,
            )
            if min(balance) < 0 and account.state is not UnitState.SOURCE:
                raise UnitsUnavailable(
                    f"line {movement.line_id} would go below zero in {account.state}",
                    line=movement.line_id,
                    available=quantity,
                    asked=movement.quantity,
                )
            after[movement.line_id, account] = balance
    return tuple(
        Pool(line_id=line_id, account=account, quantity=quantity, amount=amount, tax=tax)
        for (line_id, account), (quantity, amount, tax) in after.items()
        if quantity or amount or tax
    )

"""
What people and locations may do with a fulfillment order beside reporting: hold, release, move, split, merge, cancel.

Each is refused or done as a whole. None changes what the order owes: units and the money on them only change places.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from orderloom.domain.errors import OrderloomError
from orderloom.domain.fulfillment import OPEN, STOPPABLE, FulfillmentStatus
from orderloom.domain.model import Frozen, Identifier
from orderloom.domain.parts import FulfillmentKind
from orderloom.domain.placing import MAX_LINES, ReportedLine
from orderloom.domain.units import Account, Movement, Pool, UnitState, UnitsUnavailable, move

Lines = Annotated[list[ReportedLine], Field(min_length=1, max_length=MAX_LINES)]


class Hold(Frozen):
    """Keep the location from working on the fulfillment order until it is released."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    """For the location to read; no personal data."""


class Release(Frozen):
    """No arguments: the location may work on it again."""


class Move(Frozen):
    """Give everything to another location: its stock and its capacity take the place of this one's."""

    location: Identifier


class Split(Frozen):
    """Take units out into a fulfillment order of their own, at the same location."""

    lines: Lines
    """What goes into the new one. At least one unit stays."""


class Merge(Frozen):
    """Take in all that another fulfillment order holds; that one ends."""

    other: Identifier
    """Of the same order, location and delivery group, and equally far."""


class CancelLines(Frozen):
    """Take units out: they are open in the order again, and their reservation is released."""

    lines: Lines


class FulfillmentAction(StrEnum):
    """What can be asked for, as the last part of its path."""

    HOLD = "hold"
    RELEASE = "release"
    MOVE = "move"
    SPLIT = "split"
    MERGE = "merge"
    CANCEL_LINES = "cancel-lines"


def request_type(action: FulfillmentAction) -> str:
    """Return the type of the event that asks for *action*."""
    return f"fulfillment.{action}.requested"


class FulfillmentRefused(OrderloomError):
    """The fulfillment order does not allow this now.

    Read it again: its ``allowed_actions`` say what it allows, and why not the rest.
    """

    code = "fulfillment_order.refused"
    status = 409


class LocationUnsuitable(OrderloomError):
    """The location cannot take the fulfillment order.

    Name another one that is active and belongs to the location group that the order is promised from.
    """

    code = "location.unsuitable"
    status = 409


def why_not(action: FulfillmentAction, status: FulfillmentStatus, kind: FulfillmentKind, *, held: bool) -> str | None:
    """Return why a fulfillment order does not allow *action* now, or None when it does."""
    if status not in OPEN:
        return f"It is {status}: nothing follows that."
    if kind == "digital" and action is not FulfillmentAction.CANCEL_LINES:
        return "It is digital: no location works on it."
    if kind != "warehouse" and action is FulfillmentAction.MOVE:
        return f"It is for {kind}: no other location can take it."
    if action in {FulfillmentAction.HOLD, FulfillmentAction.RELEASE}:
        done = held is (action is FulfillmentAction.HOLD)
        return f"It is {'held already' if held else 'not held'}." if done else None
    return None if status in STOPPABLE else f"It is {status}: only what is not picked yet can be changed."


def split_off(
    pools: Sequence[Pool],
    fulfillment_order: str,
    quantities: Mapping[str, int],
    target: Account,
    charges: frozenset[str],
) -> tuple[Movement, ...]:
    """
    Return the movements that take units of products to *target*; charges stay where they are (reference 6p).

    Raises:
        UnitsUnavailable: more is asked for than the fulfillment order holds.
        FulfillmentRefused: nothing would stay.
    """
    held = {pool.line_id: pool for pool in _held(pools, fulfillment_order) if pool.line_id not in charges}
    for line_id in sorted(quantities.keys() - held.keys()):
        detail = f"fulfillment order {fulfillment_order} holds nothing of line {line_id}"
        raise UnitsUnavailable(detail, line=line_id, available=0, asked=quantities[line_id])
    movements = tuple(move(held[line_id], quantity, target) for line_id, quantity in quantities.items())
    if sum(quantities.values()) == sum(pool.quantity for pool in held.values()):
        detail = f"nothing would stay in fulfillment order {fulfillment_order}"
        raise FulfillmentRefused(detail, fulfillment_order=fulfillment_order)
    return movements


def hand_over(pools: Sequence[Pool], fulfillment_order: str, target: Account) -> tuple[Movement, ...]:
    """Return the movements that take all that a fulfillment order holds to *target*, its charges included."""
    return tuple(
        move(pool, pool.quantity, target, amount=pool.amount, tax=pool.tax) for pool in _held(pools, fulfillment_order)
    )


def _held(pools: Sequence[Pool], fulfillment_order: str) -> list[Pool]:
    return [
        pool
        for pool in pools
        if pool.account.state is UnitState.ALLOCATED and pool.account.fulfillment_order == fulfillment_order
    ]

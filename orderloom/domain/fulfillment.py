"""Fulfillment orders: their statuses, which location reports move them, and giving their units back."""

from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal

from orderloom.domain.errors import OrderloomError
from orderloom.domain.units import Account, Movement, Pool, UnitState, UnitsUnavailable, move


class FulfillmentStatus(StrEnum):
    """Where a fulfillment order stands. The last three are final."""

    ALLOCATED = "allocated"
    ACCEPTED = "accepted"
    PICKED = "picked"
    FULFILLED = "fulfilled"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


TRANSITIONS: dict[FulfillmentStatus, frozenset[FulfillmentStatus]] = {
    FulfillmentStatus.ALLOCATED: frozenset(FulfillmentStatus) - {FulfillmentStatus.ALLOCATED},
    FulfillmentStatus.ACCEPTED: frozenset(FulfillmentStatus)
    - {FulfillmentStatus.ALLOCATED, FulfillmentStatus.ACCEPTED},
    FulfillmentStatus.PICKED: frozenset(
        {FulfillmentStatus.FULFILLED, FulfillmentStatus.REJECTED, FulfillmentStatus.CANCELLED}
    ),
    FulfillmentStatus.FULFILLED: frozenset(),
    FulfillmentStatus.REJECTED: frozenset(),
    FulfillmentStatus.CANCELLED: frozenset(),
}
"""Which status may follow which. A location may skip steps forward; nothing leads back."""

STOPPABLE = frozenset({FulfillmentStatus.ALLOCATED, FulfillmentStatus.ACCEPTED})
"""Statuses in which units can still be given back to the order on its own request."""

OPEN = frozenset(status for status, following in TRANSITIONS.items() if following)
"""Statuses that something still follows."""

ReportType = Literal["accepted", "rejected", "picked", "shipped"]
"""What a location can say of a fulfillment order."""


class FulfillmentUnderWay(OrderloomError):
    """A location has begun what cannot be stopped any more.

    Ask the location to reject the fulfillment order, or let it ship and return the goods; then decide again.
    """

    code = "fulfillment_order.under_way"
    status = 409


_MEANS: dict[ReportType, FulfillmentStatus] = {
    "accepted": FulfillmentStatus.ACCEPTED,
    "rejected": FulfillmentStatus.REJECTED,
    "picked": FulfillmentStatus.PICKED,
    "shipped": FulfillmentStatus.FULFILLED,
}


def after_report(status: FulfillmentStatus, report: ReportType, *, units_left: int) -> FulfillmentStatus | None:
    """
    Return the status that *report* leads to, or None where it is not allowed: the report is then unexpected.

    Args:
        units_left: product units that stay in the fulfillment order after the report. Only a rejection takes some
            away; while any stay, the status stays too.
    """
    target = _MEANS[report]
    if target not in TRANSITIONS[status]:
        return None
    if target is FulfillmentStatus.REJECTED and units_left > 0:
        return status
    return target


def missing_after(report: ReportType, held: Counter[str], named: Counter[str]) -> Counter[str]:
    """
    Return the product units that the location turns down with *report*, by line.

    A rejection without lines turns everything down. What is picked or shipped without lines is complete; with lines
    it is exactly those, and the rest is missing: a fulfillment order leaves its location once, as a whole (to ship it
    in parts, split it before).

    Args:
        held: the product units that the fulfillment order holds, by line.
        named: what the report names.
    """
    if report == "rejected":
        return named or held
    return held - named if named and report in {"picked", "shipped"} else Counter()


def give_back(
    pools: Sequence[Pool], fulfillment_order: str, quantities: Mapping[str, int], charges: frozenset[str]
) -> tuple[Movement, ...]:
    """
    Return the movements that take units out of an open fulfillment order and make them open again.

    With its last product units go its charges: they belong to the delivery group's first fulfillment order, which
    is then another one.

    Args:
        pools: all balances of the order's units.
        quantities: by product line, how many; what is not there is refused.
        charges: the order's lines that are no products.

    Raises:
        UnitsUnavailable: more is asked for than the fulfillment order holds.
    """
    held = [
        pool
        for pool in pools
        if pool.account.state is UnitState.ALLOCATED and pool.account.fulfillment_order == fulfillment_order
    ]
    products = [pool for pool in held if pool.line_id not in charges]
    for line_id in sorted(quantities.keys() - {pool.line_id for pool in products}):
        detail = f"fulfillment order {fulfillment_order} holds nothing of line {line_id}"
        raise UnitsUnavailable(detail, line=line_id, available=0, asked=quantities[line_id])
    target = Account(state=UnitState.OPEN)
    movements = [
        move(pool, quantities[pool.line_id], target) for pool in products if quantities.get(pool.line_id, 0) > 0
    ]
    if sum(pool.quantity for pool in products) == sum(movement.quantity for movement in movements):
        movements += [move(pool, pool.quantity, target) for pool in held if pool.line_id in charges]
    return tuple(movements)

"""Quantities and statuses, derived from units."""

import pytest

from orderloom.domain.order import ItemStatus, OrderStatus, Quantities, item_status, order_status, quantities
from orderloom.domain.units import Account, Pool, UnitState


def pool(state: UnitState, quantity: int) -> Pool:
    """Return units in a state."""
    return Pool(line_id="1", account=Account(state=state), quantity=quantity, amount=0, tax=0)


def test_quantities_count_what_went_further() -> None:
    """Returned units were fulfilled, and fulfilled units allocated; each unit is ordered once."""
    pools = [pool(UnitState.SOURCE, -28), *(pool(state, n) for n, state in enumerate(list(UnitState)[1:], start=1))]

    q = quantities(pools)

    assert q == Quantities(
        ordered=28, reserved=2, cancelled=7, allocated=18, fulfilled=15, return_initiated=11, returned=6
    )
    assert (q.open, q.in_fulfillment, q.available_to_cancel, q.available_to_fulfill) == (1, 3, 3, 3)
    assert (q.quantity, q.net_ordered, q.available_to_return) == (15, 21, 4)


@pytest.mark.parametrize(
    ("q", "status"),
    [
        (Quantities(ordered=2, allocated=2, fulfilled=2, return_initiated=2, returned=1), ItemStatus.RETURN_INITIATED),
        (Quantities(ordered=3, allocated=1, fulfilled=1, return_initiated=1), ItemStatus.RETURN_INITIATED),
        (Quantities(ordered=3, allocated=3, fulfilled=3, return_initiated=1), ItemStatus.FULFILLED),
        (Quantities(ordered=2, allocated=2, fulfilled=2, return_initiated=2, returned=2), ItemStatus.RETURNED),
        (Quantities(ordered=2, cancelled=2), ItemStatus.CANCELLED),
        (Quantities(ordered=2, cancelled=1, allocated=1, fulfilled=1), ItemStatus.FULFILLED),
        (Quantities(ordered=2, allocated=2, fulfilled=1), ItemStatus.PARTIALLY_FULFILLED),
        (Quantities(ordered=2, cancelled=1, allocated=1), ItemStatus.ALLOCATED),
        (Quantities(ordered=2, allocated=1), ItemStatus.PARTIALLY_ALLOCATED),
        (Quantities(ordered=2, reserved=2), ItemStatus.ORDERED),
    ],
)
def test_item_status_is_the_first_rule_that_fits(q: Quantities, status: ItemStatus) -> None:
    """The status of a line follows the reference's list, literally."""
    assert item_status(q) is status


@pytest.mark.parametrize(
    ("q", "status"),
    [
        (Quantities(ordered=4, reserved=4), OrderStatus.WAITING),
        (Quantities(ordered=4, allocated=1), OrderStatus.PARTIALLY_ALLOCATED),
        (Quantities(ordered=4, allocated=4), OrderStatus.ALLOCATED),
        (Quantities(ordered=4, allocated=4, fulfilled=3), OrderStatus.PARTIALLY_FULFILLED),
        (Quantities(ordered=4, allocated=1, fulfilled=1, return_initiated=1), OrderStatus.PARTIALLY_FULFILLED),
        (Quantities(ordered=4, cancelled=1, allocated=3, fulfilled=3), OrderStatus.FULFILLED),
        (Quantities(ordered=4, allocated=4, fulfilled=4, return_initiated=4), OrderStatus.FULFILLED),
        (Quantities(ordered=4, cancelled=4), OrderStatus.CANCELLED),
        (
            Quantities(ordered=4, cancelled=1, allocated=3, fulfilled=3, return_initiated=3, returned=3),
            OrderStatus.RETURNED,
        ),
    ],
)
def test_order_status_covers_all_products(q: Quantities, status: OrderStatus) -> None:
    """An order's status comes from its product units together; a pending return hides nothing."""
    assert order_status(q) is status

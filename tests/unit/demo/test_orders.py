"""The demo's orders."""

from collections import Counter

from orderloom.demo.director import ENDS
from orderloom.demo.orders import SHARES, Story, demo_orders
from orderloom.demo.stock import LEFT_ONLY, NEVER, RESTOCKED, RIGHT_ONLY
from orderloom.domain.placing import PlaceOrder, check_order


def test_the_orders_are_the_same_each_time() -> None:
    """One seed makes the same 200 orders, with every story as often as the table says."""
    orders = demo_orders()

    assert orders == demo_orders()
    assert len(orders) == 200
    assert Counter(order.story for order in orders) == SHARES
    assert set(ENDS) == set(Story)


def test_every_order_can_be_placed() -> None:
    """Every order is one that the API would take, and no two have the same number at the channel."""
    placed = [PlaceOrder.model_validate(order.body) for order in demo_orders()]
    for order in placed:
        check_order(order)

    assert len({order.external_id for order in placed}) == 200


def test_a_story_has_the_stock_that_it_needs() -> None:
    """A forced split needs both lonely locations; restocked and unroutable orders need what is not there."""
    for order in demo_orders():
        skus = {line.sku for line in PlaceOrder.model_validate(order.body).lines}
        assert bool(skus & set(LEFT_ONLY) and skus & set(RIGHT_ONLY)) == (order.story is Story.FORCED_SPLIT)
        assert bool(skus & set(RESTOCKED)) == (order.story is Story.RESTOCKED)
        assert bool(skus & set(NEVER)) == (order.story in {Story.NEVER_ROUTABLE, Story.CANCELLED_EARLY})

"""Errors that no flow catches wait for a person and never kill the order."""

from collections.abc import Sequence

import pytest

from tests.workflows.shop import BROKEN, Shop


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow whose first action can only fail."""
    return (BROKEN,)


async def test_an_uncaught_error_becomes_an_exception_and_the_rest_goes_on(shop: Shop) -> None:
    """The flow waits at its task; other flows of the order reach their ends."""
    order = await shop.place()

    await shop.until_journal(order, "fulfillment.created")
    (exception,) = await shop.exceptions(order)
    assert exception["code"] == "not_found"
    assert exception["category"] == "Fulfillment"
    assert "test.over" not in await shop.journal(order)


async def test_skip_goes_on_with_the_operators_output(shop: Shop) -> None:
    """What an operator gives stands in for the task's output, and the exception is resolved."""
    order = await shop.place()
    (exception,) = await shop.exceptions(order)

    await shop.resolve(exception["id"], "skip", output={"invoice": "by hand", "total": 0})

    await shop.until_journal(order, "test.over")
    await shop.exceptions(order, 0)


async def test_retry_asks_again(shop: Shop) -> None:
    """The action runs once more; failing again it becomes another exception."""
    order = await shop.place()
    (first,) = await shop.exceptions(order)

    await shop.resolve(first["id"], "retry")

    await shop.until_journal(order, "exception.raised", 2)
    (second,) = await shop.exceptions(order)
    assert second["id"] != first["id"]
    assert "test.over" not in await shop.journal(order)


async def test_an_order_with_a_waiting_exception_takes_deliveries(shop: Shop) -> None:
    """Shipping is invoiced and paid while a flow waits for a person."""
    order = await shop.place()
    await shop.exceptions(order)
    await shop.until_journal(order, "fulfillment.created")

    await shop.fulfil(order)

    await shop.until_journal(order, "payment.captured")

"""When an order's workflow completes, and how it comes back."""

from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowUpdateFailedError

from orderloom.contracts.queues import workflow_id
from tests.workflows.shop import Shop
from tests.workflows.test_deciding import RAISING


@pytest.fixture
def policy() -> dict[str, Any]:
    """Close the service window as soon as nothing is open."""
    return {"service_window": 0.0}


async def _until_completed(shop: Shop, order: str) -> None:
    async def completed() -> bool | None:
        return (await shop.describe(order)).status is WorkflowExecutionStatus.COMPLETED or None

    await shop.until(completed, lambda: f"the workflow of {order} is completed")


async def test_an_order_completes_and_a_return_revives_it(shop: Shop) -> None:
    """Fulfilled and out of its service window, an order has no workflow; a return starts it again and is refunded."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await _until_completed(shop, order)
    assert await shop.closed(order)

    items = [{"line": "a", "quantity": 1, "reason": "broken"}]
    answer = await shop.post(f"/v1/orders/{order}/return-items", {"items": items})

    assert answer.status_code < 300, answer.text
    await shop.until_journal(order, "payment.refunded")
    await _until_completed(shop, order)
    journal = await shop.journal(order)
    assert journal.count("items.returned") == 1
    assert journal.count("payment.captured") == 1


@pytest.mark.parametrize("flows", [(RAISING,)])
async def test_an_exception_of_a_closed_order_can_only_be_resolved(shop: Shop) -> None:
    """No flow of the order waits any more: that is the answer to anything else, and the order is closed again."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await _until_completed(shop, order)
    (exception,) = await shop.exceptions(order)

    for kind in ("retry", "compensate"):
        refused = await shop.decide(exception["id"], kind)
        assert (refused.status_code, refused.json()["code"]) == (409, "exception.nobody_waits")
    await shop.resolve(exception["id"], "resolved")

    await shop.exceptions(order, 0)
    await _until_completed(shop, order)
    assert await shop.closed(order)


async def test_an_order_with_open_items_does_not_complete(shop: Shop) -> None:
    """While items wait for their location the workflow stays, however short the service window."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)

    assert (await shop.describe(order)).status is WorkflowExecutionStatus.RUNNING
    assert not await shop.closed(order)


async def test_real_time_cannot_be_advanced(shop: Shop) -> None:
    """Outside scenarios and imports nobody sets an order's clock."""
    order = await shop.place()
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))

    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update("advance", 3600.0)

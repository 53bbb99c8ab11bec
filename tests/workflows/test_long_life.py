"""Orders that live long: new runs, listening and waiting across them, and a Temporal that has lost everything."""

from collections.abc import Sequence

import pytest
from temporalio.client import Client

from orderloom.bootstrap.servers import Connections
from orderloom.cli.orders import revive_all
from orderloom.contracts.queues import workflow_id
from tests.workflows.shop import WATCH, Shop


@pytest.fixture
def flows() -> Sequence[str]:
    """Add a flow that listens for what no other flow wants, and then waits."""
    return (WATCH,)


async def _runs(client: Client, order: str) -> int:
    return len([one async for one in client.list_workflows(f"WorkflowId = '{workflow_id(order)}'")])


async def _fulfilled(shop: Shop) -> str:
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    await shop.until_journal(order, "test.rested")
    await shop.until_quiet(order)
    return order


@pytest.mark.usefixtures("short_runs")
async def test_an_order_goes_on_in_new_runs(shop: Shop) -> None:
    """Listening, waiting and acting across several runs ends as in one."""
    order = await _fulfilled(shop)

    async def several() -> int | None:
        runs = await _runs(shop.stack.client, order)
        return runs if runs >= 2 else None

    journal = await shop.journal(order)
    assert journal.count("test.picked") == 1
    assert journal.count("test.rested") == 1
    assert journal.count("payment.captured") == 1
    assert await shop.until(several, lambda: "a second run") >= 2
    assert (await shop.get(f"/v1/orders/{order}"))["status"] == "fulfilled"


async def test_an_order_revives_after_temporal_has_lost_it(shop: Shop) -> None:
    """Started from PostgreSQL, a flow that was listening hears what comes, and nothing is done twice."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    before = await shop.journal(order)
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    await handle.terminate("lost")

    assert await revive_all(_connections(shop)) == 1
    await shop.until_quiet(order)
    assert await shop.journal(order) == before
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    journal = await shop.until_journal(order, "test.rested")

    assert journal.count("test.picked") == 1
    assert journal.count("stock.reserved") == 1
    assert journal.count("fulfillment.created") == 1


async def test_a_report_revives_an_order_by_itself(shop: Shop) -> None:
    """Without any administrator, the next delivery to a lost workflow starts it again."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    await shop.stack.client.get_workflow_handle(workflow_id(order)).terminate("lost")

    await shop.fulfil(order)

    journal = await shop.until_journal(order, "payment.captured")
    assert journal.count("invoice.created") == 1
    assert journal.count("fulfillment.created") == 1


def _connections(shop: Shop) -> Connections:
    stack = shop.stack
    return Connections(
        engine=stack.engine, keys=stack.engine, vault=stack.vault, client=stack.client, addresses=stack.addresses
    )

"""The workflow of a routing pool over several runs."""

import json
from typing import Any

import pytest
from sqlalchemy import text

from orderloom.domain.routing_policy import RoutingPolicy, Wave
from tests.workflows.shop import Shop

ORDERS = 5
SINGLY = """
    SELECT w.orders, w.routed, w.left_over, p.order_id, p.status, a.order_id
    FROM waves w JOIN proposals p ON p.wave_id = w.id JOIN routing_attempts a ON a.wave_id = w.id ORDER BY w.id
"""


@pytest.fixture
def policy() -> dict[str, Any]:
    """Let orders wait in a pool for longer than the test lasts: only the test begins waves."""
    return {"routing": RoutingPolicy(wave=Wave(pool="eu/central", interval=3_600))}


async def test_a_pool_that_continues_as_new_goes_on(shop: Shop) -> None:
    """
    One order a wave and two waves a run: three runs take the orders by age, and none is left over. Each order is
    proposed to once and has one fulfillment order; the last run ends with nothing due.
    """
    orders = [await shop.place() for _ in range(ORDERS)]
    for order in orders:
        await shop.until_journal(order, "routing.scheduled")

    await shop.route_pool("eu/central", orders=1, waves=2)
    for order in orders:
        await shop.until_journal(order, "fulfillment.created")

    async with shop.stack.engine.connect() as conn:
        rows = [tuple(row) for row in await conn.execute(text(SINGLY))]
        waves = await conn.scalar(text("SELECT COUNT(*) FROM waves"))
    assert rows == [(1, 1, 0, order, "accepted", order) for order in orders]
    assert waves == ORDERS
    assert [(await shop.journal(order)).count("fulfillment.created") for order in orders] == [1] * ORDERS
    runs = await shop.pool_histories("eu/central")
    assert [history.count("EVENT_TYPE_ACTIVITY_TASK_COMPLETED") for history in runs] == [2, 2, 2]
    assert ["CONTINUED_AS_NEW" in history for history in runs] == [True, True, False]
    assert await shop.findings() == []


async def test_a_wave_that_fails_is_tried_again_soon(shop: Shop) -> None:
    """As often as it takes, and never more than five seconds later, however often it has failed."""
    await shop.route_pool("eu/central", orders=1, waves=1)

    [history] = await shop.pool_histories("eu/central")
    [retried] = [
        event["activityTaskScheduledEventAttributes"]["retryPolicy"]
        for event in json.loads(history)["events"]
        if event["eventType"] == "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    ]
    assert (retried["initialInterval"], retried["maximumInterval"]) == ("1s", "5s")
    assert "maximumAttempts" not in retried

"""The benchmark's raw twin does what the order workflow does for a standard order, or measuring them is for nothing."""

import json
from collections.abc import Iterator

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orderloom.benchmark.twin import Empty, TwinOrder
from orderloom.contracts.queues import ORDERS, workflow_id
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.stack import Options
from tests.workflows.shop import Shop
from tests.workflows.test_standard_order import JOURNAL
from workflows.order import OrderWorkflow

TOGETHER = [
    "record",
    "create-reservation@1",
    "emit-event",
    "record",
]
"""The activities of a standard order, in sequence; most do what its flows ask for next as well, the last asks the
gateway."""
ONE_BY_ONE = [
    "record",
    "create-reservation@1",
    "emit-event",
    "schedule-routing@1",
    "find-routes@1",
    "create-fulfillment-orders@1",
    "park",
    "record",
    "create-invoice@1",
    "fulfill-reservation@1",
    "ensure-funds@1.prepare",
    "perform-gateway-request",
    "ensure-funds@1.settle",
    "park",
]
"""Those of its twin, which asks for each by itself."""
FUNDS = {"invoiced": 9_500, "applied": 9_500}
"""Its money, in cents; every other account is at zero."""


@pytest.fixture(params=[(OrderWorkflow, TOGETHER), (TwinOrder, ONE_BY_ONE)], ids=["order", "twin"])
def contender(request: pytest.FixtureRequest) -> tuple[type, list[str]]:
    """Return the order workflow or its twin, with the activities that it asks for."""
    return request.param


@pytest.fixture
def options(contender: tuple[type, list[str]]) -> Options:
    """Return a stack with the contender as its order workflow."""
    return Options(webhook_lag=0.0, patience=20.0, workflows=(contender[0], Empty))


def _activities(events: list[HistoryEvent]) -> Iterator[str]:
    for event in events:
        if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
            yield json.loads(event.marker_recorded_event_attributes.details["data"].payloads[0].data)["activity_type"]
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
            yield event.activity_task_scheduled_event_attributes.activity_type.name


async def test_both_do_the_same(shop: Shop, contender: tuple[type, list[str]]) -> None:
    """Whether asked for together or one by one: one timer, the same journal, money and stock, and balanced books."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.until_quiet(order)
    for kind in ("accepted", "picked", "shipped"):
        await shop.report(order, kind)
    await shop.until_journal(order, "payment.updated")
    await shop.until_quiet(order)

    events = list((await shop.stack.client.get_workflow_handle(workflow_id(order)).fetch_history()).events)
    shown = await shop.get(f"/v1/orders/{order}")
    stock = (await shop.get("/v1/stock"))["items"]
    assert list(_activities(events)) == contender[1]
    assert [event.event_type for event in events].count(EventType.EVENT_TYPE_TIMER_STARTED) == 1
    assert sorted(await shop.journal(order)) == sorted(JOURNAL)
    assert shown["status"] == "fulfilled"
    assert {name: money["amount"] for name, money in shown["funds"].items() if money["amount"]} == FUNDS
    assert {each["sku"]: (each["on_hand"], each["reserved"]) for each in stock} == {"lamp": (999, 0), "mug": (999, 0)}
    async with snapshot(shop.stack.engine) as conn:
        assert (await examine(conn)).findings == ()


async def test_the_floor_ends(shop: Shop) -> None:
    """An empty workflow runs on the same worker and comes to its end."""
    assert await shop.stack.client.execute_workflow(Empty.run, id="floor", task_queue=ORDERS) is None

"""Temporal keeps an update in memory until a worker takes it, and a start for good: no order may hang on the first."""

from typing import Any

import httpx
import pytest
from sqlalchemy import select

from orderloom.bootstrap.clock import Clock
from orderloom.contracts.messages import Delivery, OrderInput
from orderloom.contracts.queues import ORDER_WORKFLOW, ORDERS, workflow_id
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.intake import ORDER_PLACED, Submission, submit
from orderloom.persistence.tables.payments import payment_intents
from orderloom.persistence.world import change_stock
from orderloom.stack import Options, Part
from tests.workflows.shop import Shop, order_body


@pytest.fixture
def policy() -> dict[str, Any]:
    """Let an order that could not be routed be tried again soon."""
    return {"routing": RoutingPolicy(max_attempts=20, backoff=0.5)}


@pytest.fixture
def options() -> Options:
    """Return a stack without a relay: nobody delivers again what was lost."""
    return Options(webhook_lag=0.0, patience=20.0, parts=(Part.API, Part.GATEWAY, Part.ORDERS, Part.OUTSIDE))


async def _taken_in(shop: Shop, external_id: str) -> tuple[str, Delivery]:
    submission = Submission(
        kind="command",
        type=ORDER_PLACED,
        source="web",
        external_id=external_id,
        body=order_body(external_id),
        person={"name": "Somebody"},
        received_at=Clock().now(),
    )
    taken = await submit(shop.stack.engine, shop.stack.vault, submission)
    return taken.order_id, Delivery(intake_id=taken.intake_id, type=ORDER_PLACED)


async def test_a_start_without_its_update_places_the_order(shop: Shop) -> None:
    """The workflow records what it was started for; the update, when it comes after all, gets the same receipt."""
    order, delivery = await _taken_in(shop, "lost-1")
    start = await shop.stack.courier.start_input(order, delivery.intake_id)

    await shop.stack.client.start_workflow(
        ORDER_WORKFLOW, start.model_copy(update={"first": delivery}), id=workflow_id(order), task_queue=ORDERS
    )
    await shop.until_journal(order, "fulfillment.created")
    receipt = await shop.stack.courier(order, delivery, within=20)

    assert receipt is not None
    assert (receipt.status, receipt.seq) == ("accepted", 1)
    assert (await shop.journal(order)).count("order.placed") == 1


async def test_a_delivery_names_itself_to_the_workflow_that_it_starts(shop: Shop) -> None:
    """What an order's workflow is started with holds the delivery that starts it."""
    order, delivery = await _taken_in(shop, "lost-2")

    await shop.stack.courier(order, delivery, within=20)

    history = await shop.stack.client.get_workflow_handle(workflow_id(order)).fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes.input.payloads[0].data
    assert delivery.intake_id in started.decode()


async def test_flows_go_on_after_the_tasks_that_began_them_were_lost(shop: Shop) -> None:
    """
    Several transactions are committed before history has the first of them: a worker that dies then loses them all.

    The flow that placed the order has ended in PostgreSQL, the one that it started has not: that one goes on.
    """
    body = order_body("lost-3")
    lines = body["lines"]
    assert isinstance(lines, list)
    assert isinstance(lines[0], dict)
    lines[0]["quantity"] = 2_000
    order = str((await shop.post("/v1/orders", body)).json()["id"])
    await shop.until_journal(order, "routing.attempted")
    await shop.until_quiet(order)
    assert await shop.outcomes(order, "place-order") == ["completed"]
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    history = await handle.fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    await handle.terminate("its history is lost")

    await shop.stack.client.start_workflow(
        ORDER_WORKFLOW,
        OrderInput.model_validate_json(started.data),
        id=workflow_id(order),
        task_queue=ORDERS,
    )
    async with shop.stack.engine.begin() as conn:
        await change_stock(conn, "vienna", "mug", 5_000, "restock", Clock().now())

    journal = await shop.until_journal(order, "fulfillment.created")
    assert journal.count("order.released") == 1
    assert journal.count("order.placed") == 1


async def test_what_a_gateway_was_to_be_asked_is_asked_after_the_task_was_lost(shop: Shop) -> None:
    """The intent is committed and nobody has asked the gateway: the flow comes to the same decision again."""
    order = await shop.place()
    await shop.until_journal(order, "fulfillment.created")
    await shop.fault({"kind": "unavailable", "times": 1_000})
    items: list[JsonObject] = [{"line": line, "quantity": 1} for line in ("a", "b")]
    (await shop.post(f"/v1/orders/{order}/cancel-items", {"items": [*items]})).raise_for_status()
    await shop.until(lambda: _asked(shop, order), lambda: "the intent to reverse")
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    history = await handle.fetch_history()
    started = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    await handle.terminate("its history is lost")

    async with httpx.AsyncClient(base_url=shop.stack.gateway_url) as http:
        (await http.delete("/faults")).raise_for_status()
    await shop.stack.client.start_workflow(
        ORDER_WORKFLOW, OrderInput.model_validate_json(started.data), id=workflow_id(order), task_queue=ORDERS
    )

    journal = await shop.until_journal(order, "payment.reversed")
    assert journal.count("items.cancelled") == 1
    assert journal.count("payment.reversed") == 1


async def _asked(shop: Shop, order: str) -> bool | None:
    query = select(payment_intents.c.id).where(
        payment_intents.c.order_id == order, payment_intents.c.operation == "reverse"
    )
    async with shop.stack.engine.connect() as conn:
        return await conn.scalar(query) is not None or None

"""A decision that was lost with its worker is made again before what has happened since."""

from typing import Any

import pytest
from sqlalchemy import select

from activities import registry, transaction
from activities.record import record_delivery
from activities.unit import Services
from orderloom.contracts.messages import Context, Delivery, RunAction
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.orders import idempotency
from orderloom.persistence.world import change_stock
from orderloom.stack import Options, Part
from tests.workflows.shop import Shop, order_body
from worker.proposing import Proposals


@pytest.fixture
def policy() -> dict[str, Any]:
    """Let nothing but what happens wake an order that could not be routed."""
    return {"routing": RoutingPolicy(max_attempts=20, backoff=3_600)}


@pytest.fixture
def options() -> Options:
    """Return a stack without a relay: nobody brings again what was lost."""
    return Options(webhook_lag=0.0, patience=20.0, parts=(Part.API, Part.GATEWAY, Part.ORDERS, Part.OUTSIDE))


async def test_a_flow_hears_of_what_it_missed_before_what_came_later(shop: Shop) -> None:
    """
    A worker dies after it has committed a restock and the route that the flow found with it; then items are cancelled.

    The flow is woken by the restock, as it was before: it finds its committed route, and plans no attempt that nobody
    would ever make or give up.
    """
    order = await _waiting_for_lamps(shop)
    event = await _lost_restock(shop, order)

    cancelled = {"items": [{"line": "a", "quantity": 1}]}
    (await shop.post(f"/v1/orders/{order}/cancel-items", cancelled)).raise_for_status()
    journal = await shop.until_journal(order, "items.cancelled")
    await shop.until_quiet(order)

    assert await _schedules(shop, order) == [(1, "completed"), (2, "completed")]
    assert journal.count("fulfillment.created") == 1
    assert [key.partition("~")[2] for key in await _keys(shop, order) if "~" in key] == [event] * 3
    assert await shop.outcomes(order, "fulfilment") == ["completed"]


async def _waiting_for_lamps(shop: Shop) -> str:
    """Place an order that has tried its route once, and waits for stock."""
    body = order_body("missed", lamps=2_000)
    order = str((await shop.post("/v1/orders", body)).json()["id"])
    await shop.until_journal(order, "routing.scheduled", 2)
    await shop.until_quiet(order)
    return order


async def _lost_restock(shop: Shop, order: str) -> str:
    """Commit a restock and what the flow does with it, as a worker would, and let the workflow hear of nothing."""
    stack = shop.stack
    async with stack.engine.begin() as conn:
        await change_stock(conn, "vienna", "lamp", 5_000, "restock", stack.clock.now())
    assert await Proposals(stack.engine, stack.vault, stack.clock).turn() == 1
    async with stack.engine.connect() as conn:
        query = select(intake.c.id).where(intake.c.type == "stock.restocked", intake.c.order_id == order)
        event = str(await conn.scalar(query))
    given = await stack.courier.start_input(order, None)
    context = Context(order_id=order, now=stack.clock.now(), known_flows=[], pin=given.pin)
    delivery = Delivery(intake_id=event, type="stock.restocked")
    await record_delivery(stack.engine, stack.vault, context, delivery)
    flow = next(key for key in await _keys(shop, order) if key.endswith("/do/2#0.0")).removesuffix("/do/2#0.0")

    async def act(action: str, at: str, given: JsonObject) -> JsonObject:
        entry = registry.entries[f"{action}@1"]
        assert entry.run is not None
        request = RunAction(context=context, key=f"{flow}{at}#0.0~{event}", input=given, cause="fulfilment:1.2.0")
        services = Services(engine=stack.engine, vault=stack.vault)
        return (await transaction.run(services, entry.contract, entry.run, request)).output

    planned = await act("schedule-routing", "/do/0", {"reason": "order.released"})
    found = await act("find-routes", "/do/2", {"schedule": planned["schedule"]})
    assert (planned["schedule"], found["outcome"]) == (2, "ROUTED")
    await act("create-fulfillment-orders", "/do/3/try/0", {"attempt": found["attempt"]})
    return event


async def _keys(shop: Shop, order: str) -> list[str]:
    query = select(idempotency.c.key).where(idempotency.c.order_id == order).order_by(idempotency.c.key)
    async with shop.stack.engine.connect() as conn:
        return list(await conn.scalars(query))


async def _schedules(shop: Shop, order: str) -> list[tuple[int, str]]:
    table = routing_schedules
    query = select(table.c.number, table.c.status).where(table.c.order_id == order).order_by(table.c.number)
    async with shop.stack.engine.connect() as conn:
        return [(row.number, row.status) for row in await conn.execute(query)]

"""The API over the real thing: PostgreSQL, Temporal, workers, relay and gateway."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.readmodels.doctor import ON_ITS_WAY, Finding, examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.conftest import MASTER_KEY
from tests.workflows.shop import Shop, open_shop, order_body


@pytest.fixture
async def shop(
    database_url: str, engine: AsyncEngine, temporal: EmbeddedTemporal, client: Client, workflow_cache: int
) -> AsyncIterator[Shop]:
    """Return a shop on a running stack."""
    settings = Settings(
        database_url=database_url,
        keys_url=database_url,
        master_key=MASTER_KEY.hex(),
        temporal_address=temporal.address,
        temporal_namespace=client.namespace,
        api_port=0,
        gateway_port=0,
        workflow_cache=workflow_cache,
    )
    await open_shop(engine)
    async with Stack.start(settings, Options(webhook_lag=0.0, patience=20.0)) as stack:
        yield Shop(stack)


async def findings_until(over: asyncio.Event, engine: AsyncEngine) -> list[Finding]:
    """Let the doctor look again and again, and return whatever it found; only at the end nothing is on its way."""
    found: list[Finding] = []
    while True:
        last = over.is_set()
        async with snapshot(engine) as conn:
            found += (await examine(conn, since=None if last else datetime.now(UTC) - ON_ITS_WAY)).findings
        if last:
            return found
        await asyncio.sleep(0.05)


async def test_order_from_placing_to_return(shop: Shop, engine: AsyncEngine) -> None:
    """An order is placed, shipped, paid and partly returned through the API alone; the books balance all the while."""
    over = asyncio.Event()
    looking = asyncio.create_task(findings_until(over, engine))
    await shop.authorise("B-1")
    body = order_body("B-1")
    placed = await shop.post("/v1/orders", body, key="place")
    order = str(placed.json()["id"])
    again = await shop.post("/v1/orders", body, key="place")
    await shop.until_journal(order, "fulfillment.created")
    allocated = await shop.get(f"/v1/orders/{order}")
    too_much = {"items": [{"line": "a", "quantity": 2}]}
    refused = await shop.post(f"/v1/orders/{order}/cancel-items", too_much, key="cancel")
    refused_again = await shop.post(f"/v1/orders/{order}/cancel-items", too_much, key="cancel")
    await shop.fulfil(order)
    await shop.until_journal(order, "payment.captured")
    item = {"items": [{"line": "a", "quantity": 1, "reason": "damaged"}]}
    preview = await shop.post(f"/v1/orders/{order}/return-items/preview", item)
    returned = await shop.post(f"/v1/orders/{order}/return-items", item)
    await shop.until_journal(order, "payment.refunded")
    await shop.until_quiet(order)
    final = await shop.get(f"/v1/orders/{order}")
    over.set()

    assert (placed.status_code, again.content) == (201, placed.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert allocated["status"] == "allocated"
    assert [each["action"] for each in allocated["allowed_actions"] if each["allowed"]] == ["cancel-items"]
    assert (refused.status_code, refused.json()["code"]) == (409, "change.quantity_unavailable")
    assert refused_again.content == refused.content
    assert returned.status_code == 200, returned.text
    assert preview.json()["balances"]["grand_total_amount"] == {"amount": 1500, "currency": "EUR"}
    assert final["status"] == "fulfilled"
    assert [each["total"]["amount"] for each in final["invoices"]] == [9500]
    assert [each["total"]["amount"] for each in final["credit_memos"]] == [1500]
    assert [(each["captured"]["amount"], each["refunded"]["amount"]) for each in final["payments"]] == [(9500, 1500)]
    assert final["totals"]["grand_total_amount"]["amount"] == 8000
    assert await looking == []

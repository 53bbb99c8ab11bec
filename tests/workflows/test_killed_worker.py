"""A worker that is killed while a flow is undone: a process of its own, ended with SIGKILL."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.processes import Process
from orderloom.persistence.tables.payments import payment_intents
from orderloom.settings import Settings
from orderloom.stack import WITHOUT_WORKERS, Options, Stack
from tests.workflows.shop import Shop, open_shop
from tests.workflows.undoing import UNDONE, WHOLE, is_undone


@pytest.fixture
async def stack(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Stack]:
    """Return a stack without workers, whose gateway does what it is asked and answers late."""
    await open_shop(engine, (WHOLE,), shipped=False)
    options = Options(webhook_lag=0.0, patience=20.0, hang_seconds=8.0, parts=WITHOUT_WORKERS)
    async with Stack.start(settings, options) as stack:
        yield stack


async def _asked_for_refund(shop: Shop) -> bool | None:
    query = select(payment_intents.c.outcome).where(payment_intents.c.operation == "refund")
    async with shop.stack.engine.connect() as conn:
        return True if await conn.scalar(query) == "requested" else None


async def _refunded(shop: Shop) -> bool | None:
    async with httpx.AsyncClient(base_url=shop.stack.gateway_url) as http:
        totals = (await http.get("/books")).json()["totals"]
    return totals["EUR"]["refunded"] == 9_500 or None


async def test_a_worker_killed_while_a_refund_is_asked_for(shop: Shop, worker: Process) -> None:
    """The refund is done and its answer lost with the worker: another one finds that out, and undoes the rest, once."""
    order = await shop.place(authorised=False)
    (exception,) = await shop.exceptions(order)
    await shop.fault({"kind": "timeout_after", "operation": "refund"})
    await shop.fault({"kind": "unavailable", "nth": 2, "times": 1_000})

    resolved = asyncio.create_task(shop.resolve(exception["id"], "compensate"))
    await shop.until(lambda: _asked_for_refund(shop), lambda: "a refund that was asked for")
    await shop.until(lambda: _refunded(shop), lambda: "a refund at the gateway")
    await worker.kill()
    assert "invoice.voided" not in await shop.journal(order)
    async with httpx.AsyncClient(base_url=shop.stack.gateway_url) as http:
        (await http.delete("/faults")).raise_for_status()
    await worker.start()

    await shop.until_journal(order, "flow.compensated")
    await resolved
    await shop.until_quiet(order)
    await is_undone(shop, order)
    assert Counter(type for type in await shop.journal(order) if type != "payment.updated") == UNDONE

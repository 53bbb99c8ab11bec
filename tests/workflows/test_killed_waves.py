"""Orders that wait for waves while workers and what routes waves are killed: the end is the same."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, text

from orderloom.bootstrap.processes import Process
from orderloom.domain.routing_policy import RoutingPolicy, Wave
from orderloom.persistence.tables.waiting import proposals
from orderloom.persistence.world import Stock, World, load_world
from orderloom.settings import Settings
from orderloom.stack import WITHOUT_WORKERS, Options, Stack
from tests.workflows.shop import OPENED, Shop, open_shop, order_body

ORDERS, UNITS = 24, 16
"""Orders of one mug and one lamp each, and how many of either there are."""
WITHIN = 90.0


@pytest.fixture
async def stack(settings: Settings, engine) -> AsyncIterator[Stack]:
    """Return a stack without workers, whose shop routes in waves and has too little."""
    routing = RoutingPolicy(wave=Wave(pool="killed", interval=1), max_attempts=2, backoff=1, when_abandoned="release")
    await open_shop(engine, routing=routing, reserve="routing")
    async with engine.begin() as conn:
        shelves = [Stock(location="vienna", sku=sku, on_hand=UNITS) for sku in ("mug", "lamp")]
        await load_world(conn, World(stock=shelves), OPENED)
    async with Stack.start(settings, Options(webhook_lag=0.0, patience=1.0, parts=WITHOUT_WORKERS)) as stack:
        yield stack


async def _scalar(stack: Stack, sql: str) -> int:
    async with stack.engine.connect() as conn:
        return int(await conn.scalar(text(sql)) or 0)


async def _until(stack: Stack, sql: str, least: int) -> None:
    while await _scalar(stack, sql) < least:  # noqa: ASYNC110  # it changes in other processes
        await asyncio.sleep(0.05)


_WAVES = "SELECT COUNT(*) FROM waves"
_PROPOSED = "SELECT COUNT(*) FROM proposals"
_ENDED = """
    SELECT COUNT(DISTINCT order_id) FROM journal WHERE type IN ('fulfillment.created', 'exception.raised')
"""


async def test_killed_while_waves_are_routed_and_answered(stack: Stack, worker: Process) -> None:
    """Killed when a wave begins, and when orders answer one: every order ends once with its goods or an exception."""
    shop = Shop(stack)
    for number in range(ORDERS):
        await shop.authorise(f"K-{number}")
        answer = await shop.post("/v1/orders", order_body(f"K-{number}"))
        assert answer.status_code in (201, 202), answer.text

    async with asyncio.timeout(WITHIN):
        for sql in (_WAVES, _PROPOSED):
            await _until(stack, sql, 1)
            await worker.kill()
            await worker.start()
        await _until(stack, _ENDED, ORDERS)
        await _until(stack, "SELECT 1 - LEAST(1, COUNT(*)) FROM proposals WHERE status = 'open'", 1)

    async with stack.engine.connect() as conn:
        allocated = Counter(
            {
                row.order_id: row.units
                for row in await conn.execute(
                    text(
                        "SELECT order_id, SUM(quantity)::int AS units FROM unit_entries WHERE state = 'allocated' "
                        "GROUP BY order_id HAVING SUM(quantity) <> 0"
                    )
                )
            }
        )
        statuses = set(await conn.scalars(select(proposals.c.status).distinct()))
        reserved = await conn.scalar(text("SELECT SUM(reserved) FROM stock"))
        doubled = await conn.scalar(
            select(func.count()).select_from(
                text("(SELECT order_id FROM fulfillment_orders GROUP BY order_id HAVING COUNT(*) > 1) twice")
            )
        )
    assert set(allocated.values()) == {2}
    assert (len(allocated), reserved, doubled) == (UNITS, 2 * UNITS, 0)
    assert statuses <= {"accepted", "released", "lapsed"}
    assert await shop.findings() == []

"""Two hundred orders for more than there is, while workers are killed: nothing is sold twice, nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl.prebuilt import documents
from flows_dsl.release import pack
from orderloom.bootstrap.processes import Process
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.flows import publish
from orderloom.persistence.tables.orders import flow_instances, journal
from orderloom.persistence.world import Channel, Group, Location, Product, Stock, World, load_world
from orderloom.settings import Settings
from orderloom.stack import WITHOUT_WORKERS, Options, Stack
from tests.workflows.shop import OPENED, Shop
from tests.workflows.workers import worker_process

ORDERS = 200
PLACES = {"AT": (48.2, 16.4), "DE": (52.5, 13.4), "FR": (45.8, 4.8), "PL": (52.2, 21.0), "IT": (45.5, 9.2)}
SKUS = tuple(f"HOT-{number:02d}" for number in range(20))
EACH = 4
"""Of each SKU at each location: 400 in all, for some 600 that are wanted."""
SEED = 20261126
STRIKES = 6
AT_ONCE = 16
PATIENCE = 85.0
"""Seconds for all of it."""


def _bodies() -> list[JsonObject]:
    """Return the orders: two SKUs each, one or two of either."""
    random = Random(SEED)
    return [_body(number, {sku: random.randint(1, 2) for sku in random.sample(SKUS, 2)}) for number in range(ORDERS)]


def _body(number: int, items: dict[str, int]) -> JsonObject:
    total: JsonObject = {"amount": 1_000 * sum(items.values()), "currency": "EUR"}
    authorised: JsonObject = {"reference": f"auth-{number}", "amount": total}
    return {
        "channel": "web",
        "external_id": f"hot-{number}",
        "currency": "EUR",
        "delivery_groups": [{"id": "1", "country": "AT", "position": {"latitude": 48.2, "longitude": 16.4}}],
        "lines": [
            {"id": sku, "sku": sku, "quantity": n, "unit_price": {"amount": 1_000, "currency": "EUR"}}
            for sku, n in items.items()
        ],
        "payments": [{"method": "card", "gateway": "sandbox", "amount": total, "authorization": authorised}],
    }


async def _open(engine: AsyncEngine) -> None:
    routing = RoutingPolicy(max_attempts=3, backoff=0.5, when_abandoned="release")
    policy = ChannelPolicy(currency="EUR", location_group="all", price="given", routing=routing)
    async with engine.begin() as conn:
        pin = await publish(conn, pack(documents()), OPENED)
        world = World(
            channels=[Channel(id="web", policy=policy, release=pin.release)],
            products=[Product(sku=sku) for sku in SKUS],
            locations=[
                Location(id=id, country=id, latitude=latitude, longitude=longitude)
                for id, (latitude, longitude) in PLACES.items()
            ],
            groups=[Group(id="all", locations=list(PLACES))],
            stock=[Stock(location=location, sku=sku, on_hand=EACH) for location in PLACES for sku in SKUS],
        )
        await load_world(conn, world, OPENED)


@pytest.fixture
async def stack(settings: Settings, engine: AsyncEngine) -> AsyncIterator[Stack]:
    """Return a stack without workers."""
    await _open(engine)
    async with Stack.start(settings, Options(webhook_lag=0.0, patience=1.0, parts=WITHOUT_WORKERS)) as stack:
        yield stack


@pytest.fixture
async def workers(stack: Stack, settings: Settings, tmp_path: Path) -> AsyncIterator[list[Process]]:
    """Return two running worker processes."""
    workers = [worker_process(stack, settings, tmp_path, f"worker-{n}") for n in (1, 2)]
    await asyncio.gather(*(worker.start() for worker in workers))
    yield workers
    await asyncio.gather(*(worker.stop() for worker in workers))


async def _place(stack: Stack, bodies: Iterable[JsonObject]) -> None:
    """Place all orders, some at a time; one that no worker answers for is taken in all the same."""
    waiting = iter(bodies)

    async def channel(http: httpx.AsyncClient) -> None:
        for body in waiting:
            headers = {"Idempotency-Key": str(body["external_id"])}
            answer = await http.post("/v1/orders", json=body, headers=headers)
            assert answer.status_code in (201, 202), answer.text

    async with httpx.AsyncClient(base_url=stack.api_url, timeout=30) as http, asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(channel(http))


async def _strike(stack: Stack, workers: list[Process]) -> int:
    """Kill one worker or another whenever the journals have grown so far; return how often while work was left."""
    random, ready = Random(SEED), list(workers)
    strikes = 0

    async def restart(worker: Process) -> None:
        await worker.start()
        ready.append(worker)

    async def grown(entries: int) -> bool | None:
        return (bool(ready) and await _scalar(stack, select(func.count()).select_from(journal)) >= entries) or None

    async with asyncio.TaskGroup() as restarts:
        for entries in sorted(random.sample(range(30, 2 * ORDERS), STRIKES)):
            await _until(lambda least=entries: grown(least))
            victim = ready.pop(random.randrange(len(ready)))
            await victim.kill()
            strikes += 0 if await _all_done(stack) else 1
            restarts.create_task(restart(victim))
    return strikes


async def _until[T](look: Callable[[], Awaitable[T | None]]) -> T:
    while (seen := await look()) is None:  # noqa: ASYNC110  # what is looked at is in other processes
        await asyncio.sleep(0.02)
    return seen


async def _scalar(stack: Stack, query: Any) -> int:
    async with stack.engine.connect() as conn:
        return int(await conn.scalar(query) or 0)


_DECIDED = text(
    """
    SELECT COUNT(DISTINCT order_id) FROM journal
    WHERE type = 'exception.raised' OR type = 'fulfillment.created'
    """
)


async def _all_done(stack: Stack) -> bool | None:
    """Return whether every order has its goods or its exception, and nothing is under way."""
    live = select(func.count()).where(flow_instances.c.status.in_(("running", "faulted")))
    return (await _scalar(stack, _DECIDED) == ORDERS and await _scalar(stack, live) == 0) or None


async def test_a_crowd_and_killed_workers(stack: Stack, workers: list[Process]) -> None:
    """Every order has all its units or none and an exception; counters, reservations and ledgers say the same."""
    bodies = _bodies()
    try:
        async with asyncio.timeout(PATIENCE):
            async with asyncio.TaskGroup() as group:
                group.create_task(_place(stack, bodies))
                striking = group.create_task(_strike(stack, workers))
            await _until(lambda: _all_done(stack))
    except TimeoutError:
        raise AssertionError(f"after {PATIENCE:.0f} s: {await _told(stack)}") from None

    assert striking.result() == STRIKES
    assert await _rows(stack, _JOURNALS) == []
    demand = {(body["external_id"], line["sku"]): line["quantity"] for body in bodies for line in body["lines"]}  # type: ignore
    units, abandoned = await _rows(stack, _UNITS), {order for (order,) in await _rows(stack, _ABANDONED)}
    assert {(order, sku): ordered for order, sku, ordered, *_ in units} == demand
    for order, sku, ordered, free, allocated in units:
        given = (ordered, 0) if order in abandoned else (0, ordered)
        assert (free, allocated) == given, f"{order}: {sku}"
    taken = Counter[str]()
    for _, sku, _, _, allocated in units:
        taken[sku] += allocated
    assert 0 < len(abandoned) < ORDERS
    assert max(taken.values()) <= EACH * len(PLACES)
    assert await _rows(stack, _EXCEPTIONS) == [("routing.abandoned", len(abandoned))]
    assert await _rows(stack, _NOT_AS_IT_MUST_BE) == []
    assert await Shop(stack).findings() == []


_UNITS = """
    SELECT o.external_id, l.sku, l.quantity,
        COALESCE(SUM(e.quantity) FILTER (WHERE e.state = 'open'), 0)::int,
        COALESCE(SUM(e.quantity) FILTER (WHERE e.state = 'allocated'), 0)::int
    FROM orders o JOIN order_lines l ON l.order_id = o.id
        JOIN unit_entries e ON e.order_id = l.order_id AND e.line_id = l.id
    GROUP BY 1, 2, 3 ORDER BY 1, 2
"""
_ABANDONED = """
    SELECT o.external_id FROM orders o JOIN process_exceptions x ON x.order_id = o.id
    WHERE x.code = 'routing.abandoned' AND x.status = 'new'
"""
_EXCEPTIONS = "SELECT code, COUNT(*)::int FROM process_exceptions GROUP BY 1"
_JOURNALS = """
    SELECT order_id, type, COUNT(*) FROM journal
    WHERE type IN ('order.placed', 'stock.reserved', 'stock.short', 'routing.abandoned', 'exception.raised')
    GROUP BY 1, 2 HAVING COUNT(*) > 1
"""
"""What happened to an order twice."""
_NOT_AS_IT_MUST_BE = """
    SELECT r.order_id, r.status, f.status FROM reservations r
    LEFT JOIN fulfillment_orders f ON f.id = r.fulfillment_order_id AND f.location_id = r.location_id
    WHERE r.status NOT IN ('transferred', 'released')
        AND (r.status <> 'active' OR f.status IS DISTINCT FROM 'allocated')
    UNION ALL
    SELECT r.order_id, r.status, 'abandoned' FROM reservations r
    JOIN process_exceptions x ON x.order_id = r.order_id WHERE r.status = 'active'
"""
"""Reservations that neither have ended nor are those of a fulfillment order that waits for its location."""


async def _rows(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    async with stack.engine.connect() as conn:
        return [tuple(row) for row in await conn.execute(text(query))]


async def _told(stack: Stack) -> str:
    """Return how far the orders have come, for whoever has to find out why it took too long."""
    types = await _rows(stack, "SELECT type, COUNT(*) FROM journal GROUP BY 1 ORDER BY 1")
    flows = await _rows(stack, "SELECT status, COUNT(*) FROM flow_instances GROUP BY 1 ORDER BY 1")
    return f"journal {dict(types)}, flows {dict(flows)}"

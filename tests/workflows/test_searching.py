"""An order that may come from forty locations: the search is too long for the order's own worker."""

import json
from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.contracts.queues import ROUTING
from orderloom.persistence.tables.fulfillment import routing_attempts, routing_searches
from orderloom.persistence.world import Group, Location, Stock, World, load_world
from tests.workflows.shop import OPENED, Shop

MANY = 40


async def spread_out(engine: AsyncEngine) -> None:
    """Open many shops beside Vienna, which has sold out: one has mugs, another one lamps, the others neither."""
    names = [f"shop-{number:02}" for number in range(MANY)]
    async with engine.begin() as conn:
        await load_world(
            conn,
            World(
                locations=[Location(id=name, country="AT") for name in names],
                groups=[Group(id="all", locations=["vienna", *names])],
                stock=[
                    Stock(location="vienna", sku="mug", on_hand=0),
                    Stock(location="vienna", sku="lamp", on_hand=0),
                    Stock(location="shop-07", sku="mug", on_hand=5),
                    Stock(location="shop-31", sku="lamp", on_hand=5),
                ],
            ),
            OPENED,
        )


def activities_of(history: str) -> tuple[Counter[str], Counter[str]]:
    """Return how often each queue was given an activity, and how often each local activity ran."""
    queues: Counter[str] = Counter()
    local: Counter[str] = Counter()
    for event in json.loads(history)["events"]:
        if scheduled := event.get("activityTaskScheduledEventAttributes"):
            queues[scheduled["taskQueue"]["name"]] += 1
        if marker := event.get("markerRecordedEventAttributes"):
            local[marker["markerName"]] += 1
    return queues, local


async def test_a_large_question_is_searched_for_elsewhere(shop: Shop) -> None:
    """The order is routed to the two shops by one search on queue ``routing``; nothing of the question stays behind."""
    await spread_out(shop.stack.engine)

    order_id = await shop.place()
    await shop.until_journal(order_id, "fulfillment.created", times=2)

    [history] = await shop.histories(order_id)
    assert activities_of(history)[0] == Counter({ROUTING: 1})
    async with shop.stack.engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(routing_searches)) == 0
        [attempt] = (await conn.execute(select(routing_attempts))).all()
    assert attempt.outcome == "ROUTED"
    [part] = attempt.answer["parts"]
    assert part["answer"]["routes"][0]["locations"] == ["shop-07", "shop-31"]
    assert (part["answer"]["proven"], part["answer"]["lower_bound"]) == (True, 2)
    assert len(attempt.seen["locations"]) == MANY + 1
    assert (await shop.journal(order_id)).count("routing.attempted") == 1
    assert await shop.findings() == []


async def test_a_standard_order_is_searched_for_at_once(shop: Shop) -> None:
    """With one location no activity but the payment's leaves the order's worker, and no question is written down."""
    order_id = await shop.place()
    await shop.until_journal(order_id, "fulfillment.created")

    [history] = await shop.histories(order_id)
    assert ROUTING not in activities_of(history)[0]
    async with shop.stack.engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(routing_searches)) == 0

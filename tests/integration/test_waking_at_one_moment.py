"""Two who are at work at one moment: stock that comes in, and an order that asks for it or begins to wait for it."""

import asyncio

import pytest

from activities import awaiting
from orderloom.persistence.proposals import proposal_of, release
from orderloom.persistence.stock import lock_groups
from orderloom.persistence.world import change_stock
from tests.integration.test_waking import answer, move_together, opened, reserved_apart, restock, waits


async def test_a_new_order_that_races_a_restock_gets_nothing(scarce) -> None:
    """Twenty new orders try while the unit comes in: none of them is promised it, the old one gets it every time."""
    old = await waits(scarce, {"X": 1})
    new = [await scarce.place({"X": 1}) for _ in range(20)]

    async def try_often(order: str) -> None:
        for attempt in range(3):
            await scarce.act("create-reservation", order, key=f"try-{attempt}")

    await asyncio.gather(restock(scarce, 1), *(try_often(order) for order in new))
    found = await answer(scarce, old)
    await scarce.act("create-fulfillment-orders", old, {"attempt": found["attempt"]})

    assert found["outcome"] == "ROUTED"
    assert await scarce.rows("SELECT order_id, status FROM reservations") == [(old, "active")]
    assert await scarce.reserved() == {"A X": 1, "all X": 1}
    assert await scarce.rows("SELECT status FROM proposals") == [("accepted",)]
    assert await scarce.rows("SELECT * FROM stock_waits") == []
    assert await scarce.counters_agree()


@pytest.mark.parametrize("never_there", [False, True])
async def test_stock_that_comes_in_while_an_order_enters_the_queue_is_given_to_it(bench, never_there) -> None:
    """The restock looks at the queue before the order stands in it: the order looks again, and gets the unit."""
    there = {"Y": 0} if never_there else {"X": 0}
    await bench.load({"A": there, "Z": {"X": 5}}, groups={"all": ["A"], "others": ["Z"]}, routing={"backoff": 3600})
    order = await bench.place({"X": 1})
    await bench.act("create-reservation", order)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    async with bench.engine.begin() as conn:
        await change_stock(conn, "A", "X", 2, "restock", bench.now)
        attempt = asyncio.create_task(answer(bench, order, schedule=1))
        await _until_it_waits(bench, attempt)

    assert (await attempt)["outcome"] == "NO_STOCK"
    assert await opened(bench) == [(order, 1)]
    assert await bench.reserved() == {"all X": 1}
    assert await bench.counters_agree()


async def test_who_stands_before_gets_what_has_come_in_while_an_order_enters_the_queue(scarce, monkeypatch) -> None:
    """A unit is given back meanwhile: the new order finds it, and it goes to the older one in the queue."""
    old = await waits(scarce, {"X": 1})
    await restock(scarce, 1)
    new = await scarce.place({"X": 1})
    await scarce.act("schedule-routing", new, {"reason": "order.released"})
    released: list[str] = []

    async def release_first(conn, wanted) -> None:
        if not released:
            released.append(old)
            async with scarce.engine.begin() as other:
                proposal = await proposal_of(other, old)
                assert proposal is not None
                assert await release(other, proposal, now=scarce.now) == []
        await lock_groups(conn, wanted)

    monkeypatch.setattr(awaiting, "lock_groups", release_first)
    assert (await answer(scarce, new, schedule=1))["outcome"] == "NO_STOCK"

    assert released == [old]
    assert await opened(scarce) == [(old, 1)]
    assert await scarce.counters_agree()


async def test_stock_is_offered_to_an_order_that_waits_for_its_counters(scarce) -> None:
    """The order's own attempt waits for who brings the unit, who offers it to the order: nobody waits in a circle."""
    order = await waits(scarce, {"X": 1})
    async with scarce.engine.begin() as conn:
        await lock_groups(conn, {("all", "X")})
        attempt = asyncio.create_task(answer(scarce, order))
        await _until_it_waits(scarce, attempt)
        await change_stock(conn, "A", "X", 1, "restock", scarce.now)
        assert not attempt.done()

    assert (await attempt)["outcome"] == "NO_STOCK"
    assert await opened(scarce) == [(order, 1)]
    assert await scarce.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == [(0,)]


async def test_what_moves_while_an_order_enters_the_queue_wakes_it(bench, monkeypatch) -> None:
    """Two reserved units are at two places when the order looks, and at one when it stands in the queue."""
    order = await reserved_apart(bench)

    async def move_first(conn, wanted) -> None:
        await move_together(bench)
        await lock_groups(conn, wanted)

    monkeypatch.setattr(awaiting, "lock_groups", move_first)
    assert (await answer(bench, order, schedule=1))["outcome"] == "SPLIT_LIMIT"

    assert await bench.rows("SELECT order_id, status FROM proposals") == [(order, "open")]
    assert await bench.rows("SELECT * FROM proposal_lines") == []
    assert await bench.counters_agree()


@pytest.mark.parametrize("reserves", [False, True])
async def test_an_order_that_finds_all_as_it_was_is_not_woken(bench, reserves) -> None:
    """One unit at each of two places, and no split allowed: the order waits, whether it has reserved them or not."""
    await bench.load({"A": {"X": 1}, "B": {"X": 1}}, routing={"max_splits": 0})
    order = await bench.place({"X": 2})
    if reserves:
        await bench.act("create-reservation", order)
    await bench.act("schedule-routing", order, {"reason": "order.released"})

    assert (await answer(bench, order, schedule=1))["outcome"] == "SPLIT_LIMIT"

    assert await bench.rows("SELECT sku, quantity, missing FROM stock_waits") == [("X", 0 if reserves else 2, True)]
    assert await bench.rows("SELECT * FROM proposals") == []
    assert await bench.reserved() == ({"all X": 2} if reserves else {})


async def test_two_skus_that_come_in_at_one_moment_serve_an_order_for_both(scarce) -> None:
    """Neither restock sees the other's units before it has committed; the one that ends later serves the order."""
    order = await waits(scarce, {"X": 1, "Y": 1})
    async with scarce.engine.begin() as first:
        await change_stock(first, "A", "X", 1, "restock", scarce.now)
        second = asyncio.create_task(restock(scarce, 1, sku="Y"))
        await _until_it_waits(scarce, second)
        assert await opened(scarce) == []
    await second

    assert await opened(scarce) == [(order, 1)]
    assert await scarce.counters_agree()


async def _until_it_waits(bench, task) -> None:
    """Return when *task* waits for a lock in this database, or has ended."""
    query = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not task.done() and not await bench.rows(query):
        await asyncio.wait({task}, timeout=0.01)

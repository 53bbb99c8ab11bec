"""Safety stock: set by feeds and requests, at locations and their groups, noted, and never at what is reserved."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.reserving import CreateReservation
from orderloom.inventory import changing
from orderloom.inventory.changing import Adjustments, SafetyStocks
from orderloom.inventory.reservations import create_reservation
from orderloom.persistence.intake import IdempotencyKeyReused
from orderloom.persistence.world import World, load_world
from tests.integration.test_feeds import NOW, WORLD, books, feed, rows, stocked
from tests.integration.test_waking import answer, opened, waits

__all__ = ["stocked"]

KEPT = """
    SELECT location_id, sku, on_hand, reserved, safety FROM stock
    UNION ALL SELECT group_id, sku, on_hand, reserved, safety FROM group_stock ORDER BY 1, 2
"""
NOTED = """
    SELECT location_id, sku, quantity, safety, cause FROM stock_changes
    WHERE cause <> 'opening' ORDER BY location_id, sku, id
"""
AS_LOADED = [("A", "S", 10, 0, 1), ("B", "S", 5, 0, 0), ("g", "S", 15, 0, 1), ("h", "S", 10, 0, 1)]


def _kept(*records: tuple[str, str, int], **more: Any) -> SafetyStocks:
    given = [{"location": location, "sku": sku, "quantity": quantity} for location, sku, quantity in records]
    return SafetyStocks.model_validate({"records": given, **more})


async def test_the_column_of_a_full_feed_sets_it_where_it_is_filled(stocked: AsyncEngine) -> None:
    """A number is what is kept back, with what was counted in one note; an empty value leaves it as it is."""
    _, bad = await feed(stocked, "location,sku,quantity,safety_stock\nA,S,9,\nB,S,5,3\nA,T,2,2\n")

    assert bad == []
    assert await rows(stocked, KEPT) == [
        ("A", "S", 9, 0, 1),
        ("A", "T", 2, 0, 2),
        ("B", "S", 5, 0, 3),
        ("g", "S", 14, 0, 4),
        ("g", "T", 2, 0, 2),
        ("h", "S", 9, 0, 1),
        ("h", "T", 2, 0, 2),
    ]
    assert await rows(stocked, NOTED) == [
        ("A", "S", -1, 0, "feed:f"),
        ("A", "T", 2, 2, "feed:f"),
        ("B", "S", 0, 3, "feed:f"),
    ]
    assert await books(stocked) == ()


async def test_a_feed_without_the_column_leaves_it_as_it_is(stocked: AsyncEngine) -> None:
    """Full or delta: on hand changes, safety stock does not."""
    await feed(stocked, "location,sku,quantity\nA,S,9\n")
    await feed(stocked, "location,sku,quantity\nA,S,1\n", mode="delta", id="d")

    assert await rows(stocked, KEPT) == AS_LOADED
    assert await rows(stocked, NOTED) == [("A", "S", -1, 0, "feed:f"), ("A", "S", 1, 0, "feed:d")]


async def test_a_delta_feed_sets_it_and_adds_nothing(stocked: AsyncEngine) -> None:
    """Changes of on hand are summed; of what is kept back the last word counts, at a shelf that is new, too."""
    lines = (
        '{"location": "A", "sku": "S", "quantity": 1, "safety_stock": 7}',
        '{"location": "A", "sku": "S", "quantity": 1, "safety_stock": 4}',
        '{"location": "A", "sku": "S", "quantity": -2}',
        '{"location": "B", "sku": "T", "quantity": 0, "safety_stock": 6}',
    )
    progress, bad = await feed(stocked, "\n".join(lines), mode="delta", format="ndjson")

    assert (progress.changed, bad) == (2, [])
    assert await rows(stocked, KEPT) == [
        ("A", "S", 10, 0, 4),
        ("B", "S", 5, 0, 0),
        ("B", "T", 0, 0, 6),
        ("g", "S", 15, 0, 4),
        ("g", "T", 0, 0, 6),
        ("h", "S", 10, 0, 4),
    ]
    assert await rows(stocked, NOTED) == [("A", "S", 0, 3, "feed:f"), ("B", "T", 0, 6, "feed:f")]
    assert await books(stocked) == ()


async def test_what_is_no_safety_stock_is_told_and_leaves_the_line_out(stocked: AsyncEngine) -> None:
    """Below zero, or no whole number: the column, the reason and the remedy; nothing of the line is merged."""
    _, bad = await feed(stocked, "location,sku,quantity,safety_stock\nA,S,9,-1\nB,S,9,some\n")

    assert [(row.line, row.field, row.code, row.detail) for row in bad] == [
        (2, "safety_stock", "safety_stock.negative", "it is below zero: write 0 to keep nothing back"),
        (3, "safety_stock", "safety_stock.invalid", "it is no whole number: write one, up to 2147483647"),
    ]
    assert await rows(stocked, KEPT) == AS_LOADED
    assert await rows(stocked, NOTED) == []


async def test_a_request_is_done_once_and_each_record_is_answered(stocked: AsyncEngine) -> None:
    """Asked twice it is noted once; with another body the key is refused; what is unknown stops no other record."""
    wanted = _kept(("A", "S", 3), ("X", "S", 1), ("A", "X", 1), ("B", "T", 2), reason="season")
    answers = [await changing.keep_back(stocked, "k", wanted, NOW) for _ in range(2)]
    with pytest.raises(IdempotencyKeyReused):
        await changing.keep_back(stocked, "k", _kept(("A", "S", 8)), NOW)

    assert [answer.replayed for answer in answers] == [False, True]
    assert answers[0].body == answers[1].body
    assert [(each["status"], each["code"]) for each in answers[0].body["results"]] == [
        ("done", None),
        ("refused", "location.unknown"),
        ("refused", "sku.unknown"),
        ("done", None),
    ]
    assert await rows(stocked, NOTED) == [("A", "S", 0, 2, "season"), ("B", "T", 0, 2, "season")]
    assert await rows(stocked, KEPT) == [
        ("A", "S", 10, 0, 3),
        ("B", "S", 5, 0, 0),
        ("B", "T", 0, 0, 2),
        ("g", "S", 15, 0, 3),
        ("g", "T", 0, 0, 2),
        ("h", "S", 10, 0, 3),
    ]
    assert await books(stocked) == ()


async def test_more_kept_back_than_is_free_takes_no_reservation_away(stocked: AsyncEngine) -> None:
    """Eight of ten are reserved and nine are kept back: eight stay reserved, and nobody gets another one."""
    held = {"owner": "o", "records": [{"location": "A", "sku": "S", "quantity": 8}]}
    await create_reservation(stocked, "r", CreateReservation.model_validate(held), NOW)

    await changing.keep_back(stocked, "k", _kept(("A", "S", 9)), NOW)
    more = {"owner": "o", "records": [{"location": "A", "sku": "S", "quantity": 1}]}
    refused = await create_reservation(stocked, "s", CreateReservation.model_validate(more), NOW)

    assert (await rows(stocked, KEPT))[0] == ("A", "S", 10, 8, 9)
    assert refused.body["status"] == "refused"
    assert refused.body["results"][0]["available"] == 0
    assert await rows(stocked, "SELECT quantity, status FROM reservations") == [(8, "active")]
    assert await books(stocked) == ()


async def test_changes_at_once_lose_nothing(stocked: AsyncEngine) -> None:
    """Twelve set safety stock at both members of a group while twelve adjust them: the sums are right, in any order."""

    async def adjust(n: int) -> None:
        records = [{"location": place, "sku": "S", "delta": 1, "reason": "found"} for place in ("B", "A")]
        await changing.adjust(stocked, f"a{n}", Adjustments.model_validate({"records": records}), NOW)

    async def keep_back(n: int) -> None:
        await changing.keep_back(stocked, f"k{n}", _kept(("AB"[n % 2], "S", n), ("BA"[n % 2], "S", n)), NOW)

    await asyncio.gather(*(work(n) for n in range(12) for work in (adjust, keep_back)))

    (a, b, g, h) = await rows(stocked, KEPT)
    assert (a[2], b[2], g[2], h[2]) == (22, 17, 39, 22)
    assert (g[4], h[4]) == (a[4] + b[4], a[4])
    noted = await rows(stocked, "SELECT location_id, SUM(safety) FROM stock_changes GROUP BY 1 ORDER BY 1")
    assert noted == [("A", a[4]), ("B", b[4])]
    assert await books(stocked) == ()


async def test_a_loaded_world_notes_what_it_keeps_back(stocked: AsyncEngine) -> None:
    """The first load and a later one that lowers it; loaded again, nothing is noted."""
    lowered = {"stock": [{"location": "A", "sku": "S", "on_hand": 10}, {"location": "B", "sku": "S", "on_hand": 5}]}
    for world in (WORLD, WORLD | lowered, WORLD | lowered):
        async with stocked.begin() as conn:
            await load_world(conn, World.model_validate(world), NOW - timedelta(hours=1))

    noted = "SELECT location_id, quantity, safety FROM stock_changes ORDER BY id"
    assert await rows(stocked, noted) == [("A", 10, 1), ("B", 5, 0), ("A", 0, -1)]
    assert await rows(stocked, KEPT) == [(*row[:4], 0) for row in AS_LOADED]
    assert await books(stocked) == ()


async def _by_request(bench) -> None:
    await changing.keep_back(bench.engine, "lower", _kept(("A", "X", 1)), bench.now)


async def _by_feed(bench) -> None:
    await feed(bench.engine, "location,sku,quantity,safety_stock\nA,X,0,1\n", mode="delta")


async def _by_world(bench) -> None:
    await _load(bench, safety=1)


async def _load(bench, *, safety: int) -> None:
    async with bench.engine.begin() as conn:
        stock = {"stock": [{"location": "A", "sku": "X", "on_hand": 3, "safety": safety}]}
        await load_world(conn, World.model_validate(stock), bench.now)


@pytest.mark.parametrize("lower", [_by_request, _by_feed, _by_world])
async def test_units_that_are_kept_back_no_longer_serve_who_waits(scarce, lower) -> None:
    """Of three units two come out of safety stock: they go to the order that waits, as a restock does."""
    order = await waits(scarce, {"X": 2})
    await _load(scarce, safety=3)
    assert await opened(scarce) == []

    await lower(scarce)

    assert await opened(scarce) == [(order, 2)]
    assert await scarce.rows("SELECT on_hand, reserved, safety FROM group_stock WHERE sku = 'X'") == [(3, 2, 1)]
    assert await scarce.rows("SELECT quantity, safety FROM stock_changes ORDER BY id") == [(3, 3), (0, -2)]
    assert (await answer(scarce, order))["outcome"] == "ROUTED"
    assert await scarce.counters_agree()


async def test_what_comes_in_and_is_kept_back_at_once_serves_nobody(scarce) -> None:
    """Three units come in and three more are kept back: nothing is free, and the order that waits goes on waiting."""
    await waits(scarce, {"X": 1})

    await _load(scarce, safety=3)

    assert await opened(scarce) == []
    assert await scarce.reserved() == {}
    assert await scarce.counters_agree()

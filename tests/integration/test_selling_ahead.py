"""Selling ahead: never more than the policy allows, and what gets stock or is cancelled makes room."""

import asyncio
from collections import Counter
from typing import Any

from orderloom.contracts.messages import Receipt
from orderloom.persistence.world import World, load_world
from orderloom.readmodels.doctor import examine
from tests.integration.conftest import NOW


async def allow(bench, *policies: dict[str, Any]) -> None:
    async with bench.engine.begin() as conn:
        await load_world(conn, World.model_validate({"sell_ahead": list(policies)}), NOW)


async def ask(bench, items: dict[str, int], **changes: Any) -> Receipt:
    """Place an order that may be refused."""
    body = bench.body(items, **changes)
    taken = await bench.submit("order.placed", body, external_id=body["external_id"])
    return (await bench.record(taken, "order.placed")).receipt


async def counted(bench) -> dict[str, int]:
    """Return what is counted as sold ahead by SKU, once the doctor has found nothing wrong."""
    async with bench.engine.connect() as conn:
        assert (await examine(conn)).findings == ()
    return dict(await bench.rows("SELECT sku, quantity FROM backorders WHERE channel_id = 'web'"))


def refused(receipt: Receipt) -> dict[str, Any]:
    assert receipt.problem is not None
    return {"code": receipt.problem.code, **receipt.problem.facts}


async def test_many_orders_at_once_never_pass_the_limit(bench) -> None:
    """Of forty orders for two units each, ten are covered by stock, five are backordered, and the rest are refused."""
    await bench.load({"A": {"X": 20}})
    await allow(bench, {"channel": "web", "sku": "X", "backorder": True, "limit": 11})

    receipts = await asyncio.gather(*(ask(bench, {"X": 2}) for _ in range(40)))

    assert Counter(receipt.status for receipt in receipts) == {"accepted": 15, "refused": 25}
    assert {receipt.problem.code for receipt in receipts if receipt.problem} == {"order.stock_short"}
    assert await bench.reserved() == {"all X": 20}
    assert await counted(bench) == {"X": 10}
    assert await bench.rows("SELECT count(*) FROM orders") == [(15,)]


async def test_a_refusal_names_what_was_asked_and_what_is_left(bench) -> None:
    """An order of three SKUs, two of them short, is refused whole: nothing is reserved or counted of any."""
    await bench.load({"A": {"X": 3, "Y": 1, "Z": 9}}, when_short="refuse")
    await allow(bench, {"sku": "X", "backorder": True, "limit": 2})

    receipt = await ask(bench, {"X": 6, "Y": 2, "Z": 1})

    assert refused(receipt) == {
        "code": "order.stock_short",
        "short": [{"sku": "X", "asked": 6, "left": 5}, {"sku": "Y", "asked": 2, "left": 1}],
    }
    assert [each.pointer for each in receipt.problem.errors] == ["/lines/0/quantity", "/lines/1/quantity"]
    assert await bench.reserved() == {}
    assert await counted(bench) == {}
    assert await bench.rows("SELECT count(*) FROM orders") == [(0,)]


async def test_the_policy_of_sku_and_channel_goes_first_then_the_skus_then_the_channels(bench) -> None:
    """Four SKUs without stock: each may be sold as far as the policy that is nearest to it says."""
    await bench.load({"A": {"X": 0, "Y": 0, "Z": 0}})
    await allow(
        bench,
        {"channel": "web", "backorder": True, "limit": 1},
        {"sku": "Y", "backorder": True, "limit": 2},
        {"sku": "Z", "backorder": True, "limit": 2},
        {"channel": "web", "sku": "Z", "backorder": True, "limit": 3},
    )

    receipt = await ask(bench, {"X": 9, "Y": 9, "Z": 9})

    left = {each["sku"]: each["left"] for each in refused(receipt)["short"]}
    assert left == {"X": 1, "Y": 2, "Z": 3}


async def test_what_gets_stock_or_is_cancelled_makes_room(bench) -> None:
    """Of five units that are sold ahead one is cancelled and four get stock: nothing is counted any more."""
    await bench.load({"A": {"X": 0}})
    await allow(bench, {"sku": "X", "backorder": True, "limit": 5})
    order = await bench.place({"X": 5})
    assert await counted(bench) == {"X": 5}
    assert refused(await ask(bench, {"X": 1}))["short"] == [{"sku": "X", "asked": 1, "left": 0}]

    cancelled = {"items": [{"line": "L1", "quantity": 1, "reason": "unknown"}]}
    await bench.send(order, "order.cancel.requested", cancelled)
    request = (await bench.rows("SELECT id FROM intake WHERE type = 'order.cancel.requested'"))[0][0]
    await bench.act("cancel-items", order, {"request": request})
    assert await counted(bench) == {"X": 4}

    async with bench.engine.begin() as conn:
        stock = {"location": "A", "sku": "X", "on_hand": 4}
        await load_world(conn, World.model_validate({"stock": [stock]}), NOW)
    await bench.act("create-reservation", order)
    assert await counted(bench) == {"X": 0}
    assert await bench.reserved() == {"all X": 4}


async def test_an_order_that_no_policy_concerns_is_as_before(bench) -> None:
    """Placed without stock it is accepted, nothing is reserved, and nothing is counted."""
    await bench.load({"A": {"X": 0, "Y": 0}})
    await allow(bench, {"sku": "Y", "backorder": True, "limit": 1}, {"channel": "other", "sku": "X"})

    order = await bench.place({"X": 7})

    assert await bench.journal(order) == ["order.placed"]
    assert await counted(bench) == {}

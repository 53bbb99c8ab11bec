"""An order takes its cart's reservation over: no unit is lost, doubled, or free for a moment."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from orderloom.domain.reserving import CreateReservation
from orderloom.inventory.reservations import create_reservation, expire_due
from orderloom.readmodels.doctor import examine
from tests.integration.test_selling_ahead import ask, refused


async def reserve(bench, cart: str, *records: dict[str, Any], **changes: Any) -> None:
    wanted = CreateReservation.model_validate(
        {"owner": cart, "channel": "web", "expires_in": 60, "records": list(records), **changes}
    )
    answered = await create_reservation(bench.engine, cart, wanted, bench.now)
    assert answered.body["status"] == "active"


async def status(bench, cart: str) -> tuple[Any, ...]:
    return (await bench.rows("SELECT status, order_id FROM reservation_requests WHERE id = :id", id=cart))[0]


async def books_agree(bench) -> bool:
    async with bench.engine.connect() as conn:
        return (await examine(conn)).findings == ()


async def test_what_is_held_becomes_the_orders_and_the_rest_is_free(bench) -> None:
    """Of a cart's units at the group and at a location the order has what it needs; only the rest is reserved anew."""
    await bench.load({"A": {"X": 10, "Y": 3}})
    held = {"group": "all", "sku": "X", "quantity": 2}, {"location": "A", "sku": "X", "quantity": 1}
    await reserve(bench, "cart", *held, {"group": "all", "sku": "Y", "quantity": 3})

    order = await bench.place({"X": 4, "Y": 1}, reservation="cart")

    assert await bench.reserved() == {"all X": 3, "all Y": 1}
    assert await status(bench, "cart") == ("ordered", order)
    done = await bench.act("create-reservation", order)
    assert done.output == {"outcome": "reserved", "short": []}
    assert await bench.reserved() == {"all X": 4, "all Y": 1}
    assert await books_agree(bench)


async def test_asked_twice_it_is_done_once(bench) -> None:
    """The same placement again is answered alike; another order with the same reservation is refused."""
    await bench.load({"A": {"X": 5}})
    await reserve(bench, "cart", {"group": "all", "sku": "X", "quantity": 2})
    body = bench.body({"X": 2}, reservation="cart")
    taken = await bench.submit("order.placed", body, external_id=body["external_id"], idempotency_key="k")

    first = await bench.record(taken, "order.placed")
    again = await bench.record(taken, "order.placed")

    assert first.receipt == again.receipt
    assert (await bench.submit("order.placed", body, external_id=body["external_id"], idempotency_key="k")).replayed
    other = refused(await ask(bench, {"X": 2}, reservation="cart"))
    assert other == {"code": "reservation.ended", "reservation": "cart", "status": "ordered"}
    assert await bench.reserved() == {"all X": 2}
    assert await books_agree(bench)


@pytest.mark.parametrize(
    ("channel", "after", "code"),
    [(None, 0, "reservation.foreign"), ("web", 60, "reservation.ended")],
)
async def test_what_cannot_be_taken_over_is_refused(bench, channel: str | None, after: int, code: str) -> None:
    """A reservation of nobody's channel, or whose time is over, stays as it is; no order comes of it."""
    await bench.load({"A": {"X": 5}})
    await reserve(bench, "cart", {"group": "all", "sku": "X", "quantity": 2}, channel=channel)
    bench.now += timedelta(seconds=after)

    assert refused(await ask(bench, {"X": 2}, reservation="cart"))["code"] == code
    assert refused(await ask(bench, {"X": 2}, reservation="no-cart"))["code"] == "reservation.unknown"

    assert await status(bench, "cart") == ("active", None)
    assert await bench.reserved() == {"all X": 2}
    assert await bench.rows("SELECT count(*) FROM orders") == [(0,)]


async def test_a_unit_is_never_free_between_cart_and_order(bench) -> None:
    """While carts with the last units are ordered, others ask for them all the time: they never get one."""
    await bench.load({"A": {"X": 10}}, when_short="refuse")
    for number in range(10):
        await reserve(bench, f"cart-{number}", {"group": "all", "sku": "X", "quantity": 1})

    placed = [ask(bench, {"X": 1}, reservation=f"cart-{number}") for number in range(10)]
    others = [ask(bench, {"X": 1}) for _ in range(20)]
    mixed = [each for pair in zip(others[:10], placed, others[10:], strict=True) for each in pair]
    receipts = await asyncio.gather(*mixed)

    assert [receipt.status for receipt in receipts] == ["refused", "accepted", "refused"] * 10
    assert await bench.reserved() == {"all X": 10}
    assert await books_agree(bench)


async def test_expiry_that_races_with_placing_loses_and_doubles_nothing(bench) -> None:
    """Each of twenty carts is either expired or ordered, and exactly the ordered units are reserved."""
    await bench.load({"A": {"X": 40}})
    for number in range(20):
        await reserve(bench, f"cart-{number}", {"group": "all", "sku": "X", "quantity": 2})
    later = bench.now + timedelta(seconds=60)

    placing = [ask(bench, {"X": 2}, reservation=f"cart-{number}") for number in range(20)]
    *receipts, _, _ = await asyncio.gather(*placing, expire_due(bench.engine, later), expire_due(bench.engine, later))
    await expire_due(bench.engine, later)

    accepted = Counter(receipt.status for receipt in receipts)["accepted"]
    ended = dict(await bench.rows("SELECT status, count(*) FROM reservation_requests GROUP BY status"))
    assert ended.get("ordered", 0) == accepted
    assert ended.get("expired", 0) == 20 - accepted
    assert {refused(each)["code"] for each in receipts if each.problem} <= {"reservation.ended"}
    assert sum((await bench.reserved()).values()) == 2 * accepted
    assert await books_agree(bench)


@pytest.mark.parametrize("promise", ["ato", "atf"])
async def test_what_a_cart_was_promised_is_not_asked_for_again(bench, promise: str) -> None:
    """
    Three of five units are still on their way: the cart was promised them, so its order has them and is not refused.

    It does not matter that the channel promises only what is there by now; an order without the cart is refused.
    """
    await bench.load({"A": {"X": 2}}, when_short="refuse")
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE group_stock SET future = 3")
    await reserve(bench, "cart", {"group": "all", "sku": "X", "quantity": 5})
    await bench.load({"A": {"X": 2}}, when_short="refuse", promise=promise)

    order = await bench.place({"X": 5}, reservation="cart")

    assert await bench.reserved() == {"all X": 5}
    assert await status(bench, "cart") == ("ordered", order)
    assert refused(await ask(bench, {"X": 1}))["code"] == "order.stock_short"


async def test_what_a_cart_holds_elsewhere_is_not_the_orders(bench) -> None:
    """At a location outside of the channel's group the order could not be sent from: refused, and the cart keeps it."""
    groups = {"all": ["A"], "west": ["B"]}
    await bench.load({"A": {"X": 1}, "B": {"X": 5}}, groups=groups, when_short="refuse")
    await reserve(bench, "cart", {"location": "B", "sku": "X", "quantity": 2})

    assert refused(await ask(bench, {"X": 2}, reservation="cart"))["code"] == "order.stock_short"

    assert await bench.reserved() == {"B X": 2, "west X": 2}
    assert await status(bench, "cart") == ("active", None)
    assert await books_agree(bench)

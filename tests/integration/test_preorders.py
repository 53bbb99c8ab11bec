"""Preorders at their release: stock goes to them in the queue's turn, whichever of them is first to ask for it."""

import asyncio
from datetime import timedelta

import pytest

from orderloom.readmodels.doctor import examine
from tests.integration.conftest import NOW
from tests.integration.test_selling_ahead import allow
from tests.integration.test_waking import opened, restock

RELEASE = NOW + timedelta(days=7)


@pytest.fixture
async def shop(scarce):
    """Return a bench that sells X ahead, without stock, to be released in a week."""
    await allow(scarce, {"sku": "X", "backorder": True, "release_at": RELEASE.isoformat()})
    return scarce


async def _ordered(bench, items, **changes) -> str:
    """Place an order, and plan its attempt."""
    order = await bench.place(items, **changes)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    return order


async def _attempt(bench, order, schedule=1) -> str:
    """Let the timer of an order's attempt fire; what is found is carried out."""
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    found = (await bench.act("find-routes", order, {"schedule": schedule})).output
    if found["outcome"].endswith("ROUTED"):
        await bench.act("create-fulfillment-orders", order, {"attempt": found["attempt"]})
    return found["outcome"]


async def _owners(bench) -> list[tuple[str, str, int]]:
    """Return who has what, once the doctor has found nothing wrong."""
    async with bench.engine.connect() as conn:
        assert (await examine(conn)).findings == ()
    return await bench.rows(
        "SELECT order_id, sku, SUM(quantity)::int FROM reservations WHERE status = 'active' "
        "GROUP BY order_id, sku ORDER BY length(order_id), order_id, sku"
    )


async def test_the_last_one_to_be_placed_asks_first_and_gets_nothing(shop) -> None:
    """Two units for three preorders, asked for from the last to the first: the urgent one and the first have them."""
    first, second = [await _ordered(shop, {"X": 1}) for _ in range(2)]
    urgent = await _ordered(shop, {"X": 1}, priority=5)
    shop.now += timedelta(days=1)
    await restock(shop, 2)
    assert await opened(shop) == []
    shop.now = RELEASE

    assert await _attempt(shop, second) == "NO_STOCK"
    assert await opened(shop) == [(first, 1), (urgent, 1)]
    assert [await _attempt(shop, order) for order in (first, urgent)] == ["ROUTED", "ROUTED"]

    assert await _owners(shop) == [(first, "X", 1), (urgent, "X", 1)]
    assert await shop.rows("SELECT order_id, missing FROM stock_waits") == [(second, True)]
    await restock(shop, 1)
    assert await opened(shop) == [(second, 1)]


async def test_however_their_timers_race_the_oldest_have_the_units(shop) -> None:
    """Three units for eight preorders whose attempts are made all at once: the three oldest have one each."""
    orders = [await _ordered(shop, {"X": 1}) for _ in range(8)]
    await restock(shop, 3)
    shop.now = RELEASE

    outcomes = await asyncio.gather(*(_attempt(shop, order) for order in reversed(orders)))

    assert outcomes[::-1] == ["ROUTED"] * 3 + ["NO_STOCK"] * 5
    assert await _owners(shop) == [(order, "X", 1) for order in orders[:3]]


async def test_what_those_before_cannot_use_goes_to_who_can(shop) -> None:
    """Two units: the first order wants three and holds up nobody, the second has them without a turn of its own."""
    first = await _ordered(shop, {"X": 3})
    second = await _ordered(shop, {"X": 2})
    await restock(shop, 2)
    shop.now = RELEASE

    assert await _attempt(shop, second) == "ROUTED"
    assert await _attempt(shop, first) == "NO_STOCK"

    assert await _owners(shop) == [(second, "X", 2)]
    assert await shop.rows("SELECT order_id, status FROM proposals") == [(second, "accepted")]


async def test_a_preorder_does_not_keep_the_rest_of_its_order_from_waking(shop) -> None:
    """Y comes in before X is released: the order gets it. X comes in: nobody is offered it before the release."""
    order = await _ordered(shop, {"X": 1, "Y": 1})
    assert await _attempt(shop, order) == "NO_STOCK"
    await shop.act("schedule-routing", order, {"reason": "order.released"})

    await restock(shop, 1)
    assert await opened(shop) == []
    await restock(shop, 1, sku="Y")

    assert await shop.rows("SELECT sku, quantity FROM proposal_lines") == [("Y", 1)]
    assert await _attempt(shop, order, schedule=2) == "ROUTED"
    assert await _owners(shop) == [(order, "Y", 1)]
    assert await shop.rows("SELECT sku FROM stock_waits") == []
    await shop.act("schedule-routing", order, {"reason": "order.released"})
    assert await shop.rows("SELECT order_id, sku, quantity FROM stock_waits") == [(order, "X", 1)]


async def test_orders_that_ship_complete_have_their_turn_with_all_they_hold_back(shop) -> None:
    """One of X and one of Y for two orders of both: the older has both, the younger asks first and takes neither."""
    orders = [await _ordered(shop, {"X": 1, "Y": 1}, ship_complete=True) for _ in range(2)]
    await restock(shop, 1)
    await restock(shop, 1, sku="Y")
    assert await opened(shop) == []
    shop.now = RELEASE

    assert [await _attempt(shop, order) for order in reversed(orders)] == ["NO_STOCK", "ROUTED"]

    assert await _owners(shop) == [(orders[0], "X", 1), (orders[0], "Y", 1)]


async def test_a_preorder_that_is_given_up_is_offered_nothing(shop) -> None:
    """Its planned attempt is abandoned: at the release the unit goes to the other one."""
    given_up, other = [await _ordered(shop, {"X": 1}) for _ in range(2)]
    await shop.act("abandon-routing", given_up, {"schedule": 1})
    await restock(shop, 1)
    shop.now = RELEASE

    assert await _attempt(shop, other) == "ROUTED"

    assert await _owners(shop) == [(other, "X", 1)]
    assert await shop.rows("SELECT * FROM stock_waits") == []

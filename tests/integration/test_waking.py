"""Stock that comes in goes to the orders that wait for it, before anybody else can take it."""

from datetime import timedelta

import pytest

from orderloom.domain.reserving import (
    CreateReservation,
    ReleaseReservation,
    TransferReservation,
    UpdateReservation,
)
from orderloom.inventory import changing
from orderloom.inventory.reservations import (
    create_reservation,
    expire_due,
    release_reservation,
    transfer_reservation,
    update_reservation,
)
from orderloom.persistence.proposals import due, lapse
from orderloom.persistence.waking import PATIENCE
from orderloom.persistence.world import World, change_stock, load_world


async def waits(bench, items, **changes) -> str:
    """Place an order that finds no stock, and plan its next attempt."""
    order = await bench.place(items, **changes)
    await bench.act("create-reservation", order)
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    assert found.output["outcome"] == "NO_STOCK"
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    return order


async def restock(bench, quantity, sku="X", location="A") -> None:
    async with bench.engine.begin() as conn:
        await change_stock(conn, location, sku, quantity, "restock", bench.now)


async def opened(bench) -> list[tuple[str, int]]:
    return await bench.rows(
        "SELECT p.order_id, l.quantity FROM proposals p JOIN proposal_lines l ON l.proposal_id = p.id "
        "WHERE p.status = 'open' ORDER BY p.id"
    )


async def answer(bench, order, schedule=2) -> dict:
    return (await bench.act("find-routes", order, {"schedule": schedule})).output


async def test_the_highest_priority_is_served_first_and_then_the_oldest(scarce) -> None:
    """Of three orders that wait, the unit goes to the one of the highest priority, the next to the older one."""
    old, _, urgent = [await waits(scarce, {"X": 1}, priority=priority) for priority in (0, 0, 5)]

    await restock(scarce, 1)
    await restock(scarce, 1)

    assert await opened(scarce) == [(urgent, 1), (old, 1)]
    assert await scarce.reserved() == {"all X": 2}
    assert await scarce.counters_agree()


async def test_a_loaded_world_serves_who_waits(scarce) -> None:
    """Stock that is loaded is noted and goes to the order that waits, as a restock does; loaded again, nothing is."""
    order = await waits(scarce, {"X": 2})
    world = World.model_validate({"stock": [{"location": "A", "sku": "X", "on_hand": 3, "safety": 1}]})

    for _ in range(2):
        async with scarce.engine.begin() as conn:
            await load_world(conn, world, scarce.now)

    assert await opened(scarce) == [(order, 2)]
    assert await scarce.rows("SELECT location_id, sku, quantity, cause FROM stock_changes") == [
        ("A", "X", 3, "opening")
    ]
    assert await scarce.rows("SELECT on_hand, reserved, safety FROM group_stock WHERE sku = 'X'") == [(3, 2, 1)]


async def test_an_order_that_cannot_have_all_holds_up_nobody(scarce) -> None:
    """Of an order for five and one for two, three units serve the one for two; two more serve nobody, four more do."""
    five = await waits(scarce, {"X": 5}, priority=9)
    two = await waits(scarce, {"X": 2})

    await restock(scarce, 3)
    assert await opened(scarce) == [(two, 2)]
    await restock(scarce, 4)

    assert await opened(scarce) == [(two, 2), (five, 5)]
    assert await scarce.reserved() == {"all X": 7}


async def test_an_unanswered_proposal_goes_to_who_is_next(scarce) -> None:
    """After 60 s what nobody answered is released and held for the next in the queue; then it is free."""
    first, second = [await waits(scarce, {"X": 1}) for _ in range(2)]
    await restock(scarce, 1)

    async def lapse_due() -> list[str]:
        async with scarce.engine.begin() as conn:
            return [
                order
                for one in await due(conn, scarce.now)
                if one.lapsed
                for order in await lapse(conn, one.id, now=scarce.now)
            ]

    scarce.now += PATIENCE - timedelta(seconds=1)
    assert await lapse_due() == []
    scarce.now += timedelta(seconds=1)
    assert await lapse_due() == [second]
    assert await opened(scarce) == [(second, 1)]
    scarce.now += PATIENCE
    assert await lapse_due() == []

    assert await opened(scarce) == []
    assert await scarce.reserved() == {}
    assert await scarce.rows("SELECT order_id, status FROM proposals ORDER BY id") == [
        (first, "lapsed"),
        (second, "lapsed"),
    ]


async def test_what_an_order_cannot_use_goes_to_the_next(bench) -> None:
    """An order that has no route with what is held for it releases it, and the next one gets it at once."""
    await bench.load({"A": {"X": 0}, "B": {"X": 0}}, routing={"max_splits": 0})
    picky = await waits(bench, {"X": 2}, priority=1)
    other = await waits(bench, {"X": 2})
    await restock(bench, 1)
    assert await opened(bench) == []
    await restock(bench, 1, location="B")
    assert await opened(bench) == [(picky, 2)]

    found = await answer(bench, picky)

    assert (found["outcome"], found["retry"]) == ("SPLIT_LIMIT", True)
    assert await opened(bench) == [(other, 2)]
    assert await bench.rows("SELECT status FROM proposals WHERE order_id = :o", o=picky) == [("released",)]
    assert await bench.counters_agree()


async def test_an_attempt_that_was_woken_counts_against_no_limit(bench) -> None:
    """Three attempts in vain before their time, and the policy's two attempts are still there."""
    await bench.load({"A": {"X": 1}, "B": {"X": 1}}, routing={"max_splits": 0, "max_attempts": 2, "backoff": 600})
    order = await bench.place({"X": 2})
    await bench.act("create-reservation", order)
    outcomes = []
    for number in range(1, 5):
        planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
        found = await bench.act("find-routes", order, {"schedule": number})
        outcomes.append((planned.output["delay"], found.output["retry"]))

    bench.now += timedelta(minutes=11)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    bench.now += timedelta(minutes=11)
    last = await bench.act("find-routes", order, {"schedule": 5})

    assert outcomes == [("PT0S", True), ("PT10M", True), ("PT10M", True), ("PT10M", True)]
    assert last.output["retry"] is False


async def test_cancelled_units_go_to_who_waits(bench) -> None:
    """What an order gives back is held for one that waits, in the same transaction."""
    await bench.load({"A": {"X": 2}})
    holder = await bench.place({"X": 2})
    await bench.act("create-reservation", holder)
    waiting = await waits(bench, {"X": 2})

    request = {"items": [{"line": "L1", "quantity": 2}]}
    taken = await bench.submit("order.cancel.requested", request, order_id=holder)
    await bench.record(taken, "order.cancel.requested")
    await bench.act("cancel-items", holder, {"request": taken.intake_id})

    assert await opened(bench) == [(waiting, 2)]
    assert await bench.counters_agree()


async def test_abandoned_routing_leaves_the_queue(scarce) -> None:
    """An order whose routing was given up is offered nothing, and what was held for it goes on."""
    order = await waits(scarce, {"X": 1})
    await restock(scarce, 1)

    await scarce.act("abandon-routing", order, {"schedule": 2})

    assert await opened(scarce) == []
    assert await scarce.reserved() == {}
    await restock(scarce, 1)
    assert await opened(scarce) == []


async def reserved_apart(bench) -> str:
    """Return a scheduled order that may not be split; its two units are reserved at the group, and at two places."""
    await bench.load({"A": {"X": 2}, "B": {"X": 2}}, routing={"max_splits": 0})
    for key, location in (("cart-1", "A"), ("cart-2", "B")):
        records = [{"location": location, "sku": "X", "quantity": 1}]
        wanted = CreateReservation.model_validate({"owner": "cart", "records": records})
        await create_reservation(bench.engine, key, wanted, bench.now)
    order = await bench.place({"X": 2})
    await bench.act("create-reservation", order)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    return order


async def move_together(bench) -> None:
    """Move what a cart holds from one of the places to the other, so that the first has both units."""
    away = {"from": {"location": "A"}, "to": {"location": "B"}, "sku": "X", "quantity": 1, "ignore_availability": True}
    wanted = TransferReservation.model_validate({"records": [away]})
    await transfer_reservation(bench.engine, "k", "cart-1", wanted, bench.now)


async def _cart(bench, location="A") -> None:
    """Let a cart hold the two units of X that there are, for a minute."""
    records = [{"location": location, "sku": "X", "quantity": 2}]
    wanted = {"owner": "cart", "records": records, "expires_in": 60}
    await create_reservation(bench.engine, "cart-1", CreateReservation.model_validate(wanted), bench.now)


async def _released(bench) -> None:
    records = [{"location": "A", "sku": "X", "quantity": 1}]
    wanted = ReleaseReservation.model_validate({"records": records})
    await release_reservation(bench.engine, "k", "cart-1", wanted, bench.now)


async def _lowered(bench) -> None:
    records = [{"location": "A", "sku": "X", "quantity": 1}]
    await update_reservation(
        bench.engine, "k", "cart-1", UpdateReservation.model_validate({"records": records}), bench.now
    )


async def _transferred(bench) -> None:
    away = {"from": {"location": "A"}, "to": {"location": "Z"}, "sku": "X", "quantity": 1}
    wanted = TransferReservation.model_validate({"records": [away]})
    await transfer_reservation(bench.engine, "k", "cart-1", wanted, bench.now)


async def _adjusted(bench) -> None:
    record = {"location": "A", "sku": "X", "delta": 1, "reason": "found"}
    await changing.adjust(bench.engine, "k", changing.Adjustments.model_validate({"records": [record]}), bench.now)


async def _counted(bench) -> None:
    record = {"location": "A", "sku": "X", "quantity": 3}
    await changing.count(bench.engine, "k", changing.StockCounts.model_validate({"records": [record]}), bench.now)


@pytest.mark.parametrize("frees", [_released, _lowered, _transferred, _adjusted, _counted])
async def test_whatever_frees_a_unit_serves_who_waits_as_a_restock_does(bench, frees) -> None:
    """A unit that a cart gives back, moves out of the group, or that was found, is held for the waiting order."""
    await bench.load({"A": {"X": 2}, "Z": {"X": 5}}, groups={"all": ["A"], "others": ["Z"]})
    await _cart(bench)
    order = await waits(bench, {"X": 1})

    await frees(bench)

    assert await opened(bench) == [(order, 1)]
    assert await bench.counters_agree()


async def test_what_expires_serves_who_waits(bench) -> None:
    """Two units whose minute is over go to the two orders that wait; not a second before."""
    await bench.load({"A": {"X": 2}})
    await _cart(bench)
    orders = [await waits(bench, {"X": 1}) for _ in range(2)]

    assert await expire_due(bench.engine, bench.now + timedelta(seconds=59)) == 0
    assert await opened(bench) == []
    assert await expire_due(bench.engine, bench.now + timedelta(seconds=60)) == 1

    assert await opened(bench) == [(order, 1) for order in orders]
    assert await bench.reserved() == {"all X": 2}
    assert await bench.counters_agree()


async def test_what_moves_inside_the_group_wakes_who_needs_its_place(bench) -> None:
    """An order that holds two units at its group, but finds them at two places, is told when one place has both."""
    order = await reserved_apart(bench)
    assert (await answer(bench, order, schedule=1))["outcome"] == "SPLIT_LIMIT"

    await move_together(bench)

    assert await bench.rows("SELECT order_id, status FROM proposals") == [(order, "open")]
    assert await bench.counters_agree()

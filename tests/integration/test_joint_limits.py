"""Locations that share another group: a route over them asks for no more than that group can give of all of them."""

import pytest

from orderloom.domain.inventory import StockMoved
from orderloom.domain.reserving import CreateReservation, UpdateReservation
from orderloom.inventory.reservations import create_reservation, update_reservation
from orderloom.persistence.situation import risen_since
from orderloom.persistence.stock import Held, change_held
from orderloom.readmodels.situation import looker_of, situation_of
from tests.integration.test_routing_why import _printed
from tests.integration.test_waves import INTERVAL, WAVE, _answer, _held, _join, _sound, _wave

AT = {"A": (0.1, 0.0), "B": (0.2, 0.0), "C": (0.3, 0.0), "D": (0.4, 0.0)}
NEAR = {"objectives": ["fewest_splits", "distance"]}


async def _load(bench, stock: dict[str, int], promised: int = 14, **policy) -> None:
    """Load X at locations, A and B in ``north``, too: of 20 units there 14 are promised away, and 6 are left."""
    groups = {"all": sorted(stock), "north": ["A", "B"]}
    await bench.load({name: {"X": units} for name, units in stock.items()}, at=AT, groups=groups, **policy)
    wanted = {"owner": "cart", "records": [{"group": "north", "sku": "X", "quantity": promised}]}
    await create_reservation(bench.engine, "cart-1", CreateReservation.model_validate(wanted), bench.now)


async def _allocated(bench, order: str) -> list[tuple]:
    return await bench.rows(
        "SELECT f.location_id, l.original_quantity FROM fulfillment_orders f "
        "JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id WHERE f.order_id = :order ORDER BY 1",
        order=order,
    )


async def test_a_route_that_was_always_refused_finds_another(bench) -> None:
    """A and B are nearest and show 6 each, but 6 in all: 10 units go from A and C, at the first attempt."""
    await _load(bench, {"A": 10, "B": 10, "C": 5}, routing=NEAR)
    order = await bench.place({"X": 10})
    await bench.act("create-reservation", order)
    both = {("A", "X"): Held(reserved=6, own=0), ("B", "X"): Held(reserved=4, own=0)}
    with pytest.raises(StockMoved, match="north no longer has enough of X"):
        async with bench.engine.begin() as conn:
            await change_held(conn, both, own_group="all")

    await bench.route(order)

    assert await _allocated(bench, order) == [("A", 6), ("C", 4)]
    assert await bench.reserved() == {"A X": 6, "C X": 4, "all X": 10, "north X": 20}
    assert await bench.rows("SELECT count(*) FROM routing_attempts") == [(1,)]
    assert await bench.counters_agree()


async def test_a_limit_that_costs_a_location_is_told(bench) -> None:
    """With 2 units at C and D each, A and B can give 6 of 10: it takes A, C and D, and the attempt says why."""
    await _load(bench, {"A": 10, "B": 10, "C": 2, "D": 2}, routing=NEAR)
    order = await bench.place({"X": 10})
    await bench.act("create-reservation", order)

    await bench.route(order)

    assert await _allocated(bench, order) == [("A", 6), ("C", 2), ("D", 2)]
    assert await bench.reserved() == {"A X": 6, "C X": 2, "D X": 2, "all X": 10, "north X": 20}
    assert (await _printed(bench, order))[3:8] == [
        "Delivery group 1, sent from stock: 10 X",
        "  Goes from A (6 X), C (2 X) and D (2 X).",
        "  - A and B show 12 X, but group north can give 6 X of that.",
        "  - If they could send all that they show, 2 locations would do.",
        "  - No 2 locations can send it all: 3 are proven to be the fewest.",
    ]
    assert await bench.counters_agree()


async def test_too_little_together_is_too_little_stock(bench) -> None:
    """10 of 12 units can be had, so nothing goes out, and the attempt says which group keeps the rest."""
    await _load(bench, {"A": 10, "B": 10, "C": 4}, reserve="routing")
    order = await bench.place({"X": 12})
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})

    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})

    assert found.output["outcome"] == "NO_STOCK"
    assert (await _printed(bench, order))[3:7] == [
        "Delivery group 1, sent from stock: 12 X",
        "  Nothing goes out: 2 X are missing.",
        "  - X: 16 are shown, but no more than 10 of 12 can be sent together.",
        "  - A and B show 12 X, but group north can give 6 X of that.",
    ]
    assert await bench.reserved() == {"north X": 14}


async def test_part_of_it_goes_as_far_as_the_group_gives(bench) -> None:
    """By a policy that sends parts, 10 of 12 units go out and 2 wait; the other group gives its 6, not one more."""
    await _load(bench, {"A": 10, "B": 10, "C": 4}, routing={"partial": True}, reserve="routing")
    order = await bench.place({"X": 12})
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    await bench.act("create-fulfillment-orders", order, {"attempt": 1})

    assert found.output["outcome"] == "PARTIALLY_ROUTED"
    assert await _allocated(bench, order) == [("A", 6), ("C", 4)]
    assert await bench.reserved() == {"A X": 6, "C X": 4, "all X": 10, "north X": 20}
    assert await bench.counters_agree()


async def test_two_addresses_share_what_the_group_gives(bench) -> None:
    """The first address takes 5 of the 6 units; the second gets the last one and its others from C."""
    await _load(bench, {"A": 10, "B": 10, "C": 4}, routing=NEAR)
    to = [{"id": id, "country": "GB", "position": {"latitude": 0.0, "longitude": 0.0}} for id in ("1", "2")]
    body = bench.body({"X": 10})
    (line,) = body["lines"]
    lines = [{**line, "id": f"L{id}", "quantity": 5, "delivery_group": id} for id in ("1", "2")]
    order = await bench.place({"X": 10}, delivery_groups=to, lines=lines)
    await bench.act("create-reservation", order)

    await bench.route(order)

    rows = await bench.rows(
        "SELECT f.delivery_group_id, f.location_id, l.original_quantity FROM fulfillment_orders f "
        "JOIN fulfillment_order_lines l ON l.fulfillment_order_id = f.id ORDER BY 1, 2"
    )
    assert rows == [("1", "A", 5), ("2", "A", 1), ("2", "C", 4)]
    assert await bench.reserved() == {"A X": 6, "C X": 4, "all X": 10, "north X": 20}
    assert await bench.counters_agree()


async def test_a_wave_shares_what_the_group_gives(bench) -> None:
    """Of two orders of a wave the older takes the 6 units of A and B, the other one C's; none is left over."""
    await _load(bench, {"A": 10, "B": 10, "C": 6}, routing={**WAVE, **NEAR})
    first, second = [await _join(bench, {"X": 6}) for _ in range(2)]
    bench.now += INTERVAL

    done = await _wave(bench)

    assert (done.orders, done.left_over) == (2, 0)
    assert await _held(bench) == [(first, "A", "X", 6, 0), (second, "C", "X", 6, 0)]
    assert [(await _answer(bench, order))["outcome"] for order in (first, second)] == ["ROUTED", "ROUTED"]
    assert await bench.reserved() == {"A X": 6, "C X": 6, "all X": 12, "north X": 20}
    assert await _sound(bench)


async def test_more_of_a_group_is_more_than_an_attempt_saw(bench) -> None:
    """A cart that lets 3 units go raises what A and B can give together, and neither's own 5: they have risen."""
    await _load(bench, {"A": 5, "B": 5}, promised=4)
    order = await bench.place({"X": 9})
    await bench.act("create-reservation", order)
    async with bench.engine.connect() as conn:
        looker = await looker_of(conn, order, bench.now)
        assert looker is not None
        seen = await situation_of(looker)
        assert seen is not None
        before = await risen_since(looker, seen, ["X"])
    release = UpdateReservation.model_validate({"records": [{"group": "north", "sku": "X", "quantity": 1}]})
    await update_reservation(bench.engine, "key-2", "cart-1", release, bench.now)

    async with bench.engine.connect() as conn:
        now = await looker_of(conn, order, bench.now)
        assert now is not None
        after = await risen_since(now, seen, ["X"])

    assert seen.limits == {"north": {"X": 6}}
    assert [each.stock for each in seen.locations] == [{"X": 5}, {"X": 5}]
    assert (before, after) == (set(), {"X"})

"""From route to shipment: reservations move with the units, and every counter says the same."""

from datetime import datetime, timedelta

import pytest

from orderloom.domain.inventory import StockMoved
from orderloom.domain.order import OrderMoved

AT = {"A": (0.0, 0.1), "B": (0.0, 0.8), "C": (0.0, 0.6)}


async def _allocated(bench, items: dict[str, int], **more) -> str:
    order = await bench.place(items, **more)
    await bench.act("create-reservation", order)
    await bench.route(order)
    return order


async def test_a_route_moves_the_reservation_to_its_locations(bench) -> None:
    """Group and locations hold the same units: the group's counter stays, the locations' go up."""
    await bench.load({"A": {"X": 10}, "B": {"X": 5}, "C": {"X": 15}}, at=AT)
    order = await bench.place({"X": 20})
    await bench.act("create-reservation", order)

    done = await bench.route(order)

    assert done.output == {"fulfillment_orders": [f"{order}-F1", f"{order}-F2"], "count": 2}
    assert await bench.reserved() == {"A X": 5, "C X": 15, "all X": 20}
    assert done.applied.order["units"] | {"allocated": 20, "reserved": 0} == done.applied.order["units"]
    assert done.applied.order["fulfillment"] == {"open": 2}
    assert await bench.counters_agree()
    assert await bench.rows("SELECT status, ended_at IS NULL FROM routing_schedules") == [("completed", False)]
    assert [event.type for event in done.applied.events] == ["fulfillment.created", "fulfillment.created"]


async def test_charges_go_with_the_first_fulfillment_order(bench) -> None:
    """The delivery charge is in one fulfillment order only."""
    await bench.load({"A": {"X": 2}, "B": {"Y": 1}})
    body = bench.body({"X": 2, "Y": 1})
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}

    order = await _allocated(bench, {"X": 2, "Y": 1}, lines=[*body["lines"], charge])

    held = await bench.rows(
        "SELECT fulfillment_order_id, line_id, original_quantity FROM fulfillment_order_lines ORDER BY 1, 2"
    )
    assert held == [(f"{order}-F1", "D", 1), (f"{order}-F1", "L1", 2), (f"{order}-F2", "L2", 1)]


async def test_stock_that_has_gone_leaves_the_order_as_it_was(bench) -> None:
    """When a location no longer has the planned units nothing is allocated, and another route can be found."""
    await bench.load({"A": {"X": 5}, "B": {"X": 5}}, at=AT)
    order = await bench.place({"X": 4})
    await bench.act("create-reservation", order)
    planned = await bench.act("schedule-routing", order)
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE stock SET on_hand = 1 WHERE location_id = 'A'")

    with pytest.raises(StockMoved) as moved:
        await bench.act("create-fulfillment-orders", order, {"attempt": found.output["attempt"]})

    assert found.output["locations"] == ["A"]
    assert moved.value.facts["place"] == "A"
    assert await bench.reserved() == {"all X": 4}
    assert await bench.rows("SELECT count(*) FROM fulfillment_orders") == [(0,)]
    again = await bench.route(order)
    assert again.output["count"] == 1
    assert await bench.reserved() == {"B X": 4, "all X": 4}


async def test_a_plan_is_not_carried_out_twice(bench) -> None:
    """A second fulfillment of the same plan, under another key, finds the order moved."""
    await bench.load({"A": {"X": 5}})
    await _allocated(bench, {"X": 4})

    with pytest.raises(OrderMoved):
        await bench.act("create-fulfillment-orders", "100001", {"attempt": 1})

    assert await bench.rows("SELECT count(*) FROM fulfillment_orders") == [(1,)]


async def test_shipping_fulfills_units_and_the_flow_takes_them_off_stock(bench) -> None:
    """The report moves the units; on hand and reserved go down by the action, at the location and its groups."""
    await bench.load({"A": {"X": 10}}, groups={"all": ["A"], "west": ["A"]})
    order = await _allocated(bench, {"X": 4})

    for type in ("accepted", "picked", "shipped"):
        await bench.report(order, 1, type)
    before = await bench.reserved()
    done = await bench.act("fulfill-reservation", order, {"fulfillment_order": f"{order}-F1"})
    again = await bench.act("fulfill-reservation", order, {"fulfillment_order": f"{order}-F1"})

    assert before == {"A X": 4, "all X": 4, "west X": 4}
    assert (done.output, again.output) == ({"units": 4}, {"units": 0})
    assert done.applied.order["status"] == "fulfilled"
    assert await bench.reserved() == {}
    assert await bench.rows("SELECT on_hand FROM group_stock") == [(6,), (6,)]
    assert await bench.rows("SELECT location_id, sku, quantity, cause FROM stock_changes ORDER BY id") == [
        ("A", "X", 10, "opening"),
        ("A", "X", -4, f"{order}-F1"),
    ]
    assert (await bench.journal(order))[-4:] == [
        "fulfillment.accepted",
        "fulfillment.picked",
        "fulfillment.shipped",
        "order.fulfilled",
    ]
    assert await bench.counters_agree()


async def test_a_partial_rejection_goes_back_to_the_group(bench) -> None:
    """Reference G22: four of ten come back, their reservation too; the reroute leaves the location out."""
    await bench.load(
        {"A": {"X": 10}, "B": {"X": 5}, "C": {"X": 15}}, at=AT, groups={"all": ["A", "B", "C"], "w": ["A"]}
    )
    order = await _allocated(bench, {"X": 10})

    recorded = await bench.report(order, 1, "rejected", lines=[{"line": "L1", "quantity": 4}], reason="Out of Stock")
    after = await bench.reserved()
    done = await bench.route(order)

    assert recorded.applied.order["units"]["reserved"] == 4
    assert recorded.applied.order["units"]["allocated"] == 6
    assert after == {"A X": 6, "all X": 10, "w X": 6}
    assert done.output["fulfillment_orders"] == [f"{order}-F2"]
    assert await bench.reserved() == {"A X": 6, "C X": 4, "all X": 10, "w X": 6}
    assert await bench.rows("SELECT location_id, status FROM fulfillment_orders ORDER BY number") == [
        ("A", "allocated"),
        ("C", "allocated"),
    ]
    assert await bench.rows(
        "SELECT original_quantity, rejected_quantity, reject_reason FROM fulfillment_order_lines "
        "WHERE rejected_quantity > 0"
    ) == [(10, 4, "out_of_stock")]
    assert done.applied.order["routing"] == {"attempts": 2}
    assert await bench.counters_agree()


async def test_a_full_rejection_closes_the_fulfillment_order(bench) -> None:
    """Without lines all is rejected; where nothing is kept at the group the units are open and the stock is free."""
    await bench.load({"A": {"X": 10}}, reserve="routing")
    order = await bench.place({"X": 10})
    await bench.route(order)

    recorded = await bench.report(order, 1, "rejected")

    assert recorded.applied.order["units"]["open"] == 10
    assert await bench.reserved() == {}
    assert await bench.rows("SELECT status FROM fulfillment_orders") == [("rejected",)]
    assert await bench.counters_agree()


async def test_a_location_that_rejected_is_not_asked_again_by_this_order(bench) -> None:
    """With no other location the answer says that none is eligible; another order may still go there."""
    await bench.load({"A": {"X": 10}})
    order = await _allocated(bench, {"X": 2})
    await bench.report(order, 1, "rejected")
    planned = await bench.act("schedule-routing", order)

    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    other = await _allocated(bench, {"X": 2})

    assert (found.output["outcome"], found.output["retry"]) == ("NO_ELIGIBLE_LOCATION", True)
    assert await bench.rows("SELECT location_id FROM fulfillment_orders WHERE order_id = :o", o=other) == [("A",)]


async def test_units_that_others_are_promised_cannot_be_routed(bench) -> None:
    """An order without a reservation gets only what the group has not promised, although a location has more."""
    await bench.load({"A": {"X": 10}})
    first = await bench.place({"X": 8})
    await bench.act("create-reservation", first)
    second = await bench.place({"X": 3})
    planned = await bench.act("schedule-routing", second)

    found = await bench.act("find-routes", second, {"schedule": planned.output["schedule"]})

    assert found.output["outcome"] == "NO_STOCK"
    [(answer, seen)] = await bench.rows("SELECT answer, seen FROM routing_attempts")
    assert answer["parts"][0]["answer"]["short"] == [{"sku": "X", "quantity": 1}]
    assert [(each["id"], each["stock"]) for each in seen["locations"]] == [("A", {"X": 10})]
    assert (seen["open"], seen["free"]) == ({"1": {"X": 3}}, {"X": 2})


async def test_what_is_not_promised_to_others_is_routed_in_part(bench) -> None:
    """With partial routing an order without a reservation gets what the group has left, and tells what is withheld."""
    await bench.load({"A": {"X": 10}}, routing={"partial": True})
    await bench.act("create-reservation", await bench.place({"X": 8}))
    order = await bench.place({"X": 3})
    planned = await bench.act("schedule-routing", order)
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})

    made = await bench.act("create-fulfillment-orders", order, {"attempt": found.output["attempt"]})

    [(answer,)] = await bench.rows("SELECT answer FROM routing_attempts")
    part = answer["parts"][0]
    assert (found.output["outcome"], found.output["retry"], made.output["count"]) == ("PARTIALLY_ROUTED", True, 1)
    assert part["answer"]["routes"][0]["plan"] == [{"location": "A", "sku": "X", "quantity": 2}]
    assert (part["answer"]["short"], part["withheld"]) == ([{"sku": "X", "quantity": 1}], {"X": 1})
    assert await bench.rows("SELECT reserved FROM group_stock") == [(10,)]
    assert await bench.rows("SELECT reserved FROM stock") == [(2,)]


async def test_attempts_back_off_and_end(bench) -> None:
    """Reference G23: later attempts wait longer; after the last the schedule is abandoned and may free the stock."""
    routing = {"max_attempts": 3, "backoff": 60, "when_abandoned": "release"}
    await bench.load({"A": {"X": 10}, "B": {"Y": 5}}, routing={**routing, "max_splits": 0})
    order = await bench.place({"X": 1, "Y": 1})
    await bench.act("create-reservation", order)
    delays, retries = [], []
    for _ in range(3):
        planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
        again = await bench.act("schedule-routing", order, {"reason": "order.released"})
        assert again.output == planned.output
        bench.now = datetime.fromisoformat(planned.output["due"])
        found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
        delays.append(planned.output["delay"])
        retries.append(found.output["retry"])

    done = await bench.act("abandon-routing", order, {"schedule": 3})

    assert found.output["outcome"] == "SPLIT_LIMIT"
    assert delays == ["PT0S", "PT1M", "PT2M"]
    assert retries == [True, True, False]
    assert done.output == {"units": 2}
    assert await bench.reserved() == {}
    assert await bench.rows("SELECT status FROM routing_schedules ORDER BY number") == [
        ("completed",),
        ("completed",),
        ("abandoned",),
    ]
    with pytest.raises(OrderMoved):
        await bench.act("find-routes", order, {"schedule": 1})


async def test_asking_for_a_route_tries_at_once(bench) -> None:
    """A person's request starts the count of waits anew."""
    await bench.load({"A": {"X": 1}}, routing={"backoff": 60})
    order = await bench.place({"X": 2})
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
    await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    bench.now += timedelta(seconds=5)

    await bench.send(order, "order.routing.requested", {})
    asked = await bench.act("schedule-routing", order, {"reason": "order.routing.requested"})

    assert asked.output["delay"] == "PT0S"


async def test_nothing_to_route_is_no_attempt(bench) -> None:
    """An order whose units are all allocated completes its schedule and counts nothing."""
    await bench.load({"A": {"X": 5}})
    order = await _allocated(bench, {"X": 2})
    planned = await bench.act("schedule-routing", order)

    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})

    assert (found.output["outcome"], found.output["attempt"]) == ("NOTHING_TO_ROUTE", 1)
    assert await bench.rows("SELECT count(*) FROM routing_attempts") == [(1,)]


async def test_what_another_group_has_promised_is_not_available(bench) -> None:
    """A location of two groups cannot ship what the other group has promised away, whatever is on its way to it."""
    await bench.load({"A": {"X": 10}}, groups={"all": ["A"], "west": ["A"]}, reserve="routing")
    async with bench.engine.begin() as conn:
        await conn.exec_driver_sql("UPDATE group_stock SET reserved = 9, future = 5 WHERE group_id = 'west'")
    order = await bench.place({"X": 2})
    planned = await bench.act("schedule-routing", order)

    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})

    assert found.output["outcome"] == "NO_STOCK"


async def test_a_reservation_is_given_back(bench) -> None:
    """Release makes the units open again; twice is nothing more."""
    await bench.load({"A": {"X": 5}})
    order = await bench.place({"X": 2})
    await bench.act("create-reservation", order)

    done = await bench.act("release-reservation", order)
    again = await bench.act("release-reservation", order)

    assert (done.output, again.output) == ({"units": 2}, {"units": 0})
    assert done.applied.order["units"]["open"] == 2
    assert await bench.reserved() == {}
    assert await bench.rows("SELECT status FROM reservations") == [("released",)]

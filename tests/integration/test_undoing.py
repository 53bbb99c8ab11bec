"""Cancelling what a routing attempt led to: units, reservations and counters go back together, or not at all."""

import pytest

from orderloom.domain.fulfillment import FulfillmentUnderWay

AT = {"A": (0.0, 0.1), "B": (0.0, 0.8)}


async def _allocated(bench, items: dict[str, int], **policy) -> str:
    await bench.load({"A": {"X": 5}, "B": {"X": 10}}, at=AT, **policy)
    body = bench.body(items)
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.place(items, lines=[*body["lines"], charge])
    if policy.get("reserve") != "routing":
        await bench.act("create-reservation", order)
    await bench.route(order)
    return order


async def _units(bench, order: str) -> list[tuple]:
    return await bench.rows(
        "SELECT line_id, state, place, SUM(quantity)::int FROM unit_entries WHERE order_id = :order "
        "AND state <> 'source' GROUP BY 1, 2, 3 HAVING SUM(quantity) <> 0 ORDER BY 1, 2",
        order=order,
    )


async def test_units_wait_at_the_group_again(bench) -> None:
    """Both fulfillment orders are cancelled; charges are open again; the group holds what the locations held."""
    order = await _allocated(bench, {"X": 12})
    assert await bench.reserved() == {"A X": 2, "B X": 10, "all X": 12}

    done = await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})

    assert done.output == {"count": 2}
    assert [event.type for event in done.applied.events] == ["fulfillment.cancelled"] * 2
    assert await _units(bench, order) == [("D", "open", "", 1), ("L1", "reserved", "all", 12)]
    assert await bench.reserved() == {"all X": 12}
    assert await bench.counters_agree()
    assert await bench.rows("SELECT DISTINCT status, closed_at IS NULL FROM fulfillment_orders") == [
        ("cancelled", False)
    ]
    assert (await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})).output == {"count": 0}
    assert (await bench.route(order)).output["count"] == 2
    assert await bench.counters_agree()


async def test_units_are_open_again_where_nothing_is_kept(bench) -> None:
    """With reservations at routing only, nothing stays reserved."""
    order = await _allocated(bench, {"X": 12}, reserve="routing")

    await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})

    assert await _units(bench, order) == [("D", "open", "", 1), ("L1", "open", "", 12)]
    assert await bench.reserved() == {}
    assert await bench.counters_agree()


@pytest.mark.parametrize("status", ["picked", "shipped"])
async def test_what_a_location_has_begun_stays_and_all_else_with_it(bench, status: str) -> None:
    """One of two is under way: nothing is cancelled, and the refusal names the one."""
    order = await _allocated(bench, {"X": 12})
    await bench.report(order, 2, status)
    before = await _units(bench, order), await bench.reserved()

    with pytest.raises(FulfillmentUnderWay) as refused:
        await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})

    assert refused.value.facts["fulfillment_orders"] == [f"{order}-F2"]
    assert (await _units(bench, order), await bench.reserved()) == before
    assert await bench.rows("SELECT count(*) FROM fulfillment_orders WHERE status = 'cancelled'") == [(0,)]


async def test_what_was_rejected_is_left_as_it_is(bench) -> None:
    """A fulfillment order that its location has rejected is not cancelled too."""
    order = await _allocated(bench, {"X": 12})
    await bench.report(order, 1, "rejected", reason="broken")

    assert (await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})).output == {"count": 1}

    assert await bench.rows("SELECT status FROM fulfillment_orders ORDER BY id") == [("rejected",), ("cancelled",)]
    assert await bench.reserved() == {"all X": 12}
    assert await bench.counters_agree()


async def test_a_planned_schedule_is_withdrawn_once(bench) -> None:
    """It is abandoned and leaves room for another; one that has ended stays as it ended."""
    await bench.load({"A": {"X": 5}})
    order = await bench.place({"X": 1})
    planned = (await bench.act("schedule-routing", order)).output["schedule"]

    assert (await bench.act("withdraw-routing", order, {"schedule": planned})).output == {"count": 1}
    assert (await bench.act("withdraw-routing", order, {"schedule": planned})).output == {"count": 0}
    assert (await bench.act("schedule-routing", order)).output["schedule"] == 2
    assert await bench.rows("SELECT status, ended_at IS NULL FROM routing_schedules ORDER BY number") == [
        ("abandoned", False),
        ("scheduled", True),
    ]

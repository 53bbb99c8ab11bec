"""What locations and people do with fulfillment orders: units, money and reservations stay together."""

from datetime import timedelta
from typing import Any

import pytest

from orderloom.contracts.messages import Recorded
from orderloom.persistence.timers import unaccepted

AT = {"A": (0.0, 0.1), "B": (0.0, 0.8), "C": (0.0, 0.6)}


async def _held(bench, order: str) -> dict[str, tuple[str, dict[str, int], int]]:
    """Return location, quantities by line and total with tax of each fulfillment order that holds something."""
    found: dict[str, tuple[str, dict[str, int], int]] = {}
    rows = await bench.rows(
        """
        SELECT e.fulfillment_order_id, e.place, e.line_id, SUM(e.quantity)::int, SUM(e.amount + e.tax)::int
        FROM unit_entries e WHERE e.order_id = :order AND e.state IN ('allocated', 'fulfilled')
        GROUP BY 1, 2, 3 HAVING SUM(e.quantity) <> 0 ORDER BY 1, 2, 3
        """,
        order=order,
    )
    for id, place, line, quantity, total in rows:
        _, lines, before = found.get(id, (place, {}, 0))
        found[id] = (place, {**lines, line: quantity}, before + total)
    return {id.removeprefix(f"{order}-"): held for id, held in found.items()}


async def _statuses(bench, order: str) -> dict[str, str]:
    rows = await bench.rows("SELECT id, status FROM fulfillment_orders WHERE order_id = :o ORDER BY number", o=order)
    return {id.removeprefix(f"{order}-"): status for id, status in rows}


def _code(recorded: Recorded) -> str | None:
    return None if recorded.receipt.problem is None else recorded.receipt.problem.code


async def _everything(bench) -> list[Any]:
    """Return all that a refused command may not have touched."""
    return [
        await bench.rows(f"SELECT * FROM {table} ORDER BY 1, 2")
        for table in ("unit_entries", "reservations", "stock", "group_stock", "fulfillment_orders", "journal")
    ]


async def test_what_was_picked_short_is_routed_again_and_the_rest_ships(bench) -> None:
    """3 of 5 picked: 2 go back to the group with the reason and to another location; the invoice is for 3."""
    await bench.load({"A": {"X": 10}, "C": {"X": 10}}, at=AT)
    order = await bench.allocated({"X": 5})

    await bench.report(order, 1, "picked", lines=[{"line": "L1", "quantity": 3}], reason="Just Sold")
    after = await bench.reserved()
    await bench.report(order, 1, "shipped")
    again = await bench.route(order)
    invoice = await bench.act("create-invoice", order, {"fulfillment_order": f"{order}-F1"})

    assert after == {"A X": 3, "all X": 5}
    assert (await bench.journal(order))[-7:-2] == [
        "fulfillment.picked",
        "fulfillment.rejected",
        "fulfillment.shipped",
        "routing.scheduled",
        "routing.attempted",
    ]
    assert again.output["fulfillment_orders"] == [f"{order}-F2"]
    assert await _held(bench, order) == {"F1": ("A", {"L1": 3}, 3300), "F2": ("C", {"L1": 2}, 2200)}
    assert await _statuses(bench, order) == {"F1": "fulfilled", "F2": "allocated"}
    assert invoice.output["total"] == 3300
    assert await bench.rows(
        "SELECT original_quantity, rejected_quantity, reject_reason FROM fulfillment_order_lines ORDER BY 1 DESC"
    ) == [(5, 2, "just_sold"), (2, 0, None)]
    await bench.act("fulfill-reservation", order, {"fulfillment_order": f"{order}-F1"})
    assert await bench.counters_agree()


async def test_what_was_shipped_short_is_missing_too(bench) -> None:
    """Shipped with lines means exactly those: the rest is not sent by this fulfillment order and is not invoiced."""
    await bench.load({"A": {"X": 10, "Y": 10}}, at=AT)
    order = await bench.allocated({"X": 5, "Y": 1})

    await bench.report(order, 1, "shipped", lines=[{"line": "L1", "quantity": 5}], reason="nobody knows")

    assert await _held(bench, order) == {"F1": ("A", {"L1": 5}, 5500)}
    assert await bench.rows(
        "SELECT line_id, reject_reason FROM fulfillment_order_lines WHERE rejected_quantity > 0"
    ) == [("L2", "other")]
    assert "order.fulfilled" not in await bench.journal(order)
    assert await bench.reserved() == {"A X": 5, "all X": 5, "all Y": 1}


@pytest.mark.parametrize("type", ["picked", "shipped"])
async def test_more_than_was_asked_is_unexpected(bench, type: str) -> None:
    """A location cannot pick or ship what the fulfillment order does not hold: it is recorded and changes nothing."""
    await bench.load({"A": {"X": 10}})
    order = await bench.allocated({"X": 5})

    recorded = await bench.report(order, 1, type, lines=[{"line": "L1", "quantity": 6}])

    assert recorded.receipt.status == "accepted"
    assert (await bench.journal(order))[-1] == "event.unexpected"
    assert await _statuses(bench, order) == {"F1": "allocated"}
    assert await bench.reserved() == {"A X": 5, "all X": 5}


async def test_a_held_fulfillment_order_waits_until_it_is_released(bench) -> None:
    """Hold keeps the reason and is refused twice; release takes it away and is refused twice."""
    await bench.load({"A": {"X": 10}})
    order = await bench.allocated({"X": 5})

    held = await bench.ask(order, 1, "hold", reason="address is checked")
    again = await bench.ask(order, 1, "hold", reason="twice")
    reason = await bench.rows("SELECT hold_reason FROM fulfillment_orders")
    released = await bench.ask(order, 1, "release")
    unheld = await bench.ask(order, 1, "release")

    assert (held.receipt.status, released.receipt.status) == ("accepted", "accepted")
    assert (_code(again), _code(unheld)) == ("fulfillment_order.refused", "fulfillment_order.refused")
    assert reason == [("address is checked",)]
    assert await bench.rows("SELECT hold_reason, status FROM fulfillment_orders") == [(None, "allocated")]
    assert (await bench.journal(order))[-4:] == [
        "fulfillment.hold.requested",
        "fulfillment.held",
        "fulfillment.release.requested",
        "fulfillment.released",
    ]


async def test_nobody_is_asked_why_what_is_held_is_not_accepted(bench) -> None:
    """Held, a fulfillment order may wait longer than the policy lets a location; released, the time is over."""
    await bench.load({"A": {"X": 10}}, exceptions={"accept_within": 60})
    order = await bench.allocated({"X": 5})
    await bench.ask(order, 1, "hold", reason="x")
    late = bench.now + timedelta(hours=1)

    async with bench.engine.connect() as conn:
        held = await unaccepted(conn, late)
    await bench.ask(order, 1, "release")
    async with bench.engine.connect() as conn:
        released = await unaccepted(conn, late)

    assert held == []
    assert [one.id for one in released] == [f"{order}-F1"]


async def test_goods_that_left_all_the_same_are_recorded_and_a_person_is_told(bench) -> None:
    """A location cannot take a no: what it ships while held is shipped, and an exception is on its way."""
    await bench.load({"A": {"X": 10}})
    order = await bench.allocated({"X": 5})
    await bench.ask(order, 1, "hold", reason="fraud")

    await bench.report(order, 1, "accepted")
    quiet = await bench.journal(order)
    await bench.report(order, 1, "shipped")

    assert "exception.occurred" not in quiet
    assert await _statuses(bench, order) == {"F1": "fulfilled"}
    [(data,)] = await bench.rows("SELECT data FROM journal WHERE type = 'exception.occurred'")
    assert data == {
        "category": "Fulfillment",
        "code": "fulfillment_order.worked_while_held",
        "detail": f"A shipped fulfillment order {order}-F1, which is held.",
        "severity": "High",
        "priority": "High",
        "attached_to": f"{order}-F1",
    }


async def test_moving_takes_reservation_and_money_to_the_other_location(bench) -> None:
    """All of it, charges too: one place's stock is free, the other's is taken, groups of one of them only follow."""
    await bench.load({"A": {"X": 10}, "B": {"X": 5}}, at=AT, groups={"all": ["A", "B"], "west": ["A"], "east": ["B"]})
    body = bench.body({"X": 4})
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.allocated({"X": 4}, lines=[*body["lines"], charge])
    await bench.report(order, 1, "accepted")
    before = await bench.reserved()

    moved = await bench.ask(order, 1, "move", location="B")

    assert moved.receipt.status == "accepted"
    assert before == {"A X": 4, "all X": 4, "west X": 4}
    assert await bench.reserved() == {"B X": 4, "all X": 4, "east X": 4}
    assert await _held(bench, order) == {"F2": ("B", {"D": 1, "L1": 4}, 4950)}
    assert await _statuses(bench, order) == {"F1": "cancelled", "F2": "allocated"}
    assert await bench.rows("SELECT id, successor_id FROM fulfillment_orders ORDER BY number") == [
        (f"{order}-F1", f"{order}-F2"),
        (f"{order}-F2", None),
    ]
    assert (await bench.journal(order))[-3:] == [
        "fulfillment.move.requested",
        "fulfillment.moved",
        "fulfillment.created",
    ]
    assert await bench.counters_agree()
    late = await bench.report(order, 1, "shipped")
    assert late.receipt.status == "accepted"
    assert await _statuses(bench, order) == {"F1": "cancelled", "F2": "allocated"}


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("B", "stock.moved"),
        ("A", "location.unsuitable"),
        ("nowhere", "location.unsuitable"),
        ("outside", "location.unsuitable"),
    ],
)
async def test_a_move_that_cannot_be_done_changes_nothing(bench, location: str, code: str) -> None:
    """Too little there, the same place, none, or one outside the channel's group: every table is as it was."""
    await bench.load({"A": {"X": 10}, "B": {"X": 3}, "outside": {"X": 9}}, at=AT, groups={"all": ["A", "B"]})
    order = await bench.allocated({"X": 4})
    before = await _everything(bench)

    moved = await bench.ask(order, 1, "move", location=location)

    assert _code(moved) == code
    assert await _everything(bench) == before


async def test_a_fulfillment_order_is_split_and_merged_to_what_it_was(bench) -> None:
    """Three units at 24.99 with tax: the parts add up, the charge stays, and together again it is the first one."""
    await bench.load({"A": {"X": 10, "Y": 10}})
    body = bench.body({"X": 3, "Y": 1})
    body["lines"][0]["unit_price"]["amount"] = 2499
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.allocated({"X": 1}, lines=[*body["lines"], charge])
    whole, reserved = await _held(bench, order), await bench.reserved()

    split = await bench.ask(order, 1, "split", lines=[{"line": "L1", "quantity": 1}])
    parts = await _held(bench, order)
    at_split = await bench.reserved()
    merged = await bench.ask(order, 1, "merge", other=f"{order}-F2")

    assert (split.receipt.status, merged.receipt.status) == ("accepted", "accepted")
    assert parts == {
        "F1": ("A", {"D": 1, "L1": 2, "L2": 1}, whole["F1"][2] - 2749),
        "F2": ("A", {"L1": 1}, 2749),
    }
    assert (at_split, await bench.reserved()) == (reserved, reserved)
    assert await _held(bench, order) == whole
    assert await _statuses(bench, order) == {"F1": "allocated", "F2": "cancelled"}
    assert await bench.rows("SELECT successor_id FROM fulfillment_orders ORDER BY number") == [
        (None,),
        (f"{order}-F1",),
    ]
    assert await bench.counters_agree()


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([{"line": "L1", "quantity": 4}], "fulfillment_order.refused"),
        ([{"line": "L1", "quantity": 5}], "units.unavailable"),
        ([{"line": "D", "quantity": 1}], "units.unavailable"),
        ([{"line": "L9", "quantity": 1}], "units.unavailable"),
    ],
)
async def test_a_split_that_cannot_be_done_changes_nothing(bench, lines: list[Any], code: str) -> None:
    """Nothing left, more than there is, a charge, an unknown line: every table is as it was."""
    await bench.load({"A": {"X": 10}})
    body = bench.body({"X": 4})
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.allocated({"X": 1}, lines=[*body["lines"], charge])
    before = await _everything(bench)

    split = await bench.ask(order, 1, "split", lines=lines)

    assert _code(split) == code
    assert await _everything(bench) == before


async def test_only_what_is_alike_is_merged(bench) -> None:
    """Another location, another status, one of them held, itself, or none at all: refused, and nothing changes."""
    await bench.load({"A": {"X": 10}, "B": {"Y": 10}})
    order = await bench.allocated({"X": 4, "Y": 1})
    await bench.ask(order, 1, "split", lines=[{"line": "L1", "quantity": 1}])
    numbered = {
        location: number
        for number, location in await bench.rows("SELECT number, location_id FROM fulfillment_orders WHERE number < 3")
    }
    at_a, at_b = numbered["A"], numbered["B"]
    codes = [_code(await bench.ask(order, at_a, "merge", other=f"{order}-F{at_b}"))]
    codes.append(_code(await bench.ask(order, at_a, "merge", other=f"{order}-F{at_a}")))
    codes.append(_code(await bench.ask(order, at_a, "merge", other=f"{order}-F9")))
    await bench.ask(order, 3, "hold", reason="x")
    codes.append(_code(await bench.ask(order, at_a, "merge", other=f"{order}-F3")))
    await bench.ask(order, 3, "release")
    await bench.report(order, 3, "accepted")
    codes.append(_code(await bench.ask(order, at_a, "merge", other=f"{order}-F3")))
    await bench.report(order, at_a, "accepted")
    codes.append(_code(await bench.ask(order, at_a, "merge", other=f"{order}-F3")))

    refused = "fulfillment_order.refused"
    assert codes == [refused, refused, "not_found", refused, refused, None]
    assert (await _held(bench, order))[f"F{at_a}"] == ("A", {"L1": 4}, 4400)


async def test_what_is_picked_is_not_changed_any_more(bench) -> None:
    """After picking only hold and release are left; after shipping nothing."""
    await bench.load({"A": {"X": 10}, "B": {"X": 10}}, at=AT)
    order = await bench.allocated({"X": 4})
    await bench.report(order, 1, "picked")
    asked = {
        "move": {"location": "B"},
        "split": {"lines": [{"line": "L1", "quantity": 1}]},
        "merge": {"other": f"{order}-F2"},
        "cancel-lines": {"lines": [{"line": "L1", "quantity": 1}]},
    }
    picked = {_code(await bench.ask(order, 1, action, **body)) for action, body in asked.items()}
    held = await bench.ask(order, 1, "hold", reason="x")
    await bench.ask(order, 1, "release")
    await bench.report(order, 1, "shipped")
    shipped = {_code(await bench.ask(order, 1, action, **body)) for action, body in asked.items()}
    shipped.add(_code(await bench.ask(order, 1, "hold", reason="x")))

    assert picked == {"fulfillment_order.refused"}
    assert held.receipt.status == "accepted"
    assert shipped == {"fulfillment_order.refused"}


async def test_cancelled_lines_are_open_again_and_their_reservation_is_gone(bench) -> None:
    """Reference G15: 1 of 2 given back is open and not reserved; the last ones end it, and its charge is free."""
    await bench.load({"A": {"X": 10}})
    body = bench.body({"X": 2})
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.allocated({"X": 1}, lines=[*body["lines"], charge])
    one = {"lines": [{"line": "L1", "quantity": 1}]}

    first = await bench.ask(order, 1, "cancel-lines", **one)
    reserved, held = await bench.reserved(), await _held(bench, order)
    second = await bench.ask(order, 1, "cancel-lines", **one)

    assert first.applied.order["units"]["open"] == 1
    assert first.applied.order["money"]["grand_total"] == 2750
    assert reserved == {"A X": 1, "all X": 1}
    assert held == {"F1": ("A", {"D": 1, "L1": 1}, 1650)}
    assert second.applied.order["units"]["open"] == 2
    assert second.applied.order["fulfillment"] == {"open": 0}
    assert await _held(bench, order) == {}
    assert await bench.reserved() == {}
    assert [type for type in await bench.journal(order) if type.startswith("fulfillment.")] == [
        "fulfillment.created",
        "fulfillment.cancel-lines.requested",
        "fulfillment.reduced",
        "fulfillment.cancel-lines.requested",
        "fulfillment.cancelled",
    ]

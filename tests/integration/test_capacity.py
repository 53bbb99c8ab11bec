"""Capacity by location and day: taken with the stock, given back with it, never exceeded."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import text

from orderloom.domain.capacity import CapacityNotHeld, CapacityTaken
from orderloom.persistence import capacity

TODAY = date(2026, 3, 1)
AT = {"A": (0.0, 0.1), "B": (0.0, 0.8)}


async def _limit(bench, **capacities: Any) -> None:
    """Give locations their traits: a number is a capacity."""
    async with bench.engine.begin() as conn:
        for location, given in capacities.items():
            traits = given if isinstance(given, str) else f'{{"capacity": {given}}}'
            await conn.execute(
                text("UPDATE locations SET traits = CAST(:traits AS jsonb) WHERE id = :id"),
                {"traits": traits, "id": location},
            )


async def _days(bench) -> dict[tuple[str, date], tuple[int, int]]:
    """Return held and assigned by location and day, where anything was ever counted."""
    rows = await bench.rows("SELECT location_id, day, held, assigned FROM location_capacity ORDER BY 1, 2")
    return {(location, day): (held, assigned) for location, day, held, assigned in rows}


async def _counted(bench) -> bool:
    """Return whether what is assigned is the fulfillment orders that count, by location and day."""
    wrong = await bench.rows(
        """
        SELECT * FROM (SELECT location_id, day, assigned FROM location_capacity WHERE assigned <> 0) c
        FULL JOIN (SELECT location_id, capacity_day AS day, COUNT(*)::int AS there FROM fulfillment_orders
                   WHERE capacity_day IS NOT NULL AND status NOT IN ('rejected', 'cancelled') GROUP BY 1, 2) f
            USING (location_id, day)
        WHERE c.assigned IS DISTINCT FROM f.there
        """
    )
    return not wrong


async def test_what_is_held_is_confirmed_or_released(bench) -> None:
    """Reference 1.2: hold is refused when less than one is left; confirm moves to assigned, release gives back."""
    await bench.load({"A": {"X": 1}})
    await _limit(bench, A=2)
    day = "A", TODAY

    async with bench.engine.begin() as conn:
        await capacity.hold(conn, {day: 2})
        with pytest.raises(CapacityTaken) as full:
            await capacity.hold(conn, {day: 1})
        await capacity.hold(conn, {("A", date(2026, 3, 2)): 1})
        await capacity.confirm(conn, {day: 1})
        await capacity.release(conn, {day: 1})
        with pytest.raises(CapacityNotHeld):
            await capacity.confirm(conn, {day: 1})
        with pytest.raises(CapacityNotHeld):
            await capacity.unassign(conn, {day: 2})
        with pytest.raises(CapacityTaken):
            await capacity.assign(conn, {day: 2})
        taken = await capacity.taken(conn, {"A": TODAY, "B": TODAY})

    assert full.value.facts == {"location": "A", "day": "2026-03-01"}
    assert taken == {"A": 1, "B": 0}
    assert await _days(bench) == {day: (0, 1), ("A", date(2026, 3, 2)): (1, 0)}


async def test_the_last_place_of_a_day_goes_to_one_of_many(bench) -> None:
    """Twenty at once for one place: exactly one gets it, and nineteen are told."""
    await bench.load({"A": {"X": 1}})
    await _limit(bench, A=1)

    async def take() -> bool:
        try:
            async with bench.engine.begin() as conn:
                await capacity.hold(conn, {("A", TODAY): 1})
        except CapacityTaken:
            return False
        return True

    got = await asyncio.gather(*(take() for _ in range(20)))

    assert sum(got) == 1
    assert await _days(bench) == {("A", TODAY): (1, 0)}


async def test_a_location_without_a_capacity_is_not_counted(bench) -> None:
    """Nothing is written for it, and its fulfillment orders belong to no day."""
    await bench.load({"A": {"X": 10}})

    await bench.allocated({"X": 1})

    assert await _days(bench) == {}
    assert await bench.rows("SELECT capacity_day FROM fulfillment_orders") == [(None,)]


async def test_work_after_the_cut_off_takes_the_next_days_place(bench) -> None:
    """Sunday 1 March, 12:00 UTC is 13:00 in Berlin: with a cut-off at 13:00 and Mondays closed it is Tuesday's work."""
    await bench.load({"A": {"X": 10}})
    traits = '{"capacity": 1, "time_zone": "Europe/Berlin", "cut_off": "13:00", "closed": ["monday"]}'
    await _limit(bench, A=traits)

    bench.now = datetime(2026, 3, 1, 11, 59, 59, tzinfo=UTC)
    await bench.allocated({"X": 1})
    bench.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    await bench.allocated({"X": 1})

    assert await _days(bench) == {("A", TODAY): (0, 1), ("A", date(2026, 3, 3)): (0, 1)}
    assert await _counted(bench)


async def test_a_place_that_has_gone_leaves_the_order_as_it_was(bench) -> None:
    """Found while there was room, carried out when there is none: a conflict, and neither stock nor units moved."""
    await bench.load({"A": {"X": 10}})
    await _limit(bench, A=1)
    order = await bench.place({"X": 1})
    await bench.act("create-reservation", order)
    planned = await bench.act("schedule-routing", order)
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    await bench.allocated({"X": 1})

    with pytest.raises(CapacityTaken) as taken:
        await bench.act("create-fulfillment-orders", order, {"attempt": found.output["attempt"]})

    assert (taken.value.status, taken.value.code) == (409, "capacity.taken")
    assert await bench.reserved() == {"A X": 1, "all X": 2}
    assert await bench.rows("SELECT count(*) FROM fulfillment_orders") == [(1,)]
    assert await _days(bench) == {("A", TODAY): (0, 1)}


@pytest.mark.parametrize("how", ["rejected", "cancelled", "given back", "compensated"])
async def test_what_will_not_leave_gives_its_place_back(bench, how: str) -> None:
    """However a fulfillment order ends without shipping, its day has room again."""
    await bench.load({"A": {"X": 10}})
    await _limit(bench, A=1)
    order = await bench.allocated({"X": 2})
    some = [{"line": "L1", "quantity": 1}]
    match how:
        case "rejected":
            await bench.report(order, 1, "rejected", lines=some)
            part = await _days(bench)
            await bench.report(order, 1, "rejected", lines=some)
        case "cancelled":
            recorded = await bench.send(order, "order.cancel.requested", {"items": some})
            await bench.act("cancel-items", order, {"request": recorded.applied.events[-1].id})
            part = await _days(bench)
            recorded = await bench.send(order, "order.cancel.requested", {"items": some})
            await bench.act("cancel-items", order, {"request": recorded.applied.events[-1].id})
        case "given back":
            await bench.ask(order, 1, "cancel-lines", lines=some)
            part = await _days(bench)
            await bench.ask(order, 1, "cancel-lines", lines=some)
        case _:
            part = await _days(bench)
            await bench.act("cancel-fulfillment-orders", order, {"attempt": 1})

    assert part == {("A", TODAY): (0, 1)}
    assert await _days(bench) == {("A", TODAY): (0, 0)}
    assert await _counted(bench)


async def test_what_was_shipped_keeps_its_place(bench) -> None:
    """The day's work was done: no other fulfillment order takes its place."""
    await bench.load({"A": {"X": 10}})
    await _limit(bench, A=1)
    order = await bench.allocated({"X": 2})

    await bench.report(order, 1, "shipped")

    assert await _days(bench) == {("A", TODAY): (0, 1)}
    assert await _counted(bench)


async def test_a_place_moves_along(bench) -> None:
    """Moved: given back here, taken there. Split: one more. Merged: one less. Where it is full it is refused."""
    await bench.load({"A": {"X": 10}, "B": {"X": 10}}, at=AT)
    await _limit(bench, A=1, B=1)
    order = await bench.allocated({"X": 3})
    lines = [{"line": "L1", "quantity": 1}]

    crowded = await bench.ask(order, 1, "split", lines=lines)
    reserved = await bench.reserved()
    await bench.ask(order, 1, "move", location="B")
    moved = await _days(bench)
    await _limit(bench, A=1, B=2)
    await bench.ask(order, 2, "split", lines=lines)
    split = await _days(bench)
    full = await bench.ask(await bench.allocated({"X": 1}), 1, "move", location="B")
    await bench.ask(order, 2, "merge", other=f"{order}-F3")

    assert crowded.receipt.problem.code == "capacity.taken"
    assert reserved == {"A X": 3, "all X": 3}
    assert moved == {("A", TODAY): (0, 0), ("B", TODAY): (0, 1)}
    assert split == {("A", TODAY): (0, 0), ("B", TODAY): (0, 2)}
    assert full.receipt.problem.code == "capacity.taken"
    assert await _days(bench) == {("A", TODAY): (0, 1), ("B", TODAY): (0, 1)}
    assert await _counted(bench)
    assert await bench.counters_agree()


async def test_moves_in_opposite_directions_do_not_wait_for_each_other(bench) -> None:
    """Six orders go to and fro between two limited locations at once: each move is done or refused, none deadlocks."""
    await bench.load({"A": {"X": 20}, "B": {"X": 20}}, at=AT)
    bench.checking = False
    await _limit(bench, A=4, B=4)
    orders = [await bench.allocated({"X": 1}) for _ in range(6)]
    placed = await bench.rows("SELECT order_id, location_id FROM fulfillment_orders")
    at = {order: (1, location) for order, location in placed}

    async def move(order: str) -> str | None:
        number, location = at[order]
        target = "B" if location == "A" else "A"
        recorded = await bench.ask(order, number, "move", location=target)
        if recorded.receipt.problem is None:
            at[order] = number + 1, target
            return None
        return recorded.receipt.problem.code

    codes = {code for _ in range(5) for code in await asyncio.gather(*(move(order) for order in orders))}

    assert codes <= {None, "capacity.taken"}
    assert None in codes
    assert await _counted(bench)
    assert await bench.counters_agree()
    assert max(assigned for _, assigned in (await _days(bench)).values()) <= 4

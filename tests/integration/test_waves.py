"""Waves: the due orders of a pool get proposals together, and each order's own action accepts or releases its own."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from activities.waves import Waves
from flows_dsl.policies import ConditionFailed
from orderloom.cli.why import shown
from orderloom.contracts.pools import WaveRouted
from orderloom.persistence.pools import PATIENCE, ready_pools
from orderloom.persistence.proposals import due, lapse
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.pools import pools_of, waves_page
from orderloom.readmodels.routing_why import attempt_told

INTERVAL = timedelta(seconds=60)
WAVE = {"wave": {"pool": "central"}, "backoff": 3600}
AT = {"A": (0.1, 0.0), "B": (0.2, 0.0), "C": (0.3, 0.0)}


class Here:
    """In place of other processes: what is run is run here."""

    async def run(self, function: Any, *args: Any) -> Any:
        return function(*args)


class At:
    """The bench's time as a clock."""

    def __init__(self, bench) -> None:
        self._bench = bench

    def now(self):
        return self._bench.now


async def _wave(bench) -> WaveRouted:
    return await Waves(bench.engine, Here()).route("central", At(bench))  # pyright: ignore[reportArgumentType]


async def _join(bench, items, *, reserve=True, **changes) -> str:
    """Place an order that waits in the pool."""
    order = await bench.place(items, **changes)
    if reserve:
        await bench.act("create-reservation", order)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    return order


async def _answer(bench, order, schedule=1) -> dict:
    """Let the order's own actions answer, as its flow does."""
    found = (await bench.act("find-routes", order, {"schedule": schedule})).output
    if found["outcome"].endswith("ROUTED"):
        await bench.act("create-fulfillment-orders", order, {"attempt": found["attempt"]})
    return found


async def _held(bench) -> list[tuple]:
    return await bench.rows(
        "SELECT p.order_id, l.location_id, l.sku, l.quantity, l.own FROM proposals p "
        "JOIN proposal_lines l ON l.proposal_id = p.id WHERE p.status = 'open' ORDER BY p.order_id, l.location_id"
    )


async def _proposals(bench) -> list[tuple]:
    return await bench.rows("SELECT order_id, status FROM proposals ORDER BY id")


async def _sound(bench) -> bool:
    """Return whether the doctor finds nothing in stock, groups and capacity."""
    async with bench.engine.connect() as conn:
        found = (await examine(conn)).findings
    return not [each for each in found if each.check.startswith(("stock.", "groups.", "capacity."))]


async def _lapse(bench) -> None:
    async with bench.engine.begin() as conn:
        for one in await due(conn, bench.now):
            if one.lapsed:
                await lapse(conn, one.id, now=bench.now)


async def _ready(bench) -> list[str]:
    async with bench.engine.connect() as conn:
        return await ready_pools(conn, bench.now)


async def test_the_highest_priority_gets_what_is_scarce(bench) -> None:
    """Of three orders for the last unit at one place the urgent one gets it, with a wave of three; the rest wait on."""
    await bench.load({"A": {"X": 1}}, routing=WAVE)
    first, second, urgent = [await _join(bench, {"X": 1}, reserve=False, priority=each) for each in (0, 0, 5)]
    bench.now += INTERVAL

    done = await _wave(bench)

    assert done == WaveRouted(orders=3)
    assert await _held(bench) == [(urgent, "A", "X", 1, 1)]
    assert await bench.rows("SELECT pool, orders, routed, partial, unrouted, left_over, splits FROM waves") == [
        ("central", 3, 1, 0, 2, 0, 0)
    ]
    outcomes = [(await _answer(bench, order))["outcome"] for order in (first, second, urgent)]
    assert outcomes == ["NO_STOCK", "NO_STOCK", "ROUTED"]
    assert await bench.reserved() == {"A X": 1, "all X": 1}
    assert await bench.rows("SELECT order_id, wave_id IS NOT NULL FROM routing_attempts ORDER BY order_id") == [
        (first, True),
        (second, True),
        (urgent, True),
    ]
    assert await _held(bench) == []
    assert await _sound(bench)


async def test_an_order_is_due_for_a_wave_and_not_before(bench) -> None:
    """It waits its interval for others, its flow longer than that; a proposal that waits for an answer is no reason."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    order = await bench.place({"X": 1})
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})

    assert planned.output["delay"] == "PT3M"
    bench.now += INTERVAL - timedelta(seconds=1)
    assert await _ready(bench) == []
    bench.now += timedelta(seconds=1)
    assert await _ready(bench) == ["central"]
    await _wave(bench)
    assert await _ready(bench) == []
    assert await _wave(bench) == WaveRouted()


async def test_without_a_wave_an_order_is_routed_by_itself(bench) -> None:
    """When no wave has come for two minutes after it was due, the order routes itself; no wave takes it any more."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    order = await _join(bench, {"X": 1})
    bench.now += INTERVAL + PATIENCE

    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
    found = await _answer(bench, order)

    assert (planned.output["schedule"], planned.output["delay"], found["outcome"]) == (1, "PT0S", "ROUTED")
    assert await _ready(bench) == []
    assert await _wave(bench) == WaveRouted()
    assert await bench.rows("SELECT wave_id FROM routing_attempts") == [(None,)]
    assert await _proposals(bench) == []


async def test_a_channel_without_waves_is_in_no_pool(bench) -> None:
    """Waves are off unless the policy names a pool: the order is due at once."""
    await bench.load({"A": {"X": 5}})
    order = await bench.place({"X": 1})

    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})

    assert planned.output["delay"] == "PT0S"
    assert await bench.rows("SELECT pool, due_at, wave_by FROM routing_schedules") == [(None, None, None)]
    bench.now += INTERVAL
    assert await _ready(bench) == []


async def test_an_order_that_has_changed_releases_what_is_held(bench) -> None:
    """Units cancelled after the wave: its proposal is released, and the order is routed by itself with what is left."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    order = await _join(bench, {"X": 3})
    bench.now += INTERVAL
    await _wave(bench)
    assert await _held(bench) == [(order, "A", "X", 3, 0)]

    request = {"items": [{"line": "L1", "quantity": 1}]}
    taken = await bench.submit("order.cancel.requested", request, order_id=order)
    await bench.record(taken, "order.cancel.requested")
    await bench.act("cancel-items", order, {"request": taken.intake_id})
    found = await _answer(bench, order)

    assert found["outcome"] == "ROUTED"
    assert await _proposals(bench) == [(order, "released")]
    assert await bench.rows("SELECT wave_id FROM routing_attempts") == [(None,)]
    assert await bench.reserved() == {"A X": 2, "all X": 2}
    assert await _sound(bench)


async def test_an_order_that_was_cancelled_releases_what_is_held(bench) -> None:
    """Nothing of it waits any more: everything is free again."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    order = await _join(bench, {"X": 3})
    bench.now += INTERVAL
    await _wave(bench)

    request = {"items": [{"line": "L1", "quantity": 3}]}
    taken = await bench.submit("order.cancel.requested", request, order_id=order)
    await bench.record(taken, "order.cancel.requested")
    await bench.act("cancel-items", order, {"request": taken.intake_id})
    found = await _answer(bench, order)

    assert found["outcome"] == "NOTHING_TO_ROUTE"
    assert await _proposals(bench) == [(order, "released")]
    assert await bench.reserved() == {}
    assert await _sound(bench)


async def test_an_unanswered_proposal_is_released_after_a_minute(bench) -> None:
    """Stock and capacity are held until then and free afterwards; the next wave takes the order again."""
    await bench.load({"A": {"X": 5}}, routing={**WAVE, "eligible": {"capacity": True}})
    await _limit(bench, "A", 1)
    order = await _join(bench, {"X": 3})
    bench.now += INTERVAL
    await _wave(bench)
    assert await bench.rows("SELECT held, assigned FROM location_capacity") == [(1, 0)]
    assert await bench.reserved() == {"A X": 3, "all X": 3}
    assert await _sound(bench)

    bench.now += timedelta(seconds=60)
    await _lapse(bench)

    assert await bench.rows("SELECT held, assigned FROM location_capacity") == [(0, 0)]
    assert await bench.reserved() == {"all X": 3}
    assert await _sound(bench)
    await _wave(bench)
    assert await _proposals(bench) == [(order, "lapsed"), (order, "open")]
    assert (await _answer(bench, order))["outcome"] == "ROUTED"
    assert await bench.rows("SELECT held, assigned FROM location_capacity") == [(0, 1)]
    assert await _sound(bench)


async def test_a_wave_holds_no_more_capacity_than_there_is(bench) -> None:
    """Of two orders the older one gets the last place of the near location's day, the other one goes from the far."""
    await bench.load({"A": {"X": 5}, "B": {"X": 5}}, at=AT, routing={**WAVE, "objectives": ["distance"]})
    await _limit(bench, "A", 1)
    older, younger = [await _join(bench, {"X": 1}) for _ in range(2)]
    bench.now += INTERVAL

    await _wave(bench)

    assert await _held(bench) == [(older, "A", "X", 1, 0), (younger, "B", "X", 1, 0)]
    for order in (younger, older):
        await _answer(bench, order)
    assert await bench.rows("SELECT location_id, held, assigned FROM location_capacity") == [("A", 0, 1)]
    assert await _sound(bench)


async def test_a_wave_saves_a_split_that_age_alone_would_make(bench) -> None:
    """The older order could take X from either; it takes it where the younger one does not need it with its Y."""
    await bench.load({"A": {"X": 1, "Y": 1}, "B": {"X": 1}}, at=AT, routing={**WAVE, "max_splits": None})
    older = await _join(bench, {"X": 1})
    younger = await _join(bench, {"X": 1, "Y": 1})
    bench.now += INTERVAL

    await _wave(bench)

    assert await _held(bench) == [
        (older, "B", "X", 1, 0),
        (younger, "A", "X", 1, 0),
        (younger, "A", "Y", 1, 0),
    ]
    assert await bench.rows("SELECT routed, splits FROM waves") == [(2, 0)]


async def test_a_wave_done_twice_proposes_once(bench) -> None:
    """The worker that routed it was killed before it could say so: another one finds nothing left to do."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    orders = [await _join(bench, {"X": 1}) for _ in range(3)]
    bench.now += INTERVAL

    await _wave(bench)
    again = await _wave(bench)

    assert again == WaveRouted()
    assert await _proposals(bench) == [(order, "open") for order in orders]
    assert await bench.reserved() == {"A X": 3, "all X": 3}


async def test_an_order_that_is_busy_waits_for_the_next_wave(bench) -> None:
    """Its row is locked by a transaction of its own: the wave passes it by and waits for nobody."""
    await bench.load({"A": {"X": 5}}, routing=WAVE)
    busy, idle = [await _join(bench, {"X": 1}) for _ in range(2)]
    bench.now += INTERVAL

    async with bench.engine.begin() as conn:
        await conn.execute(text("SELECT 1 FROM orders WHERE id = :order FOR UPDATE"), {"order": busy})
        await _wave(bench)

    assert await _held(bench) == [(idle, "A", "X", 1, 0)]
    assert await bench.rows("SELECT routed, left_over FROM waves") == [(1, 1)]
    await _wave(bench)
    assert [order for order, *_ in await _held(bench)] == [busy, idle]


async def test_stock_that_moves_meanwhile_costs_only_those_who_need_it(bench) -> None:
    """Somebody takes one place's stock while the wave is routed: that order is left over, the others have theirs."""
    await bench.load({"A": {"X": 1}, "B": {"Y": 1}}, routing={**WAVE, "backoff": 0})
    loser, winner = await _join(bench, {"X": 1}), await _join(bench, {"Y": 1})
    bench.now += INTERVAL
    taken = text("UPDATE stock SET safety = 1 WHERE location_id = 'A'")

    class Meanwhile(Here):
        async def run(self, function: Any, *args: Any) -> Any:
            async with bench.engine.begin() as conn:
                await conn.execute(taken)
            return await super().run(function, *args)

    await Waves(bench.engine, Meanwhile()).route("central", At(bench))  # pyright: ignore[reportArgumentType]

    assert await _held(bench) == [(winner, "B", "Y", 1, 0)]
    assert await bench.rows("SELECT routed, left_over FROM waves") == [(1, 1)]
    await _wave(bench)
    assert (await _answer(bench, loser))["outcome"] == "NO_STOCK"


async def test_something_that_changes_brings_the_next_wave_forward(bench) -> None:
    """An order that waits an hour for its next attempt is due at once when items are cancelled, in its pool."""
    await bench.load({"A": {"X": 1}}, routing=WAVE)
    order = await _join(bench, {"X": 2})
    bench.now += INTERVAL
    await _wave(bench)
    await _answer(bench, order)
    await bench.act("schedule-routing", order, {"reason": "order.released"})
    bench.now += timedelta(minutes=5)
    assert await _wave(bench) == WaveRouted()

    request = {"items": [{"line": "L1", "quantity": 1}]}
    taken = await bench.submit("order.cancel.requested", request, order_id=order)
    await bench.record(taken, "order.cancel.requested")
    await bench.act("cancel-items", order, {"request": taken.intake_id})
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})

    assert (planned.output["schedule"], planned.output["delay"]) == (2, "PT3M")
    bench.now += INTERVAL
    assert await _wave(bench) == WaveRouted(orders=1)
    assert (await _answer(bench, order, schedule=2))["outcome"] == "ROUTED"
    woken = await bench.rows("SELECT data->>'woken' FROM journal WHERE type = 'routing.attempted' ORDER BY seq")
    assert woken == [(None,), ("true",)]


async def test_a_policy_that_fails_for_one_order_fails_only_that(bench) -> None:
    """A condition without an answer: its order is told that it has had its turn and meets the error itself."""
    await bench.load({"A": {"X": 5}}, routing={**WAVE, "eligible": {"when": "order.value / (order.value - 1100) > 0"}})
    broken, sound = await _join(bench, {"X": 1}), await _join(bench, {"X": 2})
    bench.now += INTERVAL

    await _wave(bench)

    assert await _held(bench) == [(sound, "A", "X", 2, 0)]
    assert await _proposals(bench) == [(broken, "open"), (sound, "open")]
    with pytest.raises(ConditionFailed):
        await _answer(bench, broken)


async def _limit(bench, location: str, capacity: int) -> None:
    async with bench.engine.begin() as conn:
        change = text(
            "UPDATE locations SET traits = traits || jsonb_build_object('capacity', CAST(:most AS int)) WHERE id = :id"
        )
        await conn.execute(change, {"most": capacity, "id": location})


async def test_pools_and_waves_are_told(bench) -> None:
    """Who waits, when the next wave is due, what is held, and what the last one came to; an attempt names its wave."""
    await bench.load({"A": {"X": 1}}, routing=WAVE)
    first, second = [await _join(bench, {"X": 1}, reserve=False) for _ in range(2)]
    async with bench.engine.connect() as conn:
        [before] = await pools_of(conn, bench.now)
    assert (before.waiting, before.due, before.next_wave_at, before.proposed, before.last_wave) == (
        2,
        2,
        bench.now + INTERVAL,
        0,
        None,
    )
    bench.now += INTERVAL
    await _wave(bench)
    async with bench.engine.connect() as conn:
        [held] = await pools_of(conn, bench.now)
    assert held.proposed == 2
    for order in (first, second):
        await _answer(bench, order)

    async with bench.engine.connect() as conn:
        [after], [wave] = await pools_of(conn, bench.now), await waves_page(conn, "central", before=None, limit=5)
        told = await attempt_told(conn, first, 1)

    assert (after.waiting, after.proposed, after.last_wave) == (0, 0, wave)
    assert (wave.orders, wave.routed, wave.unrouted, wave.left_over, wave.splits) == (2, 1, 1, 0, 0)
    assert told is not None
    assert told.wave == wave.number
    assert any(f"wave {wave.number}" in line for line in shown(told, 80))

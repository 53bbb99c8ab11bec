"""What a location turned down lowers its rank for these SKUs, fades, and can be forgotten."""

from datetime import timedelta
from typing import Any

from sqlalchemy import text

from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.rejections import forget_rejections
from orderloom.readmodels.attempts import past_attempts

DAY = 86_400
AT = {"A": (0.0, 0.1), "B": (0.0, 0.8)}
STOCK = {"A": {"X": 50, "Y": 50}, "B": {"X": 50, "Y": 50}}
ROUTING = {"objectives": ["fewest_splits", "rejections"], "rejections_half_life": DAY}


async def _sent_from(bench, order: str) -> list[str]:
    rows = await bench.rows("SELECT location_id FROM fulfillment_orders WHERE order_id = :o ORDER BY number", o=order)
    return [location for (location,) in rows]


async def _facts(bench, order: str) -> dict[str, Any]:
    """Return what the order's last attempt knew of its locations, by id."""
    [(seen,)] = await bench.rows(
        "SELECT seen FROM routing_attempts WHERE order_id = :o ORDER BY number DESC LIMIT 1", o=order
    )
    return {each["id"]: each for each in seen["locations"]}


async def test_a_rejection_lowers_the_rank_until_it_fades(bench) -> None:
    """A is nearer; after its rejection B sends, for ten half-lives; what A was known to have turned down is stored."""
    await bench.load(STOCK, at=AT, routing=ROUTING)
    first = await bench.allocated({"X": 1})
    await bench.report(first, 1, "rejected", reason="out of stock")

    bench.now += timedelta(seconds=DAY)
    day_later = await bench.allocated({"X": 1})
    other_sku = await bench.allocated({"Y": 1})
    bench.now += timedelta(seconds=10 * DAY)
    forgotten = await bench.allocated({"X": 1})

    assert await _sent_from(bench, first) == ["A"]
    assert await _sent_from(bench, day_later) == ["B"]
    assert await _sent_from(bench, other_sku) == ["A"]
    assert await _sent_from(bench, forgotten) == ["A"]
    facts = await _facts(bench, day_later)
    assert (facts["A"].get("rejections"), facts["B"].get("rejections")) == (0.5, None)
    [(fates,)] = await bench.rows("SELECT fates FROM routing_attempts WHERE order_id = :o", o=day_later)
    charged = {
        fate["location"]: {one["objective"]: one.get("opening", 0) for one in fate["charges"]} for fate in fates[0]
    }
    assert charged == {"A": {"fewest_splits": 1, "rejections": 500}, "B": {"fewest_splits": 1, "rejections": 0}}


async def test_a_person_lets_rejections_count_no_more(bench) -> None:
    """Of one SKU or of all; the rows stay, and say when they were forgotten."""
    await bench.load(STOCK, at=AT, routing=ROUTING)
    first = await bench.allocated({"X": 1, "Y": 1})
    await bench.report(first, 1, "picked", lines=[{"line": "L1", "quantity": 1}], reason="damaged")
    second = await bench.allocated({"X": 1})
    await bench.report(second, 1, "rejected")

    async with bench.engine.begin() as conn:
        of_y = await forget_rejections(conn, "A", "Y", bench.now)
        again = await forget_rejections(conn, "A", "Y", bench.now)
        elsewhere = await forget_rejections(conn, "B", None, bench.now)
    y = await bench.allocated({"Y": 1})
    x = await bench.allocated({"X": 1})
    async with bench.engine.begin() as conn:
        rest = await forget_rejections(conn, "A", None, bench.now)
    x_again = await bench.allocated({"X": 1})

    assert (of_y, again, elsewhere, rest) == (1, 0, 0, 1)
    assert [await _sent_from(bench, order) for order in (y, x, x_again)] == [["A"], ["B"], ["A"]]
    assert await bench.rows(
        "SELECT location_id, sku, quantity, reason, forgotten_at IS NULL FROM location_rejections ORDER BY id"
    ) == [("A", "Y", 1, "damaged", False), ("A", "X", 1, "other", False)]


async def test_a_policy_that_does_not_look_at_rejections_ignores_them(bench) -> None:
    """Without the objective nothing is read of them, and the nearest location sends again for other orders."""
    await bench.load(STOCK, at=AT)
    first = await bench.allocated({"X": 1})
    await bench.report(first, 1, "rejected")

    assert await _sent_from(bench, await bench.allocated({"X": 1})) == ["A"]


async def test_a_full_day_sends_orders_elsewhere(bench) -> None:
    """A takes one a day: the second order goes to B, the attempt says why, and the next day A sends again."""
    await bench.load(STOCK, at=AT)
    async with bench.engine.begin() as conn:
        await conn.execute(text("""UPDATE locations SET traits = '{"capacity": 1}' WHERE id = 'A'"""))

    first, second = await bench.allocated({"X": 1}), await bench.allocated({"X": 1})
    bench.now += timedelta(days=1)
    third = await bench.allocated({"X": 1})

    assert [await _sent_from(bench, order) for order in (first, second, third)] == [["A"], ["B"], ["A"]]
    facts = await _facts(bench, second)
    assert (facts["A"].get("capacity_left"), facts["B"].get("capacity_left")) == (0, None)
    [(fates,)] = await bench.rows("SELECT fates FROM routing_attempts WHERE order_id = :o", o=second)
    assert {fate["location"]: fate.get("removed_by") for fate in fates[0]} == {"A": "capacity", "B": None}


async def test_parts_of_one_order_share_what_is_left(bench) -> None:
    """Two delivery groups are two fulfillment orders: with one place left at A the second part goes to B."""
    await bench.load(STOCK, at=AT)
    async with bench.engine.begin() as conn:
        await conn.execute(text("""UPDATE locations SET traits = '{"capacity": 1}' WHERE id = 'A'"""))
    body = bench.body({"X": 1, "Y": 1})
    body["lines"][1]["delivery_group"] = "2"
    groups = [{**body["delivery_groups"][0], "id": id} for id in ("1", "2")]

    order = await bench.allocated({"X": 1, "Y": 1}, lines=body["lines"], delivery_groups=groups)

    assert await _sent_from(bench, order) == ["A", "B"]


async def test_a_draft_sees_what_was_turned_down_by_then_and_no_more(bench) -> None:
    """
    Attempts are read with the rejections of their own time: not those of later, of other SKUs, or forgotten by then,
    as far back as the draft's half-life reaches, and none for policies that do not look at them.
    """
    await bench.load(STOCK, at=AT)
    begin = bench.now
    both = await bench.allocated({"X": 1, "Y": 1})
    bench.now += timedelta(seconds=1)
    await bench.report(both, 1, "rejected", reason="damaged")
    bench.now += timedelta(seconds=DAY)
    await bench.allocated({"X": 1})
    async with bench.engine.begin() as conn:
        await forget_rejections(conn, "A", "X", bench.now + timedelta(seconds=1))
    bench.now += timedelta(seconds=DAY)
    await bench.allocated({"X": 1, "Y": 1})
    bench.now += timedelta(seconds=10 * DAY)
    await bench.allocated({"Y": 1})

    looks = RoutingPolicy(name="looks", objectives=("rejections",), rejections_half_life=DAY)
    async with bench.engine.connect() as conn:
        until = bench.now + timedelta(seconds=1)
        found = [past async for past in past_attempts(conn, "web", begin, until, (RoutingPolicy(), looks))]
        unread = [past async for past in past_attempts(conn, "web", begin, until, (RoutingPolicy(),))]

    at_first = [(each.location, each.sku, each.reason.value, each.at) for each in found[1].rejections]
    assert at_first == [("A", "X", "damaged", begin + timedelta(seconds=1))]
    assert [[each.sku for each in past.rejections] for past in found] == [[], ["X"], ["Y"], []]
    scores = [{each.id: each.rejections for each in past.seen_by(looks).locations} for past in found]
    assert scores == [{"A": 0.0, "B": 0.0}, {"A": 0.5, "B": 0.0}, {"A": 0.25, "B": 0.0}, {"A": 0.0, "B": 0.0}]
    assert [past.rejections for past in unread] == [()] * 4

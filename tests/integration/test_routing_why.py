"""Attempts that were really made, as the API answers and as `orderloom orders why` prints them."""

from typing import Any

from orderloom.cli import why
from orderloom.readmodels.routing_why import RoutingAttemptTold
from tests.api.conftest import StubDelivery, client

G1 = {"A": {"S": 10}, "B": {"S": 5}, "C": {"S": 15}}
AT = {"A": (0.0, 1.2), "B": (0.0, 0.8), "C": (0.0, 0.6)}
SEEN = "Seen on 2026-03-01 12:00:00 UTC by policy {}; schedule 1, order.released."


async def _attempt(bench, order: str) -> dict[str, Any]:
    """Make a routing attempt for the order; return what it answers."""
    planned = await bench.act("schedule-routing", order, {"reason": "order.released"})
    found = await bench.act("find-routes", order, {"schedule": planned.output["schedule"]})
    return found.output


async def _read(bench, path: str) -> tuple[int, Any]:
    """Return what the API answers."""

    async def probe() -> None:
        return None

    async with client(bench.engine, StubDelivery(bench.engine), probe) as http:
        answer = await http.get(path)
    return answer.status_code, answer.json()


async def _printed(bench, order: str, number: int = 1) -> list[str]:
    """Return the lines that `orders why` prints on a terminal of 100 columns."""
    status, answer = await _read(bench, f"/v1/orders/{order}/routing-attempts/{number}")
    assert status == 200, answer
    return list(why.shown(RoutingAttemptTold.model_validate(answer), 100))


async def test_a_routed_order(bench) -> None:
    """Which route was chosen, at which objective it won, why not the others, and what it led to."""
    routing = {"name": "near", "version": "1.2.0", "objectives": ["fewest_splits", "distance"]}
    routing["eligible"] = {"exclude": ["D"]}
    await bench.load({**G1, "D": {"S": 40}}, at=AT, routing=routing)
    order = await bench.place({"S": 20})
    assert (await _attempt(bench, order))["outcome"] == "ROUTED"
    await bench.act("create-fulfillment-orders", order, {"attempt": 1})

    assert await _printed(bench, order) == [
        f"Order {order}, routing attempt 1 of 1: ROUTED",
        "All that waited goes out.",
        "",
        "Delivery group 1, sent from stock: 20 S",
        "  Goes from B (5 S) and C (15 S).",
        "  - No single location can send it all: 2 are proven to be the fewest.",
        "  - It wins over A + C at distance: 156 km against 200 km.",
        "    C  66.8 km  15 S  sends 15 S (1st at distance)",
        "    B  89.1 km   5 S  sends 5 S (2nd at distance)",
        "    A   134 km  10 S  would do with C: loses at distance: 200 km against 156 km (3rd at distance)",
        "    D   0.0 km  40 S  may not send: the policy excludes it",
        "",
        f"It led to {order}-F1 at B and {order}-F2 at C.",
        SEEN.format("near:1.2.0 (f08f2eff)"),
    ]


async def test_too_little_stock(bench) -> None:
    """What is short and by how much, what each location could have sent, and when it is tried again."""
    await bench.load(G1, at=AT)
    order = await bench.place({"S": 40})
    assert (await _attempt(bench, order))["outcome"] == "NO_STOCK"
    await bench.act("schedule-routing", order, {"reason": "order.released"})

    assert await _printed(bench, order) == [
        f"Order {order}, routing attempt 1 of 1: NO_STOCK",
        "Nothing goes out: there is too little stock.",
        "",
        "Delivery group 1, sent from stock: 40 S",
        "  Nothing goes out: 10 S are missing.",
        "  - S: all locations that may send have 30 of 40.",
        "    C  66.8 km  15 S  could send 15 S",
        "    B  89.1 km   5 S  could send 5 S",
        "    A   134 km  10 S  could send 10 S",
        "",
        "The next attempt is planned for 2026-03-01 13:00:00 UTC.",
        SEEN.format("default:1.0.0 (44136fa3)"),
    ]


async def test_more_locations_than_allowed(bench) -> None:
    """The limit, how many would do, and the proof."""
    await bench.load({name: {"S": 5} for name in "ABCD"}, routing={"max_splits": 2})
    order = await bench.place({"S": 20})
    assert (await _attempt(bench, order))["outcome"] == "SPLIT_LIMIT"

    assert (await _printed(bench, order))[:-2] == [
        f"Order {order}, routing attempt 1 of 1: SPLIT_LIMIT",
        "Nothing goes out: it takes more locations than the policy allows.",
        "",
        "Delivery group 1, sent from stock: 20 S",
        "  Nothing goes out: it takes at least 4 locations, and the policy allows 3 (2 splits).",
        "  - 4 locations would do, which is proven to be the fewest.",
        *(f"    {name}  0.0 km  5 S  could send 5 S" for name in "ABCD"),
    ]


async def test_no_eligible_location(bench) -> None:
    """The rule that keeps each location out."""
    await bench.load(
        G1, at=AT, routing={"eligible": {"countries": ["FR"], "exclude": ["B"], "ship_from": {"GB": ["C"]}}}
    )
    order = await bench.place({"S": 1})
    assert (await _attempt(bench, order))["outcome"] == "NO_ELIGIBLE_LOCATION"

    assert (await _printed(bench, order))[:-2] == [
        f"Order {order}, routing attempt 1 of 1: NO_ELIGIBLE_LOCATION",
        "Nothing goes out: no location may send it.",
        "",
        "Delivery group 1, sent from stock: 1 S",
        "  Nothing goes out: no location may send it.",
        "    C  66.8 km  15 S  may not send: it is in GB, and only FR may send",
        "    B  89.1 km   5 S  may not send: the policy excludes it",
        "    A   134 km  10 S  may not send: it is in GB, and only FR may send",
    ]


async def test_the_attempt_stays_what_it_was(bench) -> None:
    """What is told of an attempt does not change when stock and policy do; the next attempt has its own words."""
    await bench.load(G1, at=AT)
    order = await bench.place({"S": 40})
    await _attempt(bench, order)
    before = await _printed(bench, order)
    await bench.load({**G1, "A": {"S": 99}}, at=AT, routing={"eligible": {"exclude": ["C"]}})

    await _attempt(bench, order)

    after = await _printed(bench, order)
    assert (after[0], after[1:]) == (before[0].replace("1 of 1", "1 of 2"), before[1:])
    assert (await _printed(bench, order, 2))[4] == "  Goes from A (40 S)."


async def test_attempts_are_listed_and_refused_by_number(bench) -> None:
    """The latest first, page by page; an unknown attempt or order is a typed error, and nothing is made up."""
    await bench.load(G1, at=AT)
    order = await bench.place({"S": 40})
    path = f"/v1/orders/{order}/routing-attempts"
    none = await _read(bench, path)
    await _attempt(bench, order)
    await _attempt(bench, order)

    status, first = await _read(bench, f"{path}?limit=1")
    _, second = await _read(bench, first["next"])

    assert none == (200, {"items": [], "next": None})
    assert (status, [it["number"] for it in first["items"] + second["items"]]) == (200, [2, 1])
    assert second["items"][0] == {
        "number": 1,
        "schedule": 1,
        "reason": "order.released",
        "outcome": "NO_STOCK",
        "summary": "Nothing goes out: there is too little stock.",
        "policy": "default:1.0.0",
        "at": "2026-03-01T12:00:00Z",
        "wave": None,
    }
    for asked, code in ((f"{path}/3", "routing_attempt.unknown"), ("/v1/orders/1/routing-attempts", "order.unknown")):
        status, problem = await _read(bench, asked)
        assert (status, problem["code"]) == (404, code)
    status, problem = await _read(bench, "/v1/orders/1/routing-attempts/1")
    assert (status, problem["code"]) == (404, "order.unknown")

"""Routing with the numbers of G1, G2, G3, G4 and G22."""

from itertools import count
from typing import Any

import pytest

from orderloom.domain.routing import Candidate, Cost, Objective, RoutingAnswer, RoutingOutcome, RoutingQuestion, Short
from orderloom.domain.solver import find_routes

G1 = {"A": 10, "B": 5, "C": 15}


def ask(
    demand: dict[str, int] | int,
    stock: dict[str, dict[str, int] | int],
    *,
    max_splits: int | None = None,
    km: dict[str, float | None] | None = None,
    **more: Any,
) -> RoutingAnswer:
    """Ask for routes; a bare number is a quantity of SKU ``S``."""
    return find_routes(
        RoutingQuestion(
            demand=demand if isinstance(demand, dict) else {"S": demand},
            locations=tuple(
                Candidate(
                    location=location,
                    distance_km=(km or {}).get(location),
                    stock=held if isinstance(held, dict) else {"S": held},
                )
                for location, held in stock.items()
            ),
            max_splits=max_splits,
            **more,
        )
    )


def sets(answer: RoutingAnswer) -> list[str]:
    """Return the routes' locations, best first."""
    return ["".join(route.locations) for route in answer.routes]


def plan(answer: RoutingAnswer, rank: int = 0) -> list[tuple[str, str, int]]:
    """Return a route's plan."""
    return [(each.location, each.sku, each.quantity) for each in answer.routes[rank].plan]


@pytest.mark.parametrize("max_splits", [1, 2, None])
def test_g1_fewest_splits(max_splits: int | None) -> None:
    """Twenty of 10, 5 and 15 come from A and C or from B and C, never from A and B; most inventory first."""
    answer = ask(20, G1, max_splits=max_splits)

    assert answer.outcome is RoutingOutcome.ROUTED
    assert sets(answer) == ["AC", "BC"]
    assert plan(answer, 0) == [("C", "S", 15), ("A", "S", 5)]
    assert plan(answer, 1) == [("C", "S", 15), ("B", "S", 5)]
    assert (answer.proven, answer.complete, answer.lower_bound, answer.fewest_possible) == (True, True, 2, 2)


@pytest.mark.parametrize(
    ("quantity", "max_splits", "outcome", "routes", "fewest", "short"),
    [
        (20, 0, RoutingOutcome.SPLIT_LIMIT, [], 2, ()),
        (25, None, RoutingOutcome.ROUTED, ["AC"], 2, ()),
        (30, 1, RoutingOutcome.SPLIT_LIMIT, [], 3, ()),
        (30, 2, RoutingOutcome.ROUTED, ["ABC"], 3, ()),
        (31, None, RoutingOutcome.NO_STOCK, [], None, (Short(sku="S", quantity=1),)),
        (15, None, RoutingOutcome.ROUTED, ["C"], 1, ()),
    ],
)
def test_g1_further_checks(
    *,
    quantity: int,
    max_splits: int | None,
    outcome: RoutingOutcome,
    routes: list[str],
    fewest: int | None,
    short: tuple[Short, ...],
) -> None:
    """Every answer says why: how many locations it would take, or what is short."""
    answer = ask(quantity, G1, max_splits=max_splits)

    assert (answer.outcome, sets(answer), answer.fewest_possible, answer.short) == (outcome, routes, fewest, short)
    assert answer.proven


def test_g2_the_nearest_set_comes_first() -> None:
    """Mean distances 90 and 70: {B, C} is rank 1 and sends 15 + 5."""
    answer = ask(20, G1, km={"A": 120.0, "B": 80.0, "C": 60.0})

    assert [("".join(route.locations), route.average_km) for route in answer.routes] == [("BC", 70.0), ("AC", 90.0)]
    assert plan(answer) == [("C", "S", 15), ("B", "S", 5)]


def test_an_unknown_distance_ranks_last() -> None:
    """A set with a location of unknown position comes after all others, however near the rest is."""
    answer = ask(20, G1, km={"A": 1.0, "B": None, "C": 60.0})

    assert [(route.locations, route.average_km) for route in answer.routes] == [(("A", "C"), 30.5), (("B", "C"), None)]


def test_g3_several_skus() -> None:
    """X 3 and Y 2: {L1, L2}, {L2, L3}, {L3, L4}; with L5 that has both, only {L5}."""
    stock: dict[str, dict[str, int] | int] = {
        "L1": {"X": 5},
        "L2": {"Y": 4},
        "L3": {"X": 3, "Y": 1},
        "L4": {"X": 1, "Y": 1},
    }

    pairs = ask({"X": 3, "Y": 2}, stock)
    single = ask({"X": 3, "Y": 2}, {**stock, "L5": {"X": 3, "Y": 2}})

    assert sets(pairs) == ["L1L2", "L2L3", "L3L4"]
    assert plan(pairs, 1) == [("L3", "X", 3), ("L2", "Y", 2)]
    assert plan(pairs, 2) == [("L3", "X", 3), ("L3", "Y", 1), ("L4", "Y", 1)]
    assert sets(single) == ["L5"]


def test_g4_split_limit() -> None:
    """Four locations of 5 for 20: two splits are too few, and that is no lack of stock; three give the one route."""
    stock: dict[str, dict[str, int] | int] = dict.fromkeys("ABCD", 5)

    limited = ask(20, stock, max_splits=2)
    enough = ask(20, stock, max_splits=3)

    assert (limited.outcome, limited.routes, limited.fewest_possible) == (RoutingOutcome.SPLIT_LIMIT, (), 4)
    assert limited.short == ()
    assert sets(enough) == ["ABCD"]


def test_g22_reroute_to_the_nearest_single_location() -> None:
    """A (20 km) has 10 at once; without A, C (60 km) comes before B (80 km) for the 4 that A rejected."""
    km: dict[str, float | None] = {"A": 20.0, "B": 80.0, "C": 60.0}

    assert sets(ask(10, G1, km=km)) == ["A", "C"]
    assert sets(ask(4, {"B": 5, "C": 15}, km=km)) == ["C", "B"]


def test_no_location_at_all() -> None:
    """Without candidates the reason is that none is eligible, not that stock is short."""
    answer = ask(1, {})

    assert (answer.outcome, answer.short, answer.routes) == (RoutingOutcome.NO_ELIGIBLE_LOCATION, (), ())


def test_equal_stock_goes_by_distance_then_id() -> None:
    """Within a SKU equal inventories go to the nearer location, and at the same distance to the smaller id (6a)."""
    near = ask(15, {"A": 10, "B": 10}, km={"A": 5.0, "B": 4.0})
    even = ask(15, {"B": 10, "A": 10}, km={"A": 5.0, "B": 5.0})

    assert plan(near) == [("B", "S", 10), ("A", "S", 5)]
    assert plan(even) == [("A", "S", 10), ("B", "S", 5)]


def test_most_inventory_counts_more_than_nearness() -> None:
    """X 4 is sent by B, which has 9 of it, and not by A, which is nearer and has 6: what is left over counts (6a)."""
    answer = ask({"X": 4, "Y": 2}, {"A": {"X": 6, "Y": 1}, "B": {"X": 9, "Y": 1}}, km={"A": 1.0, "B": 2.0})

    assert plan(answer) == [("B", "X", 4), ("A", "Y", 1), ("B", "Y", 1)]


def test_only_the_best_alternatives_are_returned() -> None:
    """Of 190 equally small sets as many as asked for come back, the nearest first, and none is missing among them."""
    stock: dict[str, dict[str, int] | int] = {f"L{n:02}": 1 for n in range(20)}
    km: dict[str, float | None] = {f"L{n:02}": float(20 - n) for n in range(20)}

    answer = ask(2, stock, km=km, alternatives=3)

    assert sets(answer) == ["L18L19", "L17L19", "L16L19"]
    assert [route.rank for route in answer.routes] == [1, 2, 3]
    assert answer.complete


def test_ids_decide_where_nothing_else_does() -> None:
    """Of 15,504 equal ways to take 5 of 20 the one with the first ids is best, then those that differ at the end."""
    answer = ask(5, {f"L{n:02}": 1 for n in range(20)}, alternatives=3)

    assert [route.locations[-2:] for route in answer.routes] == [("L03", "L04"), ("L03", "L05"), ("L03", "L06")]
    assert (answer.complete, answer.proven) == (True, True)


def test_a_search_that_is_given_up_keeps_the_best_found() -> None:
    """Out of nodes the best route found is returned with what is known: at least so many, at most so many."""
    demand = {f"S{n}": 10 for n in range(12)}
    stock: dict[str, dict[str, int] | int] = {
        f"L{place:02}": {f"S{n}": (place * 7 + n * 5) % 11 % 6 for n in range(12)} for place in range(30)
    }

    answer = ask(demand, stock, max_nodes=4)
    limited = ask(demand, stock, max_nodes=4, max_splits=1 if answer.lower_bound == 2 else 2)

    assert answer.outcome is RoutingOutcome.ROUTED
    assert (answer.proven, answer.complete) == (False, False)
    assert answer.lower_bound is not None
    assert answer.fewest_possible is not None
    assert answer.lower_bound < answer.fewest_possible == len(answer.routes[0].locations)
    assert limited.routes == ()
    assert limited.outcome in {RoutingOutcome.NOT_PROVEN, RoutingOutcome.SPLIT_LIMIT}


def test_a_search_whose_time_is_over_says_how_far_it_got() -> None:
    """The clock is the asker's. Late from the beginning, the first answer is returned with its bound, and no proof."""
    question = RoutingQuestion(
        demand={f"S{n}": 10 for n in range(12)},
        locations=tuple(
            Candidate(
                location=f"L{place:02}",
                distance_km=float(place * 37 % 30),
                stock={f"S{n}": (place * 7 + n * 5) % 11 % 6 for n in range(12)},
            )
            for place in range(30)
        ),
        seconds=1.5,
    )
    looks = count(1)

    late = find_routes(question, lambda: float(next(looks)) + 1)
    in_time = find_routes(question, lambda: 0.0)

    assert late.outcome is RoutingOutcome.ROUTED
    assert (late.proven, late.complete) == (False, False)
    assert late.lower_bound is not None
    assert late.fewest_possible is not None
    assert late.lower_bound <= len(in_time.routes[0].locations) <= late.fewest_possible
    assert late.seconds > question.seconds
    assert late.nodes < in_time.nodes
    assert (in_time.proven, in_time.complete, in_time.seconds) == (True, True, 0.0)


def test_no_location_counts_twice() -> None:
    """A location that helps most does not help again: all three are needed."""
    answer = ask({"X": 2, "Y": 2}, {"L0": {"X": 1}, "L1": {"Y": 1}, "L2": {"X": 1, "Y": 1}})

    assert sets(answer) == ["L0L1L2"]
    assert plan(answer) == [("L0", "X", 1), ("L2", "X", 1), ("L1", "Y", 1), ("L2", "Y", 1)]


def ranked(stock: dict[str, int], need: int) -> RoutingAnswer:
    """Ask for *need* of ``S`` by the priority of locations alone, which is that of their ids."""
    return find_routes(
        RoutingQuestion(
            demand={"S": need},
            locations=tuple(
                Candidate(location=location, stock={"S": held}, costs=(Cost(per_unit=rank),))
                for rank, (location, held) in enumerate(sorted(stock.items()), 1)
            ),
            objectives=("priority",),
        )
    )


def test_priority_alone_drains_the_first_locations() -> None:
    """A 2, B 4, C 5, need 5: by priority alone A gives 2 and B 3, though C could give all."""
    answer = ranked({"A": 2, "B": 4, "C": 5}, 5)

    assert plan(answer) == [("A", "S", 2), ("B", "S", 3)]
    assert answer.objectives == (Objective(name="priority", value=8),)
    assert answer.proven


@pytest.mark.parametrize(("held", "shipments"), [(3, 2), (2, 3)])
def test_no_more_shipments_than_it_takes(held: int, shipments: int) -> None:
    """Three locations with 3 each give 5 in two shipments, with 2 each in three."""
    answer = ask(5, dict.fromkeys("ABC", held))

    assert answer.objectives == (Objective(name="fewest_splits", value=shipments),)
    assert len({each.location for each in answer.routes[0].plan}) == shipments
    assert sum(each.quantity for each in answer.routes[0].plan) == 5


def test_a_partial_route_sends_the_most_units_the_limit_allows() -> None:
    """One location may send: it is the one with 7 of 10 units, though it is farthest, and 3 are short."""
    answer = ask(
        {"X": 5, "Y": 5},
        {"A": {"X": 5}, "B": {"X": 3, "Y": 4}, "C": {"Y": 5}},
        max_splits=0,
        km={"A": 1.0, "B": 9.0, "C": 1.0},
        partial=True,
    )

    assert answer.outcome is RoutingOutcome.ROUTED
    assert plan(answer) == [("B", "X", 3), ("B", "Y", 4)]
    assert answer.short == (Short(sku="X", quantity=2), Short(sku="Y", quantity=1))


def test_a_partial_route_takes_what_there_is() -> None:
    """Of 5 demanded 4 are there, in two locations: both send, 1 is short; where nothing is there nothing is routed."""
    some = ask(5, {"A": 3, "B": 1}, partial=True)
    none = ask(5, {"A": 0}, partial=True)

    assert plan(some) == [("A", "S", 3), ("B", "S", 1)]
    assert some.short == (Short(sku="S", quantity=1),)
    assert (none.outcome, none.routes, none.short) == (RoutingOutcome.NO_STOCK, (), (Short(sku="S", quantity=5),))


def test_of_equal_priority_the_fewest_locations_send() -> None:
    """Priority 1 gives all of its 2 in any case; of four with priority 2, one that has the other 4 is enough."""
    rank = {"A": 1, "B": 2, "C": 2, "D": 2, "E": 3}
    answer = find_routes(
        RoutingQuestion(
            demand={"S": 6},
            locations=tuple(
                Candidate(location=location, stock={"S": held}, costs=(Cost(per_unit=rank[location]),))
                for location, held in {"A": 2, "B": 2, "C": 2, "D": 4, "E": 9}.items()
            ),
            objectives=("priority",),
        )
    )

    assert plan(answer) == [("A", "S", 2), ("D", "S", 4)]
    assert answer.objectives == (Objective(name="priority", value=10),)
    assert (answer.proven, answer.lower_bound, answer.fewest_possible) == (True, 1, 1)
    assert sets(answer) == ["AD", "BD", "CD", "AE", "DE", "BE", "CE"]

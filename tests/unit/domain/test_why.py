"""Why a routing attempt came to what it came to: the exact words for each outcome and for each location's fate."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from orderloom.domain.eligibility import Fate, LocationFacts, OrderFacts, fates
from orderloom.domain.geo import Position
from orderloom.domain.parts import Part, RoutedPart, without_choice
from orderloom.domain.routing import Candidate, Cost, RoutingAnswer, RoutingOutcome, RoutingQuestion, Short
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.solver import find_routes
from orderloom.domain.why import PartTold, Rank, tell_part

KM_PER_DEGREE = 111.319490793
"""Along the equator."""


def place(id: str, units: int | dict[str, int] = 0, *, km: float | None = None, **more: Any) -> LocationFacts:
    """Return a location with *units* of S, due east of the destination."""
    position = None if km is None else Position(latitude=0, longitude=km / KM_PER_DEGREE)
    stock = units if isinstance(units, dict) else {"S": units} if units else {}
    return LocationFacts(id=id, stock=stock, position=position, **{"country": "GB", **more})


A, B, C = place("A", 10, km=120), place("B", 5, km=80), place("C", 15, km=60)
G1 = (A, B, C)


def tell(
    policy: Mapping[str, Any],
    demand: int | dict[str, int],
    *locations: LocationFacts,
    carried_out: bool = True,
    **question: Any,
) -> PartTold:
    """Route *demand* (of S) by a policy, and tell why it came to what it came to."""
    wanted = demand if isinstance(demand, dict) else {"S": demand}
    made = RoutingPolicy.model_validate(policy)
    order = OrderFacts(
        now=datetime(2026, 3, 2, 9, tzinfo=UTC),
        channel="web",
        country="GB",
        position=Position(latitude=0, longitude=0),
        value=1_000,
        skus=tuple(wanted),
    )
    found = fates(made, order, locations, lambda *_: True)
    candidates = tuple(
        Candidate(
            location=fate.location,
            distance_km=fate.distance_km,
            stock=facts.stock,
            costs=tuple(Cost(opening=each.opening, per_unit=each.per_unit) for each in fate.charges),
        )
        for facts, fate in zip(locations, found, strict=True)
        if fate.eligible
    )
    asked = RoutingQuestion(demand=wanted, locations=candidates, objectives=made.objectives, **question)
    part = RoutedPart(
        delivery_group="1",
        kind="warehouse",
        demand=wanted,
        answer=find_routes(asked),
        max_splits=asked.max_splits,
    )
    stock = {each.id: each.stock for each in locations}
    return tell_part(part, found, stock, carried_out=carried_out, currency="EUR")


def words(told: PartTold) -> dict[str, str]:
    """Return the locations' words, in their order."""
    return {each.location: each.words for each in told.locations}


def test_a_route_that_wins_at_an_objective() -> None:
    """Reference G2: two locations are needed, and distance decides between the pairs that can."""
    told = tell(
        {"objectives": ["fewest_splits", "distance"], "eligible": {"countries": ["GB"]}},
        20,
        *G1,
        place("D", 50, km=1, country="AT"),
        place("E", 1, km=300),
        place("F", 9, turned_down=True),
        place("G", km=5),
    )

    assert told.heading == "Delivery group 1, sent from stock: 20 S"
    assert told.verdict == "Goes from B (5 S) and C (15 S)."
    assert told.reasons == (
        "No single location can send it all: 2 are proven to be the fewest.",
        "It wins over A + C at distance: 140 km against 180 km.",
    )
    assert words(told) == {
        "C": "sends 15 S",
        "B": "sends 5 S",
        "A": "would do with C: loses at distance: 180 km against 140 km",
        "E": "no 2 locations with it can send it all",
        "D": "may not send: it is in AT, and only GB may send",
        "G": "may not send: it has nothing of what is wanted",
        "F": "may not send: it turned down units of this order",
    }
    assert (told.sends, told.short, told.locations[0].sends) == ({"S": 20}, {}, {"S": 15})
    assert [each.removed_by for each in told.locations[4:]] == ["countries", "stock", "rejected"]
    assert told.locations[2].ranks == (
        Rank(objective="fewest_splits", rank=1, opening=1, per_unit=0),
        Rank(objective="distance", rank=3, opening=120_000, per_unit=0),
    )


def test_where_objectives_do_not_decide_the_tie_is_told() -> None:
    """With fewest splits alone the nearer pair is taken, and the words say that nothing else decided."""
    told = tell({}, 20, *G1)

    assert told.reasons == (
        "No single location can send it all: 2 are proven to be the fewest.",
        "A + C is as good at every objective, but farther on average: 90.0 km against 70.0 km.",
    )
    assert (
        words(told)["A"] == "would do with C: equal at every objective, but farther on average: 90.0 km against 70.0 km"
    )


def test_where_nothing_decides_names_do() -> None:
    """Equal locations without a distance are taken by name."""
    told = tell({}, 3, place("A", 3), place("B", 3))

    assert told.reasons == ("B is as good in everything; this one comes first by name.",)
    assert words(told) == {"A": "sends 3 S", "B": "would do alone: equal in everything, and later by name"}


def test_one_location_that_has_it_all() -> None:
    """The only one that can needs no comparison; of the others it is told what they lack."""
    told = tell({}, 12, *G1)

    assert told.verdict == "Goes from C (12 S)."
    assert told.reasons == ("No other location alone can send it all.",)
    assert words(told) == {"C": "sends 12 S", "B": "has too little alone: 5 S", "A": "has too little alone: 10 S"}


def test_too_little_stock() -> None:
    """It is told what is missing, of how much, and what each location could have sent."""
    told = tell({}, {"S": 40, "T": 1}, *G1)

    assert (told.outcome, told.sends) == (RoutingOutcome.NO_STOCK, {})
    assert told.verdict == "Nothing goes out: 10 S, 1 T are missing."
    assert told.reasons == (
        "S: all locations that may send have 30 of 40.",
        "T: all locations that may send have 0 of 1.",
    )
    assert words(told) == {"C": "could send 15 S", "B": "could send 5 S", "A": "could send 10 S"}


def test_stock_that_is_promised_to_others() -> None:
    """What is there and promised is not told as missing stock."""
    part = RoutedPart(
        delivery_group="1",
        kind="warehouse",
        demand={"S": 3},
        answer=RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=(Short(sku="S", quantity=1),)),
        withheld={"S": 1},
    )

    told = tell_part(part, (Fate(location="A", eligible=True),), {"A": {"S": 10}}, carried_out=False, currency="EUR")

    assert told.verdict == "Nothing goes out: 1 S is missing."
    assert told.reasons == ("S: 1 of 3 is promised to other orders.",)
    assert words(told) == {"A": "could send 3 S"}


def test_more_locations_than_the_policy_allows() -> None:
    """The smallest number that would do is told, with the limit and the proof."""
    told = tell({}, 20, *(place(name, 5) for name in "ABCD"), max_splits=2)

    assert told.outcome is RoutingOutcome.SPLIT_LIMIT
    assert told.verdict == "Nothing goes out: it takes at least 4 locations, and the policy allows 3 (2 splits)."
    assert told.reasons == ("4 locations would do, which is proven to be the fewest.",)
    assert set(words(told).values()) == {"could send 5 S"}


def test_no_location_that_may_send() -> None:
    """Each location is told with the rule that keeps it out."""
    told = tell({"eligible": {"countries": ["FR"], "exclude": ["C"]}}, 1, A, C, place("F", 9, turned_down=True))

    assert told.outcome is RoutingOutcome.NO_ELIGIBLE_LOCATION
    assert (told.verdict, told.reasons) == ("Nothing goes out: no location may send it.", ())
    assert words(told) == {
        "C": "may not send: the policy excludes it",
        "A": "may not send: it is in GB, and only FR may send",
        "F": "may not send: it turned down units of this order",
    }


def test_a_part_goes_out() -> None:
    """What goes and what waits is told, and whether stock or the split limit is in the way."""
    short = tell({}, 31, *G1, partial=True)
    limited = tell({}, 30, *G1, partial=True, max_splits=1)

    assert short.verdict == "Goes in part, from A (10 S), B (5 S) and C (15 S); 1 S is missing and will wait."
    assert short.reasons == (
        "S: all locations that may send have 30 of 31.",
        "No other 3 locations can send as much.",
    )
    assert limited.verdict == "Goes in part, from A (10 S) and C (15 S); 5 S are missing and will wait."
    assert limited.reasons == (
        "S: 30 are there, but 2 locations at most may send.",
        "No other 2 locations can send as much.",
    )
    assert words(limited)["B"] == "no 2 locations with it can send as much"


def test_a_part_from_one_location() -> None:
    """With a single shipment allowed, the others are told with what they could send instead."""
    told = tell({}, 31, *G1, partial=True, max_splits=0)

    assert told.verdict == "Goes in part, from C (15 S); 16 S are missing and will wait."
    assert words(told) == {"C": "sends 15 S", "B": "could send less: 5 S", "A": "could send less: 10 S"}


def test_what_is_picked_up_is_compared_with_nothing() -> None:
    """The store is the only one that is asked: that no other can is no reason."""
    answer = find_routes(RoutingQuestion(demand={"S": 2}, locations=(Candidate(location="A", stock={"S": 10}),)))
    part = RoutedPart(delivery_group="1", kind="pickup", place="A", demand={"S": 2}, answer=answer)

    told = tell_part(part, (Fate(location="A", eligible=True),), {"A": {"S": 10}}, carried_out=True, currency="EUR")

    assert told.heading == "Delivery group 1, picked up at A: 2 S"
    assert (told.verdict, told.reasons, words(told)) == ("Goes from A (2 S).", (), {"A": "sends 2 S"})


def test_an_order_that_ships_complete() -> None:
    """A part that could go is told so, and why it does not."""
    told = tell({}, 12, *G1, carried_out=False)

    assert (
        told.verdict == "Could go from C (12 S), but nothing does: the order ships complete, and another part cannot."
    )
    assert told.sends == {}


@pytest.mark.parametrize(
    ("part", "available", "heading", "verdict"),
    [
        pytest.param(
            {"kind": "digital"},
            True,
            "Delivery group 1, delivered as data: 2 S",
            "Goes out without stock or location.",
            id="digital",
        ),
        pytest.param(
            {"kind": "dropship", "place": "maker"},
            True,
            "Delivery group 1, sent by supplier maker: 2 S",
            "Goes from maker (2 S).",
            id="supplier",
        ),
        pytest.param(
            {"kind": "dropship", "place": "maker"},
            False,
            "Delivery group 1, sent by supplier maker: 2 S",
            "Nothing goes out: its supplier is closed, or has turned this order down.",
            id="supplier that refused",
        ),
    ],
)
def test_what_has_no_choice(part: dict[str, Any], available: bool, heading: str, verdict: str) -> None:
    """Digital and drop-shipped items are told without locations and reasons."""
    routed = without_choice(Part(delivery_group="1", demand={"S": 2}, **part), available=available)

    told = tell_part(routed, (), {}, carried_out=True, currency="EUR")

    assert (told.heading, told.verdict, told.reasons, told.locations) == (heading, verdict, (), ())


def test_costs_are_told_in_their_units() -> None:
    """Money comes in the order's currency, carbon in kilograms, priority in points."""

    def priced(fixed: int, grams: float, priority: int) -> dict[str, Any]:
        return {
            "shipping": {"fixed": fixed},
            "carbon": {"grams_per_unit_km": grams},
            "priority": priority,
        }

    near, far = place("near", 5, km=10, traits=priced(900, 20, 7)), place("far", 5, km=100, traits=priced(450, 9, 3))

    assert tell({"objectives": ["shipping_cost"]}, 5, near, far).reasons == (
        "It wins over near at shipping cost: 4.50 EUR against 9.00 EUR.",
    )
    assert tell({"objectives": ["carbon"]}, 5, near, far).reasons == (
        "It wins over far at carbon: 1.0 kg against 4.5 kg.",
    )
    assert tell({"objectives": ["priority"]}, 5, near, far).reasons == (
        "It wins over near at priority: 15 points against 35 points.",
    )
    assert tell({"objectives": ["distance"]}, 5, near, place("B", 5)).reasons == (
        "It wins over B at distance: 10.0 km against a distance that is not known.",
    )

"""Which locations a routing policy lets send, which rule keeps the others out, and what each would cost."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.calendar import Weekday
from orderloom.domain.eligibility import UNKNOWN_METRES, Charge, Fate, LocationFacts, OrderFacts, fates
from orderloom.domain.geo import Position
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy

MONDAY = datetime(2026, 3, 2, 16, tzinfo=UTC)
ORDER = OrderFacts(
    now=MONDAY, channel="web", country="AT", position=Position(latitude=48.2, longitude=16.4), value=5_000, skus=("S",)
)


def _location(**more: Any) -> LocationFacts:
    return LocationFacts.model_validate({"id": "A", "country": "AT", "stock": {"S": 3}, **more})


def _never(text: str, order: JsonObject, location: JsonObject) -> bool:
    return text != "never"


def _fate(rules: JsonObject, location: LocationFacts, order: OrderFacts = ORDER) -> Fate:
    policy = RoutingPolicy.model_validate({"eligible": rules})
    [fate] = fates(policy, order, [location], _never)
    return fate


@pytest.mark.parametrize(
    ("rules", "location", "removed_by", "why"),
    [
        ({}, {"turned_down": True}, "rejected", "it turned down units of this order"),
        ({"types": ["store"]}, {}, "types", "it is a warehouse, and only store may send"),
        ({"countries": "destination"}, {"country": "DE"}, "countries", "it is in DE, and the goods go to AT"),
        ({"countries": ["AT", "CH"]}, {"country": "DE"}, "countries", "it is in DE, and only AT, CH may send"),
        ({"groups": ["north"]}, {"groups": ["all"]}, "groups", "it is in none of the groups north"),
        ({"exclude": ["A"]}, {}, "exclude", "the policy excludes it"),
        ({"ship_from": {"AT": ["B"]}}, {}, "ship_from", "only B may send to AT"),
        ({"holidays": True}, {"traits": {"holidays": ["2026-03-02"]}}, "holidays", "it does not work on 2026-03-02"),
        ({"holidays": True}, {"traits": {"closed": ["monday"]}}, "holidays", "it does not work on 2026-03-02"),
        ({"cut_off": True}, {"traits": {"cut_off": "15:30"}}, "cut_off", "its cut-off at 15:30 has passed"),
        ({}, {"capacity_left": 0}, "capacity", "it can take no more fulfillment orders on 2026-03-02"),
        (
            {}, {"capacity_left": 0, "traits": {"cut_off": "15:30"}},
            "capacity", "it can take no more fulfillment orders on 2026-03-03",
        ),
        ({}, {"stock": {"S": 0}}, "stock", "it has nothing of what is wanted"),
        ({"when": "never"}, {}, "when", "it does not meet never"),
    ],
)  # fmt: skip
def test_each_rule_says_why_it_keeps_a_location_out(
    rules: JsonObject, location: JsonObject, removed_by: str, why: str
) -> None:
    """The rule by the name that the policy has for it, and the reason in words; nothing is charged."""
    fate = _fate(rules, _location(**location))

    assert (fate.eligible, fate.removed_by, fate.why, fate.charges) == (False, removed_by, why, ())


@pytest.mark.parametrize(
    ("rules", "location"),
    [
        ({"types": ["warehouse"], "countries": "destination", "when": "always"}, {}),
        ({"countries": ["DE"]}, {"country": "DE"}),
        ({"groups": ["north", "all"]}, {"groups": ["all"]}),
        ({"ship_from": {"DE": ["B"]}}, {}),
        ({"ship_from": {"AT": ["A"]}}, {}),
        ({"holidays": True}, {"traits": {"closed": ["sunday"]}}),
        ({"cut_off": True}, {"traits": {"cut_off": "16:01"}}),
        ({}, {"traits": {"holidays": ["2026-03-02"], "cut_off": "08:00"}}),
        ({"capacity": False}, {"capacity_left": 0}),
        ({}, {"capacity_left": 1}),
    ],
)
def test_what_no_rule_keeps_out_is_eligible(rules: JsonObject, location: JsonObject) -> None:
    """Each rule lets pass what it is not about."""
    assert _fate(rules, _location(**location)).eligible


def test_the_day_is_the_locations_own() -> None:
    """At 16:00 UTC it is Tuesday in Auckland already."""
    traits = LocationTraits(time_zone="Pacific/Auckland", holidays=(date(2026, 3, 3),))

    assert _fate({"holidays": True}, _location(traits=traits)).why == "it does not work on 2026-03-03"
    assert _fate({"holidays": True}, _location(traits=LocationTraits(closed=(Weekday.TUESDAY,)))).eligible


def test_objectives_are_charged_in_their_order() -> None:
    """Metres, minor units, grams, scarcity, rank and rejections are whole numbers, once or for each unit."""
    near = _location(
        position={"latitude": 48.2, "longitude": 17.4},
        traits={
            "priority": 7,
            "shipping": {"fixed": 300, "per_unit": 20, "per_km": 1.5},
            "carbon": {"grams_per_unit_km": 0.5},
        },
        rejections=0.25,
    )
    far = LocationFacts(id="B", country="AT", stock={"S": 1})
    policy = RoutingPolicy(
        objectives=(
            "fewest_splits", "distance", "shipping_cost", "carbon", "stock_balance", "priority", "rejections"
        )
    )  # fmt: skip

    found = fates(policy, ORDER, [near, far], _never)

    charges = {fate.location: [(it.opening, it.per_unit) for it in fate.charges] for fate in found}
    # A degree of longitude at 48.2 degrees north is 74,336 m long on the ellipsoid.
    assert charges == {
        "A": [(1, 0), (74_336, 0), (412, 20), (0, 37), (0, 2_500), (0, 7), (250, 0)],
        "B": [(1, 0), (UNKNOWN_METRES, 0), (0, 0), (0, 0), (0, 7_500), (0, 100), (0, 0)],
    }


def test_a_place_that_is_not_known_is_never_near() -> None:
    """By cost and carbon it counts as farther than anything, where either goes by distance."""
    traits = LocationTraits.model_validate({"shipping": {"per_km": 2}, "carbon": {"grams_per_unit_km": 0.5}})
    policy = RoutingPolicy(objectives=("shipping_cost", "carbon"))

    [fate] = fates(policy, ORDER, [_location(traits=traits)], _never)

    assert [(it.opening, it.per_unit) for it in fate.charges] == [(80_000, 0), (0, 20_000)]


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=6),
    st.permutations(["fewest_splits", "distance", "priority", "stock_balance"]),
)
def test_every_location_has_one_fate(stock: list[int], objectives: list[str]) -> None:
    """In the order given; it is eligible exactly if it has something, and is then charged for every objective."""
    locations = [LocationFacts(id=f"L{at}", country="AT", stock={"S": there}) for at, there in enumerate(stock)]
    policy = RoutingPolicy.model_validate({"objectives": objectives})

    found = fates(policy, ORDER, locations, _never)

    assert [it.location for it in found] == [it.id for it in locations]
    assert [it.eligible for it in found] == [there > 0 for there in stock]
    assert all([it.objective for it in fate.charges] == (objectives if fate.eligible else []) for fate in found)
    assert all(isinstance(charge, Charge) and charge.per_unit >= 0 for fate in found for charge in fate.charges)


@pytest.mark.parametrize(
    ("limit", "steps", "value", "expected"),
    [
        (None, [], 1, None),
        (3, [], 1, 3),
        (None, [(2_000, 0), (5_000, 1)], 1_999, 0),
        (None, [(2_000, 0), (5_000, 1)], 2_000, 1),
        (None, [(2_000, 0), (5_000, 1)], 5_000, None),
        (2, [(5_000, 4)], 100, 2),
        (2, [(5_000, 1)], 100, 1),
    ],
)
def test_cheap_orders_are_split_less(
    limit: int | None, steps: list[tuple[int, int]], value: int, expected: int | None
) -> None:
    """The first step above the value holds, and only if it is stricter than the limit for all."""
    policy = RoutingPolicy.model_validate(
        {"max_splits": limit, "by_value": [{"below": below, "max_splits": splits} for below, splits in steps]}
    )

    assert policy.splits_for(value) == expected

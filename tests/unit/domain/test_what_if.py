"""Figures of routes, what other stock would do, and a draft tried on what was seen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.errors import InvalidInput
from orderloom.domain.geo import Position
from orderloom.domain.locations import Carbon, LocationTraits, ShippingCost
from orderloom.domain.model import JsonObject
from orderloom.domain.parts import Part
from orderloom.domain.rejections import Rejection, RejectReason
from orderloom.domain.route_figures import Change, changes, figures
from orderloom.domain.router import attempt
from orderloom.domain.routing_policy import Eligibility, RoutingPolicy
from orderloom.domain.shadow import PastAttempt, Tally, shadow
from orderloom.domain.situation import Destination, Situation
from orderloom.domain.solver import find_routes
from orderloom.domain.what_if import trade_off, with_other_stock

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
FEWEST = RoutingPolicy(name="fewest")
CHEAP = RoutingPolicy(name="cheap", objectives=("shipping_cost", "fewest_splits"))


def holds(_condition: str, _order: JsonObject, _location: JsonObject) -> bool:
    return True


def location(id: str, stock: int, *, north: float, fixed: int = 0, per_unit: int = 0, **more: Any) -> LocationFacts:
    """Return a location *north* degrees (110.6 km each) of where the goods go."""
    traits = LocationTraits(shipping=ShippingCost(fixed=fixed, per_unit=per_unit), carbon=Carbon(grams_per_unit_km=2))
    position = Position(latitude=north, longitude=0)
    return LocationFacts(id=id, country="DE", position=position, traits=traits, stock={"S": stock}, **more)


def situation(need: int, *locations: LocationFacts, open: int = 0, free: int = 0) -> Situation:
    """Return a situation in which *need* units wait, *open* of them not reserved."""
    return Situation(
        now=NOW,
        channel="web",
        value=100,
        parts=(Part(delivery_group="1", kind="warehouse", demand={"S": need}),),
        destinations={"1": Destination(country="DE", position=Position(latitude=0, longitude=0))},
        open={"1": {"S": open}} if open else {},
        free={"S": free} if open else {},
        locations=locations,
    )


SEEN = situation(
    10,
    location("A", 10, north=1, fixed=900),
    location("B", 6, north=2, fixed=100, per_unit=5),
    location("C", 6, north=3, fixed=200),
)


def test_other_stock_is_stock_of_all_groups() -> None:
    """What another group can give changes with its locations, never below nothing; a group of none of them does not."""
    inside = [location(name, 6, north=1, groups=("all", "north")) for name in "AB"]
    seen = situation(10, *inside, location("C", 5, north=2, groups=("all", "south"))).model_copy(
        update={"limits": {"north": {"S": 6}, "south": {"S": 5}}}
    )

    assert with_other_stock(seen, {"A": {"S": 9}}, ()).limits == {"north": {"S": 9}, "south": {"S": 5}}
    assert with_other_stock(seen, {"B": {"S": 0}}, ("A",)).limits == {"north": {"S": 0}, "south": {"S": 5}}
    assert with_other_stock(seen, {}, ()) == seen


def test_figures_are_the_same_whatever_the_policy_looks_at() -> None:
    """Shipments, kilometres over the earth, cost by rates and grams by units and kilometres."""
    fewest = figures(SEEN, attempt(FEWEST, SEEN, holds, find_routes).routing)
    assert (fewest.locations, fewest.shipments, fewest.splits, fewest.units) == (("A",), 1, 0, 10)
    assert (fewest.km, fewest.cost, fewest.grams, fewest.unknown) == (110.6, 900, 10 * 221, 0)

    cheap = figures(SEEN, attempt(CHEAP, SEEN, holds, find_routes).routing)
    assert (cheap.locations, cheap.splits, cheap.units) == (("B", "C"), 1, 10)
    assert cheap.km == 552.9
    assert cheap.cost == 100 + 200 + 5 * 4  # the cheaper rate by the unit is taken first
    assert [one.figure for one in changes(fewest, cheap)] == ["splits", "shipments", "km", "cost", "grams"]
    assert changes(fewest, fewest) == ()


def test_a_route_that_is_none_comes_to_nothing() -> None:
    """All units wait on, and nothing is charged."""
    none = figures(
        SEEN,
        attempt(
            FEWEST.model_copy(update={"eligible": Eligibility(exclude=("A", "B", "C"))}), SEEN, holds, find_routes
        ).routing,
    )
    assert (none.outcome, none.units, none.missing, none.cost, none.km) == ("NO_ELIGIBLE_LOCATION", 0, 10, 0, 0.0)


def test_other_stock_and_fewer_locations() -> None:
    """What is given takes the place of what is there; locations left out are not asked; the rest stays."""
    other = with_other_stock(SEEN, {"C": {"S": 10}}, ["A"])
    assert [(each.id, each.stock) for each in other.locations] == [("B", {"S": 6}), ("C", {"S": 10})]
    routed = attempt(FEWEST, other, holds, find_routes).routing
    assert routed.locations == ["C"]
    assert with_other_stock(SEEN, {}, []) == SEEN


@given(st.integers(0, 30), st.integers(0, 30))
def test_what_the_group_can_promise_moves_with_its_locations(there: int, free: int) -> None:
    """Units that are not reserved can be routed from what would come in, and not from what would be gone."""
    seen = situation(5, location("A", 3, north=1), open=5, free=free)
    other = with_other_stock(seen, {"A": {"S": there}}, [])
    assert other.free == {"S": max(0, free + there - 3)}
    routed = attempt(FEWEST, other, holds, find_routes).routing
    assert (routed.outcome.value == "ROUTED") == (there >= 5 and free + there - 3 >= 5)


def test_what_is_not_there_cannot_be_otherwise() -> None:
    """A location that is not asked, or a SKU that nothing waits for: each is named with its place."""
    with pytest.raises(InvalidInput) as refused:
        with_other_stock(SEEN, {"Z": {"S": 1}, "A": {"T": 1}}, ["Y"])
    assert [each.pointer for each in refused.value.errors] == ["/without/0", "/stock/Z", "/stock/A/T"]


def test_the_trade_off_ends_where_a_higher_limit_changes_nothing() -> None:
    """The dear single shipment at limit 0, the cheap two from limit 1 on."""
    curve = trade_off(CHEAP, SEEN, 10, holds, find_routes)
    assert [(each.max_splits, each.figures.locations, each.figures.cost) for each in curve] == [
        (0, ("A",), 900),
        (1, ("B", "C"), 320),
        (2, ("B", "C"), 320),
    ]


def _past(policy: RoutingPolicy, number: int = 1, seen: Situation = SEEN) -> PastAttempt:
    routing = attempt(policy, seen, holds, find_routes).routing
    return PastAttempt(
        order="1",
        number=number,
        at=NOW,
        policy=policy.label,
        policy_hash=policy.hash,
        situation=seen,
        routing=routing,
    )


def test_a_draft_is_compared_with_what_was_or_would_have_been() -> None:
    """An attempt by the policy in force is taken as stored, one by another policy is tried with the one in force."""
    asked = 0

    def counting(question: Any) -> Any:
        nonlocal asked
        asked += 1
        return find_routes(question)

    as_it_was = shadow(FEWEST, CHEAP, _past(FEWEST), holds, counting)
    assert asked == 1
    anew = shadow(FEWEST, CHEAP, _past(CHEAP), holds, counting)
    assert asked == 3
    assert as_it_was == anew
    assert as_it_was.differs
    assert Change(figure="cost", before=900, after=320) in as_it_was.changes
    assert not shadow(FEWEST, FEWEST, _past(FEWEST), holds, find_routes).differs


def test_another_policy_of_the_same_name_is_not_the_one_that_was_followed() -> None:
    """An attempt counts as the active policy's only if that said the same; without a hash its name is believed."""
    renamed = CHEAP.model_copy(update={"name": FEWEST.name})
    past = _past(renamed)

    assert past.policy == FEWEST.label
    assert not past.followed(FEWEST)
    assert past.model_copy(update={"policy_hash": None}).followed(FEWEST)
    assert shadow(FEWEST, CHEAP, past, holds, find_routes) == shadow(FEWEST, CHEAP, _past(FEWEST), holds, find_routes)


def test_rejections_count_as_they_did_and_as_each_policy_weighs_them() -> None:
    """A draft that looks at rejections sees those of that time, though the attempt's own policy saw none."""
    looks = FEWEST.model_copy(update={"name": "looks", "objectives": ("fewest_splits", "rejections")})
    seen = situation(1, location("A", 5, north=1), location("B", 5, north=2))
    turned_down = Rejection(location="A", sku="S", reason=RejectReason.OUT_OF_STOCK, at=NOW - timedelta(days=7))
    past = _past(FEWEST, seen=seen).model_copy(update={"rejections": (turned_down,)})

    found = shadow(FEWEST, looks, past, holds, find_routes)

    assert (found.active.locations, found.draft.locations) == (("A",), ("B",))
    assert [each.rejections for each in past.seen_by(looks).locations] == [0.5, 0.0]
    assert past.seen_by(FEWEST) == seen


def test_sums_are_over_attempts_that_both_route() -> None:
    """One that only one policy routes counts as routed there, and is in no sum."""
    tally = Tally()
    strict = FEWEST.model_copy(update={"max_splits": 0})
    two = situation(12, *SEEN.locations)  # takes two locations
    tally.add(shadow(FEWEST, strict, _past(FEWEST), holds, find_routes))
    tally.add(shadow(FEWEST, strict, _past(FEWEST, 2, two), holds, find_routes))
    found = tally.totals()
    assert (found.attempts, found.differ, found.compared) == (2, 1, 1)
    assert (found.routed.active, found.routed.draft) == (2, 1)
    assert [(each.active, each.draft) for each in found.totals if each.figure == "units"] == [(10, 10)]

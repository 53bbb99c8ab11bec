"""Routing an order in parts: whatever is there and whatever the policy, nothing is sent twice or from nowhere."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.parts import Part
from orderloom.domain.router import Attempted, attempt
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Destination, Situation
from orderloom.domain.solver import find_routes

SKUS = ("X", "Y")
LOCATIONS = ("A", "B", "C", "D")
GROUPS = {"A": ("all", "west"), "B": ("all", "west"), "C": ("all", "east", "west"), "D": ("all", "east")}
quantities = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 6), min_size=1)


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Up to three delivery groups, sent or picked up, some with digital and drop-shipped items, over four locations."""
    parts: list[Part] = []
    destinations: dict[str, Destination] = {}
    open_: dict[str, dict[str, int]] = {}
    for group in "abc"[: draw(st.integers(1, 3))]:
        pickup = draw(st.none() | st.sampled_from(LOCATIONS))
        destinations[group] = Destination(country="GB", pickup=pickup)
        if draw(st.booleans()):
            parts.append(Part(delivery_group=group, kind="digital", demand={"BOOK": 1}))
        if draw(st.booleans()):
            parts.append(Part(delivery_group=group, kind="dropship", place="maker", demand={"SOFA": 1}))
        demand = draw(quantities)
        kind = "warehouse" if pickup is None else "pickup"
        parts.append(Part(delivery_group=group, kind=kind, place=pickup, demand=demand))
        open_[group] = {sku: draw(st.integers(0, wanted)) for sku, wanted in demand.items()}
    return Situation(
        now=datetime(2026, 3, 2, tzinfo=UTC),
        channel="web",
        value=1,
        complete=draw(st.booleans()),
        parts=tuple(parts),
        destinations=destinations,
        unavailable=draw(st.sampled_from([(), ("maker",)])),
        open=open_,
        free={sku: draw(st.integers(0, 9)) for sku in SKUS},
        locations=tuple(
            LocationFacts(
                id=name,
                country="GB",
                groups=GROUPS[name],
                stock=draw(st.dictionaries(st.sampled_from(SKUS), st.integers(1, 8))),
            )
            for name in LOCATIONS
        ),
        limits=draw(
            st.dictionaries(
                st.sampled_from(["east", "west"]), st.dictionaries(st.sampled_from(SKUS), st.integers(0, 12))
            )
        ),
    )


policies = st.fixed_dictionaries(
    {
        "max_splits": st.none() | st.integers(0, 3),
        "partial": st.booleans(),
        "objectives": st.sampled_from([["fewest_splits"], ["priority", "fewest_splits"], ["distance"]]),
    }
)


def tried(policy: dict[str, Any], situation: Situation) -> Attempted:
    """Return the attempt."""
    return attempt(RoutingPolicy.model_validate(policy), situation, lambda *_: True, find_routes)


@given(policies, situations())
@settings(max_examples=300, deadline=None)
def test_nothing_is_sent_that_is_not_there(policy: dict[str, Any], situation: Situation) -> None:
    """All parts together take no more than a location has, any group can give, and the own one has free."""
    taken: Counter[tuple[str, str]] = Counter()
    given: Counter[tuple[str, str]] = Counter()
    unreserved: Counter[str] = Counter()
    for part in tried(policy, situation).routing.parts:
        if not part.stocked:
            continue
        sent: Counter[str] = Counter()
        for each in part.plan:
            taken[each.location, each.sku] += each.quantity
            given.update({(group, each.sku): each.quantity for group in GROUPS[each.location]})
            sent[each.sku] += each.quantity
            assert part.place in {None, each.location}
        for sku, quantity in sent.items():
            reserved = part.demand[sku] - situation.open[part.delivery_group][sku]
            unreserved[sku] += max(0, quantity - reserved)

    there = {(each.id, sku): quantity for each in situation.locations for sku, quantity in each.stock.items()}
    assert all(quantity <= there[key] for key, quantity in taken.items())
    limits = {(group, sku): units for group, of in situation.limits.items() for sku, units in of.items()}
    assert {at: units for at, units in given.items() if units > limits.get(at, units)} == {}
    assert all(quantity <= situation.free[sku] for sku, quantity in unreserved.items())


@given(policies, situations())
@settings(max_examples=300, deadline=None)
def test_what_is_wanted_is_sent_or_short(policy: dict[str, Any], situation: Situation) -> None:
    """A part goes whole or not at all unless partial routing is allowed; then each unit is sent or told as short."""
    partial = policy["partial"] and not situation.complete

    for part in tried(policy, situation).routing.parts:
        sent: Counter[str] = Counter()
        for each in part.plan:
            sent[each.sku] += each.quantity
        short = Counter({each.sku: each.quantity for each in part.answer.short})
        assert part.whole == (dict(sent) == part.demand)
        assert part.whole or not part.plan or partial
        if part.plan:
            assert dict(sent + short) == part.demand


@given(policies, situations())
@settings(max_examples=300, deadline=None)
def test_limits_hold_for_the_order_as_a_whole(policy: dict[str, Any], situation: Situation) -> None:
    """Splits of all parts keep the limit, and an order that ships complete goes whole or not at all."""
    routing = tried(policy, situation).routing
    out = routing.carried_out

    assert policy["max_splits"] is None or routing.splits <= policy["max_splits"]
    assert (routing.outcome is RoutingOutcome.ROUTED) == (len(out) == len(routing.parts) == sum(it.whole for it in out))
    if situation.complete:
        assert out == () or routing.outcome is RoutingOutcome.ROUTED
    elif any(part.plan for part in routing.parts):
        assert out == tuple(part for part in routing.parts if part.plan)
    assert bool(out) == (routing.outcome in {RoutingOutcome.ROUTED, RoutingOutcome.PARTIALLY_ROUTED})

"""Routing together: whatever orders there are, nothing is promised twice, and nobody pays for another's luck."""

from collections import Counter
from datetime import UTC, datetime
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.parts import Part
from orderloom.domain.routing_policy import Eligibility, RoutingPolicy
from orderloom.domain.situation import Destination, Situation
from orderloom.domain.solver import find_routes
from orderloom.domain.waves import Member, Picture, Routed, route_together

SKUS = ("X", "Y")
PLACES = {"A": ("north", "all"), "B": ("south", "all"), "C": ("all",), "D": ("north", "south", "all")}
"""Locations, and the groups that they are in: an order of one group meets each other group at several locations."""


def _always(*_: object) -> bool:
    return True


@st.composite
def members(draw: st.DrawFn) -> list[Member]:
    """Up to six orders of three channels, some reserved at their group and some not, by policies of all kinds."""
    drawn: list[Member] = []
    for number in range(draw(st.integers(1, 6))):
        demand = draw(st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1))
        policy = RoutingPolicy(
            partial=draw(st.booleans()),
            max_splits=draw(st.sampled_from([None, 0, 1])),
            eligible=Eligibility(capacity=draw(st.booleans())),
        )
        situation = Situation(
            now=datetime(2026, 3, 2, tzinfo=UTC),
            channel="web",
            value=1,
            priority=draw(st.integers(0, 2)),
            parts=(Part(delivery_group="1", kind="warehouse", demand=dict(sorted(demand.items()))),),
            destinations={"1": Destination(country="GB")},
            open={"1": {sku: draw(st.integers(1, wanted)) for sku, wanted in demand.items() if draw(st.booleans())}},
        )
        group = draw(st.sampled_from(["north", "south", "all"]))
        drawn.append(Member(order=str(100_001 + number), group=group, policy=policy, situation=situation))
    return drawn


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    """Three locations in three groups, with less promised by the groups than is there, or all."""
    facts = {name: LocationFacts(id=name, country="GB", groups=tuple(sorted(of))) for name, of in PLACES.items()}
    stock = {name: {sku: draw(st.integers(0, 4)) for sku in SKUS} for name in PLACES}
    groups: dict[str, dict[str, int]] = {"north": {}, "south": {}, "all": {}}
    for group, promised in groups.items():
        for sku in SKUS:
            there = sum(stock[name][sku] for name, of in PLACES.items() if group in of)
            promised[sku] = draw(st.integers(0, there))
    return Picture(
        locations={group: tuple(facts[name] for name, of in PLACES.items() if group in of) for group in groups},
        stock=stock,
        groups=groups,
        room=draw(st.dictionaries(st.sampled_from(list(PLACES)), st.integers(0, 3))),
    )


def one_after_another(asked: list[Member]) -> list[Member]:
    """Return the orders in the same turn, but each of a priority of its own: nobody is there to exchange with."""
    ranked = sorted(asked, key=lambda each: each.rank)
    return [
        each.model_copy(update={"situation": each.situation.model_copy(update={"priority": -turn})})
        for turn, each in enumerate(ranked)
    ]


def _together(asked: list[Member], picture: Picture) -> list[Routed]:
    return route_together(asked, picture, _always, find_routes)


@settings(max_examples=150, deadline=None)
@given(members(), pictures())
def test_nothing_is_promised_twice(asked: list[Member], picture: Picture) -> None:
    """No location sends more than it has, no group promises more than it may, and no day takes more than it can."""
    routed = _together(asked, picture)

    assert sorted(each.order for each in routed) == sorted(each.order for each in asked)
    sent: Counter[tuple[str, str]] = Counter()
    promised: Counter[tuple[str, str]] = Counter()
    taken: Counter[str] = Counter()
    for each in routed:
        taken.update(each.asked)
        for units in each.held:
            sent[units.location, units.sku] += units.quantity
            for group in PLACES[units.location]:
                promised[group, units.sku] += units.own if group == each.group else units.quantity
    assert {at: count for at, count in sent.items() if count > picture.stock[at[0]][at[1]]} == {}
    assert {at: count for at, count in promised.items() if count > picture.groups[at[0]][at[1]]} == {}
    assert {place: count for place, count in taken.items() if count > picture.room.get(place, count)} == {}


@settings(max_examples=150, deadline=None)
@given(members(), pictures())
def test_what_is_held_is_what_goes_out(asked: list[Member], picture: Picture) -> None:
    """Every unit of a plan is held where the plan says, once; units beyond what is reserved are the order's own."""
    of = {each.order: each for each in asked}
    for each in _together(asked, picture):
        plan: Counter[tuple[str, str]] = Counter()
        for part in each.answer.routing.carried_out:
            plan.update({(it.location, it.sku): it.quantity for it in part.plan})
        assert {(it.location, it.sku): it.quantity for it in each.held} == dict(plan)
        situation = of[each.order].situation
        for sku, wanted in situation.parts[0].demand.items():
            out = sum(it.quantity for it in each.held if it.sku == sku)
            own = sum(it.own for it in each.held if it.sku == sku)
            assert own == max(0, out - (wanted - situation.open["1"].get(sku, 0)))


@settings(max_examples=150, deadline=None)
@given(members(), pictures())
def test_nobody_pays_for_a_lower_priority(asked: list[Member], picture: Picture) -> None:
    """The orders of the highest priority get the same, whether those of lower ones are there or not."""
    highest = max(each.situation.priority for each in asked)
    first = [each for each in asked if each.situation.priority == highest]

    alone, together = _together(first, picture), _together(asked, picture)

    assert together[: len(first)] == alone


@settings(max_examples=150, deadline=None)
@given(members(), pictures())
def test_no_pass_is_worse_than_one_after_another(asked: list[Member], picture: Picture) -> None:
    """Every order gets the units that it gets one after another; no priority, and so no pass, has more splits."""
    together, alone = _together(asked, picture), _together(one_after_another(asked), picture)

    assert [(each.order, each.sent) for each in together] == [(each.order, each.sent) for each in alone]
    ours, theirs = Counter[int](), Counter[int]()
    of = {each.order: each.situation.priority for each in asked}
    for now, then in zip(together, alone, strict=True):
        ours[of[now.order]] += now.answer.routing.splits
        theirs[of[then.order]] += then.answer.routing.splits
    assert ours <= theirs


@settings(max_examples=50, deadline=None)
@given(members(), pictures(), st.randoms(use_true_random=False))
def test_it_is_decided(asked: list[Member], picture: Picture, random: Random) -> None:
    """The same orders have the same answers, in whatever order they are read."""
    shuffled = random.sample(asked, len(asked))

    assert _together(shuffled, picture) == _together(asked, picture)

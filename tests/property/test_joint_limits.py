"""Routing where location groups can give only so much in all, against trying every set and every plan."""

from collections.abc import Iterator
from itertools import combinations, product
from operator import neg
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.benchmark.questions import FAMILIES, question
from orderloom.domain.limits import Limit, Offer, give, most
from orderloom.domain.routing import Candidate, Cost, JointLimit, RoutingOutcome, RoutingQuestion
from orderloom.domain.solver import find_routes

NAMES = ("fewest_splits", "cost", "rank")
SKUS = ("X", "Y")


@st.composite
def questions(draw: st.DrawFn) -> RoutingQuestion:
    """Up to five locations in up to three groups that may cross, by objectives in any order, in part partial."""
    objectives = tuple(draw(st.permutations(NAMES)))[: draw(st.integers(1, 3))]
    cost = st.builds(Cost, opening=st.integers(0, 3), per_unit=st.integers(0, 3))
    count = draw(st.integers(2, 5))
    names = [f"L{n}" for n in range(count)]
    stock = st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4))
    return RoutingQuestion(
        demand={sku: draw(st.integers(1, 6)) for sku in SKUS[: draw(st.integers(1, 2))]},
        locations=tuple(
            Candidate(location=name, stock=draw(stock), costs=tuple(draw(cost) for _ in objectives)) for name in names
        ),
        limits=tuple(
            JointLimit(
                group=f"G{n}",
                locations=tuple(draw(st.lists(st.sampled_from(names), min_size=2, unique=True))),
                most={sku: draw(st.integers(0, 5)) for sku in SKUS if draw(st.booleans())},
            )
            for n in range(draw(st.integers(1, 3)))
        ),
        objectives=objectives,
        max_splits=draw(st.none() | st.integers(0, 3)),
        partial=draw(st.booleans()),
        alternatives=draw(st.sampled_from([1, 3, 100])),
    )


def keeps(limits: tuple[JointLimit, ...], sku: str, sent: dict[str, int]) -> bool:
    """Return whether what each location sends of a SKU keeps all limits."""
    return all(
        sum(quantity for location, quantity in sent.items() if location in each.locations) <= each.most[sku]
        for each in limits
        if sku in each.most
    )


def alone_at(question: RoutingQuestion, sku: str, each: Candidate) -> int:
    """Return what a location can send of a SKU when no other one sends any."""
    limits = [it.most[sku] for it in question.limits if sku in it.most and each.location in it.locations]
    return min([each.stock.get(sku, 0), *limits])


def plan(question: RoutingQuestion, sku: str, chosen: tuple[Candidate, ...]) -> dict[str, int]:
    """Return what the *chosen* send of a SKU: as much as can be, as cheaply as can be, then in order of preference."""
    need = question.demand[sku]

    def prices(each: Candidate) -> tuple[int, ...]:
        costs = zip(question.objectives, each.costs, strict=True)
        return tuple(cost.per_unit for name, cost in costs if name != "fewest_splits")

    alone = {each.location: alone_at(question, sku, each) for each in chosen}
    ranked = sorted(chosen, key=lambda each: (prices(each), -alone[each.location], each.location))
    best: tuple[object, ...] | None = None
    found: dict[str, int] = {}
    for quantities in product(*(range(min(need, alone[each.location]) + 1) for each in ranked)):
        sent = {each.location: quantity for each, quantity in zip(ranked, quantities, strict=True)}
        if sum(quantities) > need or not keeps(question.limits, sku, sent):
            continue
        columns = zip(*(prices(each) for each in ranked), strict=True)
        cost = [sum(price * it for price, it in zip(column, quantities, strict=True)) for column in columns]
        key = (-sum(quantities), cost, tuple(map(neg, quantities)))
        if best is None or key < best:
            best, found = key, sent
    return found


type Ranked = tuple[int, tuple[int, ...], int, tuple[str, ...]]


def all_routes(question: RoutingQuestion, limit: int) -> Iterator[Ranked]:
    """Yield every route over at most *limit* locations: units short, the objectives' values, size, locations."""
    for size in range(1, limit + 1):
        for chosen in combinations(question.locations, size):
            plans = [plan(question, sku, chosen) for sku in question.demand]
            sent = {each.location: sum(it[each.location] for it in plans) for each in chosen}
            short = sum(question.demand.values()) - sum(sent.values())
            if all(sent.values()) and (question.partial or not short):
                yield short, _values(question, chosen, sent), size, tuple(sorted(sent))


def _values(question: RoutingQuestion, chosen: tuple[Candidate, ...], sent: dict[str, int]) -> tuple[int, ...]:
    return tuple(
        len(chosen)
        if name == "fewest_splits"
        else sum(each.costs[at].opening + each.costs[at].per_unit * sent[each.location] for each in chosen)
        for at, name in enumerate(question.objectives)
    )


@settings(max_examples=500)
@given(questions())
def test_the_best_routes_are_those_of_trying_everything(question: RoutingQuestion) -> None:
    """The routes and their ranks are those of trying everything; the fewest locations are proven, none is claimed."""
    limit = len(question.locations) if question.max_splits is None else question.max_splits + 1
    expected = sorted(all_routes(question, limit))
    whole = [each[2] for each in all_routes(question, len(question.locations)) if each[0] == 0]

    answer = find_routes(question)

    assert answer.proven
    assert (answer.outcome is RoutingOutcome.ROUTED) == bool(expected)
    if whole:
        assert answer.lower_bound == answer.fewest_possible == min(whole)
    if expected:
        expected = [each for each in expected if (each[0], each[2]) == (expected[0][0], expected[0][2])]
        assert answer.complete
        assert [(tuple(it.value for it in route.objectives), route.locations) for route in answer.routes] == [
            (each[1], each[3]) for each in expected[: question.alternatives]
        ]
        assert sum(short.quantity for short in answer.short) == expected[0][0]
    elif not whole:
        assert answer.outcome is RoutingOutcome.NO_STOCK
    else:
        assert answer.outcome is RoutingOutcome.SPLIT_LIMIT


@settings(max_examples=300)
@given(questions())
def test_no_plan_exceeds_a_limit(question: RoutingQuestion) -> None:
    """Every plan is the one that trying all finds; it keeps every limit and takes nothing that is not there."""
    by_id = {each.location: each for each in question.locations}
    for route in find_routes(question).routes:
        chosen = tuple(by_id[location] for location in route.locations)
        for sku in question.demand:
            sent = {each.location: each.quantity for each in route.plan if each.sku == sku}
            assert keeps(question.limits, sku, sent)
            assert sent == {location: units for location, units in plan(question, sku, chosen).items() if units}


@settings(max_examples=300)
@given(questions())
def test_what_limits_cost_is_a_true_number(question: RoutingQuestion) -> None:
    """Fewer locations are only told when so many would do without limits, and cannot with them."""
    answer = find_routes(question)

    if (fewest := answer.fewest_without_limits) is not None:
        free = find_routes(question.model_copy(update={"limits": (), "max_splits": None}))
        assert free.lower_bound is not None
        assert answer.lower_bound is not None
        assert free.lower_bound <= fewest < answer.lower_bound


@st.composite
def shared(draw: st.DrawFn) -> tuple[int, list[Offer], list[Limit]]:
    """Return what is wanted of up to six sources, the cheapest first, with up to four limits of any kind."""
    count = draw(st.integers(1, 6))
    prices = sorted(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    offers = [Offer(at, draw(st.integers(0, 3)), price) for at, price in enumerate(prices)]
    limits = st.builds(Limit, st.integers(1, (1 << count) - 1), st.integers(0, 4))
    return draw(st.integers(1, 9)), offers, draw(st.lists(limits, max_size=4))


@settings(max_examples=500)
@given(shared())
def test_as_much_is_given_as_can_be(asked: tuple[int, list[Offer], list[Limit]]) -> None:
    """The most, for the least, and the first gives most of it; as trying every quantity finds."""
    need, offers, limits = asked
    plans = (
        quantities
        for quantities in product(*(range(each.have + 1) for each in offers))
        if sum(quantities) <= need
        and all(
            sum(quantity for at, quantity in enumerate(quantities) if limit.sources >> at & 1) <= limit.most
            for limit in limits
        )
    )
    best = min(
        plans,
        key=lambda it: (
            -sum(it),
            sum(each.price * units for each, units in zip(offers, it, strict=True)),
            [-u for u in it],
        ),
    )

    found = give(need, offers, limits)

    assert found.certain
    assert found.quantities == {at: quantity for at, quantity in enumerate(best) if quantity}
    assert most(need, offers, limits) == (sum(best), True)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(5))
def test_limits_leave_a_search_short(family: str, seed: int) -> None:
    """Thirty locations and ten lines in three groups that cross: everything is certain after some hundred nodes."""
    asked, random = question(family, 30, 10, f"limits {seed}"), Random(seed)
    names = [each.location for each in asked.locations]
    limits = tuple(
        JointLimit(
            group=group,
            locations=tuple(random.sample(names, 10)),
            most={sku: random.randint(0, need) for sku, need in asked.demand.items()},
        )
        for group in ("east", "north", "west")
    )

    answer = find_routes(asked.model_copy(update={"limits": limits}))

    assert answer.proven
    assert answer.nodes < 1_000


def test_large_crossings_do_not_take_for_ever() -> None:
    """Five thousand units over twelve sources in six groups that all cross: some answer, and it keeps the limits."""
    offers = [Offer(at, 1_000, at % 5) for at in range(12)]
    offers.sort(key=lambda each: each.price)
    limits = [Limit(sum(1 << (at + step) % 12 for step in (0, 1, 2, 5)), 700 + at) for at in range(0, 12, 2)]

    found = give(5_000, offers, limits)

    for limit in limits:
        assert sum(units for source, units in found.quantities.items() if limit.sources >> source & 1) <= limit.most
    assert sum(found.quantities.values()) <= 5_000

"""Routing against trying everything."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain.routing import Candidate, Cost, RoutingOutcome, RoutingQuestion
from orderloom.domain.solver import find_routes


@st.composite
def questions(draw: st.DrawFn, *, max_nodes: int = 20_000) -> RoutingQuestion:
    """Up to seven locations and four SKUs, with all kinds of lack."""
    skus = [f"S{n}" for n in range(draw(st.integers(1, 4)))]
    stock = st.dictionaries(st.sampled_from(skus), st.integers(-1, 6))
    distance = st.none() | st.sampled_from([0.0, 10.0, 20.0, 33.3])
    candidates = [
        Candidate(location=f"L{n}", distance_km=draw(distance), stock=draw(stock))
        for n in range(draw(st.integers(0, 7)))
    ]
    return RoutingQuestion(
        demand={sku: draw(st.integers(1, 10)) for sku in skus},
        locations=tuple(draw(st.permutations(candidates))),
        max_splits=draw(st.none() | st.integers(0, 4)),
        alternatives=1_000,
        max_nodes=max_nodes,
    )


def covers(question: RoutingQuestion, locations: tuple[Candidate, ...]) -> bool:
    """Return whether the locations' stock together meets the demand."""
    return all(
        sum(max(0, candidate.stock.get(sku, 0)) for candidate in locations) >= quantity
        for sku, quantity in question.demand.items()
    )


def brute_force(question: RoutingQuestion) -> list[tuple[str, ...]]:
    """Return all sets of the smallest size that cover, whatever the split limit."""
    for size in range(1, len(question.locations) + 1):
        found = [
            tuple(sorted(candidate.location for candidate in chosen))
            for chosen in combinations(question.locations, size)
            if covers(question, chosen)
        ]
        if found:
            return sorted(found)
    return []


@settings(max_examples=300)
@given(questions())
def test_the_answer_is_that_of_trying_everything(question: RoutingQuestion) -> None:
    """All smallest sets are found, no other; the reason is right when there is none."""
    expected = brute_force(question)
    limit = len(question.locations) if question.max_splits is None else question.max_splits + 1

    answer = find_routes(question)

    assert answer.proven
    assert answer.complete
    if not question.locations:
        assert answer.outcome is RoutingOutcome.NO_ELIGIBLE_LOCATION
    elif not expected:
        assert answer.outcome is RoutingOutcome.NO_STOCK
        assert {short.sku for short in answer.short} == {
            sku for sku in question.demand if not covers(_only(question, sku), question.locations)
        }
    elif len(expected[0]) > limit:
        assert (answer.outcome, answer.routes) == (RoutingOutcome.SPLIT_LIMIT, ())
        assert answer.fewest_possible == len(expected[0])
    else:
        assert answer.outcome is RoutingOutcome.ROUTED
        assert sorted(route.locations for route in answer.routes) == expected
        assert answer.fewest_possible == answer.lower_bound == len(expected[0])


def _only(question: RoutingQuestion, sku: str) -> RoutingQuestion:
    return question.model_copy(update={"demand": {sku: question.demand[sku]}})


@given(questions())
def test_a_plan_is_exactly_the_demand_within_the_stock(question: RoutingQuestion) -> None:
    """Every route's plan sums to the demand, takes nothing that is not there, and uses each of its locations."""
    stock = {candidate.location: candidate.stock for candidate in question.locations}

    for route in find_routes(question).routes:
        planned = dict.fromkeys(question.demand, 0)
        for each in route.plan:
            planned[each.sku] += each.quantity
            assert 0 < each.quantity <= stock[each.location][each.sku]
        assert planned == question.demand
        assert {each.location for each in route.plan} == set(route.locations)
        assert len({(each.location, each.sku) for each in route.plan}) == len(route.plan)


@given(questions(), st.data())
def test_the_order_of_the_input_does_not_matter(question: RoutingQuestion, data: st.DataObject) -> None:
    """Shuffled locations and SKUs give the same answer; ranks go by distance, unknown ones last, then id."""
    shuffled = question.model_copy(
        update={
            "locations": tuple(data.draw(st.permutations(question.locations))),
            "demand": dict(data.draw(st.permutations(list(question.demand.items())))),
        }
    )

    answer = find_routes(question)

    assert find_routes(shuffled).routes == answer.routes
    km = {candidate.location: candidate.distance_km for candidate in question.locations}
    ranks = [
        (sum(km[each] is None for each in route.locations), sum(km[each] or 0 for each in route.locations), route)
        for route in answer.routes
    ]
    assert ranks == sorted(ranks, key=lambda rank: (rank[0], round(rank[1], 3), rank[2].locations))


@given(questions(max_nodes=3))
def test_a_bounded_search_never_claims_too_much(question: RoutingQuestion) -> None:
    """Out of nodes the bounds still hold, a route is still a route, and proof is only claimed where there is one."""
    expected = brute_force(question)

    answer = find_routes(question)

    assert answer.nodes <= 3 + 3
    if expected and answer.lower_bound is not None and answer.fewest_possible is not None:
        assert answer.lower_bound <= len(expected[0]) <= answer.fewest_possible
        assert answer.lower_bound == answer.fewest_possible or not answer.proven
        if answer.complete and answer.routes:
            assert len(answer.routes) == len(expected)
    for route in answer.routes:
        assert covers(question, tuple(c for c in question.locations if c.location in route.locations))


NAMES = ("fewest_splits", "cost", "rank")


@st.composite
def costly_questions(draw: st.DrawFn) -> RoutingQuestion:
    """Up to six locations and three SKUs, with objectives in any order, in part with partial routes."""
    objectives = tuple(draw(st.permutations(NAMES)))[: draw(st.integers(1, 3))]
    opening = st.integers(0, 4) if draw(st.booleans()) else st.just(0)
    cost = st.builds(Cost, opening=opening, per_unit=st.integers(0, 3))
    skus = [f"S{n}" for n in range(draw(st.integers(1, 3)))]
    stock = st.dictionaries(st.sampled_from(skus), st.integers(0, 5))
    return RoutingQuestion(
        demand={sku: draw(st.integers(1, 7)) for sku in skus},
        locations=tuple(
            Candidate(
                location=f"L{n}",
                distance_km=draw(st.none() | st.sampled_from([0.0, 10.0, 20.0])),
                stock=draw(stock),
                costs=tuple(draw(cost) for _ in objectives),
            )
            for n in range(draw(st.integers(1, 6)))
        ),
        objectives=objectives,
        max_splits=draw(st.none() | st.integers(0, 3)),
        partial=draw(st.booleans()),
        alternatives=draw(st.sampled_from([1, 3, 100])),
    )


type Ranked = tuple[int, tuple[int, ...], int, int, int, tuple[str, ...]]


def cheapest_plan(question: RoutingQuestion, chosen: tuple[Candidate, ...]) -> tuple[int, tuple[int, ...]] | None:
    """Return the units short and the objectives' values of the cheapest plan; None when one of *chosen* is idle."""
    counted = [index for index, name in enumerate(question.objectives) if name != "fewest_splits"]
    sent, short = dict.fromkeys(chosen_ids(chosen), 0), 0
    for sku, quantity in question.demand.items():
        missing = quantity

        def preference(each: Candidate, sku: str = sku) -> object:
            far = each.distance_km is None
            price = tuple(each.costs[index].per_unit for index in counted)
            return price, -each.stock.get(sku, 0), far, each.distance_km or 0.0, each.location

        for each in sorted(chosen, key=preference):
            taken = min(missing, each.stock.get(sku, 0))
            sent[each.location] += taken
            missing -= taken
        short += missing
    if not all(sent.values()):
        return None
    values = [
        len(chosen)
        if name == "fewest_splits"
        else sum(each.costs[index].opening + each.costs[index].per_unit * sent[each.location] for each in chosen)
        for index, name in enumerate(question.objectives)
    ]
    return short, tuple(values)


def chosen_ids(chosen: tuple[Candidate, ...]) -> tuple[str, ...]:
    """Return the locations' ids, sorted."""
    return tuple(sorted(each.location for each in chosen))


def all_routes(question: RoutingQuestion) -> list[Ranked]:
    """Return every route within the limit, those short of least first, then by objectives; by trying everything."""
    limit = len(question.locations) if question.max_splits is None else question.max_splits + 1
    ranked: list[Ranked] = []
    for size in range(1, limit + 1):
        for chosen in combinations(question.locations, size):
            found = cheapest_plan(question, chosen)
            if found is not None and (question.partial or not found[0]):
                unknown = sum(each.distance_km is None for each in chosen)
                metres = round(sum(each.distance_km or 0.0 for each in chosen) * 1000)
                ranked.append((*found, size, unknown, metres, chosen_ids(chosen)))
    return sorted(ranked)


@settings(max_examples=400)
@given(costly_questions())
def test_the_objectives_are_minimised_in_their_order(question: RoutingQuestion) -> None:
    """The best of all routes by objectives, number, distance and ids is first, then others of its size; no idle one."""
    expected = all_routes(question)

    answer = find_routes(question)

    assert answer.proven
    assert (answer.outcome is RoutingOutcome.ROUTED) == bool(expected)
    if expected:
        expected = [each for each in expected if (each[0], each[2]) == (expected[0][0], expected[0][2])]
        assert answer.complete
        assert [(tuple(each.value for each in route.objectives), route.locations) for route in answer.routes] == [
            (each[1], each[5]) for each in expected[: question.alternatives]
        ]
        assert sum(short.quantity for short in answer.short) == expected[0][0]
        assert answer.objectives == answer.routes[0].objectives

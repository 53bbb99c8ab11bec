"""Routing against trying everything."""

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain.routing import Candidate, RoutingOutcome, RoutingQuestion, find_routes


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
        assert answer.found == len(expected)
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
    """Shuffled locations and SKUs give the same answer, rank by rank; ranks go by known distance, then id."""
    shuffled = question.model_copy(
        update={
            "locations": tuple(data.draw(st.permutations(question.locations))),
            "demand": dict(data.draw(st.permutations(list(question.demand.items())))),
        }
    )

    answer = find_routes(question)

    assert find_routes(shuffled).routes == answer.routes
    ranks = [(route.average_km is None, route.average_km or 0.0, route.locations) for route in answer.routes]
    assert ranks == sorted(ranks)


@given(questions(max_nodes=3))
def test_a_bounded_search_never_claims_too_much(question: RoutingQuestion) -> None:
    """Out of nodes the bounds still hold, a route is still a route, and proof is only claimed where there is one."""
    expected = brute_force(question)

    answer = find_routes(question)

    assert answer.nodes <= 3 + 2
    if expected and answer.lower_bound is not None and answer.fewest_possible is not None:
        assert answer.lower_bound <= len(expected[0]) <= answer.fewest_possible
        assert answer.proven == (answer.lower_bound == answer.fewest_possible)
        if answer.complete and answer.routes:
            assert answer.found == len(expected)
    for route in answer.routes:
        assert covers(question, tuple(c for c in question.locations if c.location in route.locations))

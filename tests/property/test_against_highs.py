"""Routing against HiGHS, an independent solver: random questions, and set-cover problems from files."""

from pathlib import Path
from random import Random

import pytest
from highspy import Highs

from orderloom.domain.routing import FEWEST_SPLITS, Candidate, Cost, JointLimit, RoutingOutcome, RoutingQuestion
from orderloom.domain.solver import find_routes
from tests.property.or_library import SetCover, read, write

ORDERS = [
    (FEWEST_SPLITS,),
    (FEWEST_SPLITS, "cost"),
    (FEWEST_SPLITS, "rank", "cost"),
    ("cost", FEWEST_SPLITS),
    ("rank", "cost"),
    ("cost",),
]


def question(seed: int) -> RoutingQuestion:
    """Return a question of up to 14 locations and 6 lines, in part with a split limit, that may have no answer."""
    random = Random(seed)
    objectives = ORDERS[seed % len(ORDERS)]
    skus = [f"S{number}" for number in range(random.randint(1, 6))]
    return RoutingQuestion(
        demand={sku: random.randint(1, 9) for sku in skus},
        locations=tuple(
            Candidate(
                location=f"L{number:02}",
                stock={sku: random.randint(1, 6) for sku in skus if random.random() < 0.5},
                costs=tuple(Cost(opening=random.randint(0, 30), per_unit=random.randint(0, 5)) for _ in objectives),
            )
            for number in range(random.randint(3, 14))
        ),
        objectives=objectives,
        max_splits=random.choice([None, None, 2, 4]),
        alternatives=random.choice([1, 5]),
    )


def limited(seed: int) -> RoutingQuestion:
    """Return a question whose locations are in up to five groups that may cross, each with less than they have."""
    asked, random = question(seed), Random(f"limits {seed}")
    limits: list[JointLimit] = []
    for number in range(random.randint(1, 5)):
        inside = random.sample(asked.locations, random.randint(2, len(asked.locations)))
        there = {sku: sum(each.stock.get(sku, 0) for each in inside) for sku in asked.demand}
        most = {sku: random.randint(units // 3, units) for sku, units in there.items() if random.random() < 0.7}
        limits.append(JointLimit(group=f"G{number}", locations=tuple(it.location for it in inside), most=most))
    return asked.model_copy(update={"limits": tuple(limits)})


def optimum(asked: RoutingQuestion, *, partly: bool = False) -> list[int] | None:
    """
    Return what HiGHS says the objectives come to, one after the other; None when there is no route.

    Args:
        asked: the question.
        partly: units may be short; their number comes before all objectives, and in the answer.
    """
    model = Highs()
    model.setOptionValue("output_flag", False)
    model.setOptionValue("mip_rel_gap", 0.0)
    used = {each.location: model.addBinary() for each in asked.locations}
    sent = {
        (each.location, sku): model.addIntegral(0, min(each.stock.get(sku, 0), need))
        for each in asked.locations
        for sku, need in asked.demand.items()
    }
    missing = {sku: model.addIntegral(0, need if partly else 0) for sku, need in asked.demand.items()}
    for sku, need in asked.demand.items():
        model.addConstr(sum((sent[each.location, sku] for each in asked.locations), missing[sku]) == need)
        for each in asked.locations:
            model.addConstr(sent[each.location, sku] <= need * used[each.location])
    for limit in asked.limits:
        for sku in limit.most.keys() & asked.demand.keys():
            together = sum((sent[location, sku] for location in limit.locations), model.expr(0))
            model.addConstr(together <= limit.most[sku])
    if asked.max_splits is not None:
        model.addConstr(sum(used.values(), model.expr(0)) <= asked.max_splits + 1)
    values: list[int] = []
    for goal in [*([sum(missing.values(), model.expr(0))] if partly else []), *_goals(model, asked, used, sent)]:
        model.minimize(goal)
        if model.getModelStatus().name != "kOptimal":
            return None
        values.append(round(model.getObjectiveValue()))
        model.addConstr(goal <= values[-1])
    return values


def _goals(model: Highs, asked: RoutingQuestion, used: dict, sent: dict) -> list:
    return [
        sum(
            (
                used[each.location] * (1 if name == FEWEST_SPLITS else each.costs[index].opening)
                + sum(
                    (
                        sent[each.location, sku] * (0 if name == FEWEST_SPLITS else each.costs[index].per_unit)
                        for sku in asked.demand
                    ),
                    model.expr(0),
                )
                for each in asked.locations
            ),
            model.expr(0),
        )
        for index, name in enumerate(asked.objectives)
    ]


@pytest.mark.parametrize("seed", range(60))
def test_the_objectives_are_those_of_another_solver(seed: int) -> None:
    """Number of locations, costs and ranks come to the same, in every order; either both have a route or neither."""
    asked = question(seed)

    answer, expected = find_routes(asked), optimum(asked)

    assert answer.proven
    assert (answer.outcome is RoutingOutcome.ROUTED) == (expected is not None)
    if expected is not None:
        assert [each.value for each in answer.objectives] == expected


@pytest.mark.parametrize("seed", range(200, 224))
def test_as_few_units_are_short_as_with_another_solver(seed: int) -> None:
    """A partial route is short of as few units as it must be, and then its objectives come to the same."""
    asked = question(seed).model_copy(update={"partial": True, "max_splits": seed % 3})

    answer, expected = find_routes(asked), optimum(asked, partly=True)

    assert expected is not None
    assert sum(each.quantity for each in answer.short) == expected[0]
    if answer.routes:
        assert answer.proven
        assert [each.value for each in answer.objectives] == expected[1:]


@pytest.mark.parametrize("seed", range(400, 460))
def test_limits_are_those_of_another_solver(seed: int) -> None:
    """Where groups that cross can give only so much, the objectives come to the same; or there is no route in both."""
    asked = limited(seed)

    answer, expected = find_routes(asked), optimum(asked)

    assert answer.proven
    assert (answer.outcome is RoutingOutcome.ROUTED) == (expected is not None)
    if expected is not None:
        assert [each.value for each in answer.objectives] == expected


@pytest.mark.parametrize("seed", range(500, 524))
def test_limits_leave_as_few_units_short_as_with_another_solver(seed: int) -> None:
    """A partial route under limits is short of as few units as it must be, and then its objectives come to the same."""
    asked = limited(seed).model_copy(update={"partial": True, "max_splits": seed % 3})

    answer, expected = find_routes(asked), optimum(asked, partly=True)

    assert expected is not None
    assert sum(each.quantity for each in answer.short) == expected[0]
    if answer.routes:
        assert answer.proven
        assert [each.value for each in answer.objectives] == expected[1:]


def set_cover(seed: int, rows: int = 40, columns: int = 60) -> SetCover:
    """Return a problem as those of the OR-Library are made: random, each row covered at least twice."""
    random = Random(seed)
    return SetCover(
        costs=tuple(random.randint(1, 100) for _ in range(columns)),
        rows=tuple(tuple(sorted(random.sample(range(columns), random.randint(2, columns // 8)))) for _ in range(rows)),
    )


@pytest.mark.parametrize("costly", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_set_covers_from_files_cost_the_same(seed: int, *, costly: bool, tmp_path: Path) -> None:
    """Read from a file, the cheapest and the smallest set of columns are those of HiGHS, and proven."""
    write(set_cover(seed), tmp_path / "scp.txt")
    asked = read(tmp_path / "scp.txt").question(costly=costly)

    answer = find_routes(asked)

    assert answer.proven
    assert [each.value for each in answer.objectives] == optimum(asked)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Costs and rows come back, columns counted from 1 in the file; long lists go over several lines."""
    problem = set_cover(7, rows=3, columns=30)
    path = tmp_path / "scp.txt"
    write(problem, path)

    assert read(path) == problem
    assert path.read_text().splitlines()[0] == " 3 30 "
    assert max(len(line.split()) for line in path.read_text().splitlines()) == 12

    path.write_text("2 3\n1 2\n3\n2\n1 3\n1\n2\n")
    assert read(path) == SetCover(costs=(1, 2, 3), rows=((0, 2), (1,)))


@pytest.mark.parametrize(
    ("text", "trouble"), [("2 2 1 1 1 1", "ends too early"), ("1 1 5 1 1 9", "1 numbers too many")]
)
def test_a_file_that_is_not_whole_is_refused(text: str, trouble: str, tmp_path: Path) -> None:
    """Too few numbers or too many are no problem of the format."""
    (tmp_path / "scp.txt").write_text(text)

    with pytest.raises(ValueError, match=trouble):
        read(tmp_path / "scp.txt")

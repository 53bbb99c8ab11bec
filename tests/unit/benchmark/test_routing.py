"""What is measured of routing: the same questions for a seed, and what must hold of the answers."""

import pytest

from orderloom.benchmark.questions import FAMILIES, question
from orderloom.benchmark.routing import LARGE, MIDDLE, SMALL, Answered, RoutingPlan, RoutingReport, measure_routing
from orderloom.benchmark.tables import routing_table
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.solver import find_routes
from tests.unit.benchmark.test_reports import ORIGIN


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_decides_a_question_that_has_an_answer(family: str) -> None:
    """The same seed asks the same, another one something else; there is enough of everything."""
    asked = question(family, 12, 4, "7")

    assert asked == question(family, 12, 4, "7")
    assert asked != question(family, 12, 4, "8")
    assert (len(asked.locations), len(asked.demand)) == (12, 4)
    assert find_routes(asked).outcome is RoutingOutcome.ROUTED


def _report(*answered: Answered) -> RoutingReport:
    return RoutingReport(command="./run benchmark routing", origin=ORIGIN, plan=RoutingPlan(), answered=answered)


def _answered(taken: float, proven: int = 200, size: object = SMALL, family: str = "even") -> Answered:
    return Answered.model_validate(
        {
            "size": size,
            "family": family,
            "taken": (taken,) * 200,
            "proven": proven,
            "complete": 150,
            "locations": (3,) * 200,
            "bounds": (2,) * 200,
            "cap": 2.0,
        }
    )


def test_it_passes_when_answers_are_fast_and_proven() -> None:
    """All families of a size count together: one unproven answer of 400 is not too many, three are."""
    good = _answered(0.014), _answered(0.014, proven=199, family="tied")

    assert _report(*good, _answered(0.249, size=MIDDLE), _answered(1.9, proven=0, size=LARGE)).passed
    assert routing_table(_report(*good)).rows[1] == (
        *("30 x 10, tied", "14.0", "14.0", "14.0", "99.5%", "75.0%", "3 to 3", "200"),
    )
    assert not _report(good[0], _answered(0.014, proven=197)).passed


@pytest.mark.parametrize(("taken", "size"), [(0.016, SMALL), (0.26, MIDDLE), (2.1, LARGE)])
def test_it_fails_when_answers_take_too_long(taken: float, size: object) -> None:
    """Each size has its own limit, and the largest only the cap."""
    [broken, *_] = [verdict for verdict in _report(_answered(taken, size=size)).verdicts if not verdict.holds]

    assert str(size.locations if size is not LARGE else "1,000") in broken.claim


def test_measuring_asks_every_family_in_every_size() -> None:
    """Each has as many answers as planned, and each answer was told of."""
    told: list[tuple[str, int, int]] = []

    report = measure_routing(
        RoutingPlan(questions=1, large=0),
        "./run benchmark routing",
        ORIGIN,
        lambda what, count: lambda done: told.append((what, count, done)),
    )

    assert [(each.size.locations, each.family, len(each.taken)) for each in report.answered] == [
        (locations, family, 1) for locations in (30, 100) for family in FAMILIES
    ]
    assert len(told) == 8

"""The flow that the benchmark checks."""

from flows_dsl.check import check_text
from flows_dsl.loader import load
from orderloom.benchmark.checking import flow_of


def test_the_flow_has_that_many_tasks_and_no_finding() -> None:
    """It is one that may be published: no finding ends the check early."""
    document = load(flow_of(100, 1)).document

    assert document is not None
    assert len(document.do) == 100
    assert check_text(flow_of(100, 1)) == []


def test_each_run_has_expressions_of_its_own() -> None:
    """What one run has compiled saves the next one nothing."""
    first, second = ({line for line in flow_of(100, run).splitlines() if "order.seq" in line} for run in (1, 2))

    assert len(first) == 25
    assert not first & second

"""Reports and their tables: the words and figures that people see."""

from datetime import UTC, datetime

import pytest

from orderloom.benchmark.backlog_report import BacklogPlan, BacklogReport, Memory
from orderloom.benchmark.histories import Histories
from orderloom.benchmark.origin import Machine, Origin
from orderloom.benchmark.replaying import Replayed
from orderloom.benchmark.report import Plan, Report, Run, Series
from orderloom.benchmark.reserve_report import ReservePlan, ReserveReport, ReserveRun
from orderloom.benchmark.spread import Percentiles, Spread
from orderloom.benchmark.tables import (
    backlog_table,
    benchmark_table,
    of_the_twin,
    provenance,
    reserve_table,
    verdict_table,
)

ORIGIN = Origin(
    measured_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    commit="abc1234",
    machine=Machine(system="Linux x86_64", processor="A Processor", cores=2, loop_seconds=0.123, sync_seconds=0.0012),
    python="3.13.0",
    packages={"temporalio": "1.35.0"},
)
DURATIONS = Percentiles(p50=0.1, p95=0.2, p99=1.5)
CPU = {"worker": 0.030, "Temporal": 0.0204}


def _orders(*completed: float) -> Series:
    runs = tuple(
        Run(orders=10, completed=rate, whole=DURATIONS, placed=rate + 1, placing=DURATIONS, cpu=CPU)
        for rate in completed
    )
    exact = {name: Spread.of([number]) for name, number in {"events": 31.0, "workflow_tasks": 3.0}.items()}
    histories = Histories(
        orders=20, **exact, state_transitions=Spread.of([8.0, 8.0, 9.0]), bytes=Spread.of([20_295.0, 20_100.0])
    )
    return Series(runs=runs, histories=histories, memory=188_000.0)


@pytest.fixture
def report() -> Report:
    """Return a report of two runs."""
    floor = Series(runs=(Run(orders=40, completed=80.0, whole=DURATIONS, cpu=CPU),))
    return Report(
        command="./run benchmark",
        origin=ORIGIN,
        plan=Plan(orders=10, runs=2),
        orders=_orders(18.0, 20.0),
        twin=_orders(20.0, 20.0),
        floor=floor,
    )


def test_the_benchmark_compares_turn_by_turn(report: Report) -> None:
    """The share of the twin's rate is taken within each turn, not of the medians."""
    assert report.of_the_twin == Spread(median=0.95, least=0.9, most=1.0)
    assert of_the_twin(report) == "Standard orders complete at 0.95 (0.90 to 1.00) of the raw twin's rate."


def test_what_replaying_takes_is_told_where_it_was_measured(report: Report) -> None:
    """The share is that of the rounds, beside what both take."""
    share = Spread(median=1.2, least=1.1, most=1.3)
    seconds = Spread(median=0.01, least=0.009, most=0.012)
    replay = Replayed(histories=20, orders=Spread(median=0.012, least=0.01, most=0.013), twin=seconds, share=share)

    assert of_the_twin(report.model_copy(update={"replay": replay})) == (
        "Standard orders complete at 0.95 (0.90 to 1.00) of the raw twin's rate. Replayed without a server, an order's"
        " workflow takes 1.20 (1.10 to 1.30) of the CPU of the twin's: 12.0 ms beside 10.0 ms."
    )


def test_the_benchmarks_table_has_every_figure(report: Report) -> None:
    """Each row has a cell for each contender: a dash for what the floor has not, one number where runs are equal."""
    rows = {row[0]: row[1:] for row in benchmark_table(report).rows}

    assert rows["completed/s"] == ("19.0 (18.0 to 20.0)", "20.0", "80.0")
    assert rows["placed/s"] == ("20.0 (19.0 to 21.0)", "21.0", "-")
    assert rows["placing, p99, ms"] == ("1,500", "1,500", "-")
    assert rows["whole, p50, ms"] == ("100", "100", "100")
    assert rows["CPU, Temporal, ms"] == ("20.4", "20.4", "20.4")
    assert rows["CPU, together, ms"] == ("50.4", "50.4", "50.4")
    assert rows["history events"] == ("31", "31", "-")
    assert rows["state transitions"] == ("8 (8 to 9)", "8 (8 to 9)", "-")
    assert rows["memory when cached, KB"] == ("188", "188", "-")


def test_a_report_is_the_same_after_it_was_written(report: Report) -> None:
    """Nothing is lost in the file that figures are taken from."""
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_figures_name_machine_date_and_commit() -> None:
    """No figure stands without where it comes from."""
    assert provenance(ORIGIN) == (
        "Measured on 2026-03-01 at commit abc1234 on 2 cores of A Processor (Linux x86_64), where ten million turns of "
        "an empty Python loop take 0.12 s and a block is on disk after 1.2 ms."
    )


def _backlog(**changes: object) -> BacklogReport:
    given = {
        "command": "./run benchmark backlog",
        "origin": ORIGIN,
        "plan": BacklogPlan(orders=300),
        "answers": {202: 300},
        "placed": 80.0,
        "drain": 20.0,
        "longest_wait": 24.0,
        "latest": 4.0,
        "longest_pause": 3.0,
        "memory": {"worker": Memory(most=300_000_000, bound=550_000_000)},
        "looks": DURATIONS,
        "placings": DURATIONS,
        "asked": 20,
        "errors": (),
        "findings": (),
        **changes,
    }
    return BacklogReport.model_validate(given)


def test_a_backlog_that_drains_passes() -> None:
    """Everything that must hold is listed, with what was found."""
    report = _backlog()

    assert report.passed
    assert [row[0] for row in verdict_table(report).rows] == [
        "every order was taken in",
        "none ended more than 15 s later than first in, first out would have it",
        "orders ended without a pause of more than 15 s",
        "the worker held at most 550 MB",
        "the API answered all 40 requests of a probe",
        "the books are right",
    ]
    assert dict(backlog_table(report).rows)["drained, orders/s"] == "15.0"


@pytest.mark.parametrize(
    ("changes", "claim"),
    [
        ({"answers": {201: 1, 202: 299}}, "every order was taken in"),
        ({"latest": 15.1}, "none ended more than 15 s later than first in, first out would have it"),
        ({"longest_pause": 15.1}, "orders ended without a pause of more than 15 s"),
        ({"memory": {"API": Memory(most=401_000_000, bound=400_000_000)}}, "the API held at most 400 MB"),
        ({"errors": ("ClientResponseError: 500",)}, "the API answered all 40 requests of a probe"),
        ({"findings": ("units.balance",)}, "the books are right"),
    ],
)
def test_a_backlog_fails_by_each_of_them(changes: dict[str, object], claim: str) -> None:
    """One that does not hold is enough, and only that one is named."""
    report = _backlog(**changes)

    assert not report.passed
    assert [verdict.claim for verdict in report.verdicts if not verdict.holds] == [claim]


def test_reserving_passes_when_everything_is_reserved_once() -> None:
    """The share is taken turn by turn, and a unit too many is no success however fast it was."""
    given = {
        "command": "./run benchmark reserve",
        "origin": ORIGIN,
        "plan": ReservePlan(),
        "runs": (
            ReserveRun(alone=200.0, grouped=(300.0, 400.0), bare=1000.0),
            ReserveRun(alone=250.0, grouped=(500.0, 1200.0), bare=1000.0),
        ),
        "wanted": 2000,
        "findings": (),
    }
    report = ReserveReport.model_validate({**given, "reserved": 2000})

    assert report.passed
    assert report.alone_share == Spread(median=0.225, least=0.2, most=0.25)
    assert report.grouped_share == (Spread(median=0.4, least=0.3, most=0.5), Spread(median=0.8, least=0.4, most=1.2))
    rows = dict(reserve_table(report).rows)
    assert rows["reservations/s, a transaction each"] == "225.0 (200.0 to 250.0)"
    assert rows["reservations/s, 64 orders at once in one worker"] == "800.0 (400.0 to 1,200.0)"
    assert not ReserveReport.model_validate({**given, "reserved": 2002}).passed

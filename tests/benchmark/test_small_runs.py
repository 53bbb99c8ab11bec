"""Everything that is measured, in a small form. What is exact is compared; a time never is, but for who starves."""

from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from orderloom.benchmark.backlog import Backlog
from orderloom.benchmark.backlog_report import BacklogPlan
from orderloom.benchmark.generator import Told
from orderloom.benchmark.origin import origin
from orderloom.benchmark.report import Plan, Report
from orderloom.benchmark.run import FLOOR_SHARE, prepared
from orderloom.benchmark.waves_report import SCENES, WavesPlan, WavesReport
from orderloom.benchmark.waving import waving
from orderloom.bootstrap.fleet import Fleet

PROCESSES = ["worker", "API", "relay", "gateway", "Temporal", "PostgreSQL", "load generator"]


class Progress:
    """Hears how far a measurement is."""

    def __init__(self) -> None:
        self.most: dict[str, tuple[int, int]] = {}
        """Of each step: how many there were to be, and how many there were at most."""

    def begins(self, what: str, count: int) -> Told:
        def told(ended: int) -> None:
            self.most[what] = (count, ended)

        return told


async def test_a_backlog_drains(fleet: Fleet) -> None:
    """300 orders that were placed while no worker ran all end in turn; memory is bounded and the API answers."""
    progress = Progress()
    plan = BacklogPlan(orders=300)

    report = await Backlog(fleet, plan, progress.begins).run("test", origin(datetime.now(UTC)))

    assert report.answers == {HTTPStatus.ACCEPTED: 300}
    assert [verdict for verdict in report.verdicts if not verdict.holds] == []
    assert report.asked > 0
    assert progress.most["orders taken in"] == (300, 300)
    # The probe's own orders have come to their end too.
    assert progress.most["orders ended"] == (300, 300 + report.asked)


async def test_the_benchmark_measures_all_three_by_turns(fleet: Fleet) -> None:
    """Orders and twin do the same, which the run itself makes sure of, and every figure is there."""
    progress = Progress()
    plan = Plan(orders=6, at_once=3, runs=2)

    async with prepared(fleet, plan, progress.begins) as ready:
        report = await ready.run("test", origin(datetime.now(UTC)))

    assert [len(series.runs) for series in (report.orders, report.twin, report.floor)] == [2, 2, 2]
    assert list(progress.most) == [
        f"{series}: {contender}"
        for series in ("warm-up", "run-1", "run-2")
        for contender in ("standard orders", "raw twin", "floor")
    ]
    assert report.replay is not None
    assert report.replay.histories == 6
    assert report.replay.share.least > 0
    assert progress.most["run-2: floor"] == (6 * FLOOR_SHARE, 6 * FLOOR_SHARE)
    for run in (*report.orders.runs, *report.twin.runs):
        assert (run.orders, list(run.cpu)) == (6, PROCESSES)
        assert run.placing is not None
        assert run.placing.p50 <= run.whole.p50
    ours, twins = report.orders.histories, report.twin.histories
    assert ours is not None
    assert twins is not None
    assert ours.orders == twins.orders == 6
    assert ours.workflow_tasks.most < twins.workflow_tasks.least, "a quick gateway is asked without a task of its own"
    assert ours.events.most < twins.events.least, "what is done together leaves fewer events than one by one"
    assert report.floor.histories is None
    assert Report.model_validate_json(report.model_dump_json()) == report


async def test_waves_are_measured_beside_one_by_one(directory: Path) -> None:
    """The same orders are routed in both ways from the same stock, every figure is there, and the books are right."""
    room = directory / "waves"
    room.mkdir()
    room.chmod(0o711)
    progress = Progress()
    plan = WavesPlan(orders=12, locations=4, skus=6, runs=1)

    async with waving(room, plan, lambda _: None, progress.begins) as ready:
        report = await ready.run("test", origin(datetime.now(UTC)))

    assert [(run.scene, run.findings) for run in report.runs] == [(scene.name, ()) for scene in SCENES]
    enough, scarce = report.runs
    assert enough.alone.whole == enough.waves.whole == 12
    assert enough.alone.units == enough.waves.units
    assert scarce.alone.units < enough.alone.units
    assert scarce.waves.urgent >= scarce.alone.urgent
    for run in report.runs:
        for came in (run.alone, run.waves):
            assert came.splits == came.shipments - came.whole
            assert min(came.statements, came.seconds, came.worker) > 0
    assert report.passed
    assert WavesReport.model_validate_json(report.model_dump_json()) == report

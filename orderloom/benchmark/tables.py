"""Reports as tables: for a terminal, and for the documentation. Both hold the same words and figures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table as RichTable

from orderloom.benchmark.backlog_report import BacklogReport
from orderloom.benchmark.checking import CheckReport
from orderloom.benchmark.feeding import FeedReport
from orderloom.benchmark.histories import Histories
from orderloom.benchmark.origin import Origin
from orderloom.benchmark.report import Report, Run, Series
from orderloom.benchmark.reserve_report import ReserveReport
from orderloom.benchmark.routing import Answered, RoutingReport
from orderloom.benchmark.spread import Spread
from orderloom.benchmark.waves_report import SCENES, Came, WavesReport

NOTHING = "-"

type Row = tuple[str, ...]

type Figure = Callable[[Series], str]
"""What a contender's cell of a row says."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text: the first column says what a row is about, the others hold figures."""

    title: str
    head: Row
    rows: Sequence[Row]

    def markdown(self) -> str:
        """Return it for the documentation."""
        ruler = "|".join(("", "---", *("---:" for _ in self.head[1:]), ""))
        return "\n".join((_line(self.head), ruler, *map(_line, self.rows)))

    def rich(self) -> RichTable:
        """Return it for a terminal."""
        table = RichTable(title=self.title, title_justify="left", box=None, padding=(0, 2, 0, 0))
        for number, name in enumerate(self.head):
            table.add_column(name, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*row)
        return table


def benchmark_table(report: Report) -> Table:
    """Return what the benchmark found."""
    plan = report.plan
    return Table(
        title=f"runs: {plan.runs}, orders in each: {plan.orders}, at once: {plan.at_once}, workers: {plan.workers}",
        head=("middle run (least to most)", "standard order", "raw twin", "floor"),
        rows=tuple(_rows((report.orders, report.twin, report.floor))),
    )


def backlog_table(report: BacklogReport) -> Table:
    """Return how a backlog drained."""
    return Table(
        title=f"orders: {report.plan.orders:,}, workers: {report.plan.workers}",
        head=("a backlog", "found"),
        rows=(
            ("taken in while no worker ran, orders/s", f"{report.placed:.1f}"),
            ("drained in, s", f"{report.drain:,.1f}"),
            ("drained, orders/s", f"{report.completed:.1f}"),
            ("the longest wait of an order, s", f"{report.longest_wait:,.1f}"),
            ("meanwhile, list of orders, p95, ms", f"{report.looks.p95 * 1000:,.0f}"),
            ("meanwhile, placing, p95, ms", f"{report.placings.p95 * 1000:,.0f}"),
        ),
    )


def routing_table(report: RoutingReport) -> Table:
    """Return what answering routing questions costs."""
    plan = report.plan
    return Table(
        title=f"seed: {plan.seed}, of each family: {plan.questions}, of the largest: {plan.large}",
        head=(
            "locations x lines, family",
            *("p50, ms", "p95, ms", "p99, ms"),
            *("proven", "all ranks", "shipments", "above bounds"),
        ),
        rows=tuple(_answered(each) for each in report.answered),
    )


def _answered(each: Answered) -> Row:
    count, fewest, most = len(each.taken), min(each.locations), max(each.locations)
    return (
        f"{each.size.locations:,} x {each.size.lines}, {each.family}",
        *(f"{seconds * 1000:,.1f}" for seconds in (each.of.p50, each.of.p95, each.of.p99)),
        f"{each.proven / count:.1%}",
        f"{each.complete / count:.1%}",
        f"{fewest} to {most}",
        f"{sum(each.locations) - sum(each.bounds)}",
    )


def verdict_table(report: BacklogReport | RoutingReport) -> Table:
    """Return what must hold, and whether it did."""
    return Table(
        title="what must hold",
        head=("what must hold", "found", "holds"),
        rows=tuple((each.claim, each.found, "yes" if each.holds else "NO") for each in report.verdicts),
    )


def reserve_table(report: ReserveReport) -> Table:
    """Return what reserving costs."""
    plan = report.plan
    return Table(
        title=f"runs: {plan.runs}, in each: {plan.orders}, connections: {plan.connections}",
        head=("on one SKU, middle run (least to most)", "found"),
        rows=(
            ("bare conditional updates of the row/s", spread(report.bare)),
            ("reservations/s, a transaction each", spread(report.alone)),
            ("as a share of the bare updates", spread(report.alone_share, 2)),
            *(
                row
                for at_once, rate, share in zip(plan.at_once, report.grouped, report.grouped_share, strict=True)
                for row in (
                    (f"reservations/s, {at_once} orders at once in one worker", spread(rate)),
                    (f"{at_once} at once, as a share of the bare updates", spread(share, 2)),
                )
            ),
            ("units reserved, of those wanted", f"{report.reserved:,} of {report.wanted:,}"),
        ),
    )


def feed_table(report: FeedReport) -> Table:
    """Return what feeds of stock cost."""
    return Table(
        title=f"records in each feed: {report.plan.records:,}",
        head=("feeds of stock", "found"),
        rows=(
            ("counts of shelves that had no stock, records/s", f"{report.full:,.0f}"),
            ("changes of these shelves, records/s", f"{report.delta:,.0f}"),
            ("the same changes again, passed over, records/s", f"{report.again:,.0f}"),
            ("most memory of the process, MB", f"{report.peak / 1_000_000:,.0f}"),
            ("units on hand at locations, at their group", f"{report.on_hand:,}, {report.in_group:,}"),
        ),
    )


_CAME: Mapping[str, tuple[Callable[[Came], float], int]] = {
    "orders that go out whole": (lambda came: came.whole, 0),
    "of these, of the highest priority": (lambda came: came.urgent, 0),
    "units that go out": (lambda came: came.units, 0),
    "shipments": (lambda came: came.shipments, 0),
    "splits": (lambda came: came.splits, 0),
    "km": (lambda came: came.km, 0),
    "statements": (lambda came: came.statements, 0),
    "seconds": (lambda came: came.seconds, 2),
    "CPU, worker, s": (lambda came: came.worker, 2),
    "CPU, PostgreSQL, s": (lambda came: came.postgres, 2),
}
"""What is told of routing due orders, and with how many decimals."""


def waves_table(report: WavesReport) -> Table:
    """Return what waves bring and cost against one by one."""
    plan = report.plan
    return Table(
        title=f"runs: {plan.runs}, orders in each: {plan.orders}, locations: {plan.locations}, SKUs: {plan.skus}",
        head=("middle run (least to most)", "one by one", "in a wave", "more, %"),
        rows=tuple(
            (
                f"{scene.name}: {name}",
                spread(report.alone(scene.name, figure), decimals),
                spread(report.waves(scene.name, figure), decimals),
                spread(Spread.of(100 * share for share in _three(report.more(scene.name, figure)))),
            )
            for scene in SCENES
            for name, (figure, decimals) in _CAME.items()
        ),
    )


def _three(share: Spread) -> tuple[float, float, float]:
    return share.least, share.median, share.most


def check_table(report: CheckReport) -> Table:
    """Return what checking a flow costs."""
    return Table(
        title=f"runs: {report.plan.runs}, tasks of the flow: {report.plan.tasks}",
        head=("middle run (least to most)", "found"),
        rows=(
            ("CPU time of a check, ms", spread(report.milliseconds)),
            ("findings", f"{report.findings}"),
        ),
    )


def of_the_twin(report: Report) -> str:
    """Return how the orders compare with the twin, in one sentence."""
    rate = f"Standard orders complete at {spread(report.of_the_twin, 2)} of the raw twin's rate."
    if report.replay is None:
        return rate
    replay, ours, twins = report.replay, report.replay.orders.median, report.replay.twin.median
    cost = f"Replayed without a server, an order's workflow takes {spread(replay.share, 2)} of the CPU of the twin's"
    return f"{rate} {cost}: {ours * 1000:.1f} ms beside {twins * 1000:.1f} ms."


def provenance(origin: Origin) -> str:
    """Return in one sentence where figures come from."""
    machine = origin.machine
    return (
        f"Measured on {origin.measured_at:%Y-%m-%d} at commit {origin.commit or 'unknown'} on {machine.cores} cores of "
        f"{machine.processor} ({machine.system}), where ten million turns of an empty Python loop take "
        f"{machine.loop_seconds:.2f} s and a block is on disk after {machine.sync_seconds * 1000:.1f} ms."
    )


def spread(value: Spread, decimals: int = 1) -> str:
    """Return the middle value and, if there were others, how far they lie apart."""
    shown = [f"{number:,.{decimals}f}" for number in (value.median, value.least, value.most)]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _of_runs(value: Callable[[Run], float | None], *, times: float = 1, decimals: int = 1) -> Figure:
    def figure(series: Series) -> str:
        found = [value(run) for run in series.runs]
        known = [each * times for each in found if each is not None]
        return spread(Spread.of(known), decimals) if known else NOTHING

    return figure


def _of_histories(value: Callable[[Histories], Spread]) -> Figure:
    def figure(series: Series) -> str:
        return NOTHING if series.histories is None else spread(value(series.histories), 0)

    return figure


def _cpu(process: str) -> Figure:
    return _of_runs(lambda run: run.cpu[process], times=1000)


def _memory(series: Series) -> str:
    return NOTHING if series.memory is None else f"{series.memory / 1000:,.0f}"


_FIGURES: Mapping[str, Figure] = {
    "completed/s": _of_runs(lambda run: run.completed),
    "placed/s": _of_runs(lambda run: run.placed),
    "placing, p50, ms": _of_runs(lambda run: run.placing and run.placing.p50, times=1000, decimals=0),
    "placing, p95, ms": _of_runs(lambda run: run.placing and run.placing.p95, times=1000, decimals=0),
    "placing, p99, ms": _of_runs(lambda run: run.placing and run.placing.p99, times=1000, decimals=0),
    "whole, p50, ms": _of_runs(lambda run: run.whole.p50, times=1000, decimals=0),
    "whole, p95, ms": _of_runs(lambda run: run.whole.p95, times=1000, decimals=0),
    "whole, p99, ms": _of_runs(lambda run: run.whole.p99, times=1000, decimals=0),
}
_EXACT: Mapping[str, Figure] = {
    "history events": _of_histories(lambda histories: histories.events),
    "workflow tasks": _of_histories(lambda histories: histories.workflow_tasks),
    "state transitions": _of_histories(lambda histories: histories.state_transitions),
    "history bytes": _of_histories(lambda histories: histories.bytes),
    "memory when cached, KB": _memory,
}


def _rows(contenders: Sequence[Series]) -> Iterator[Row]:
    spent = {f"CPU, {process}, ms": _cpu(process) for process in contenders[0].runs[0].cpu}
    together = {"CPU, together, ms": _of_runs(lambda run: sum(run.cpu.values()), times=1000)}
    for name, figure in {**_FIGURES, **spent, **together, **_EXACT}.items():
        yield name, *(figure(series) for series in contenders)


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |"

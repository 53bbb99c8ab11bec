"""`benchmark`: measures standard orders on servers of its own, beside the same work without flows."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from orderloom.benchmark.backlog_report import BacklogPlan, BacklogReport
from orderloom.benchmark.checking import CheckPlan, CheckReport, measure_check
from orderloom.benchmark.feeding import FeedPlan, FeedReport, measure_feed
from orderloom.benchmark.report import Plan, Report
from orderloom.benchmark.reserve_report import ReservePlan, ReserveReport
from orderloom.benchmark.routing import RoutingPlan, RoutingReport, measure_routing
from orderloom.benchmark.tables import (
    backlog_table,
    benchmark_table,
    check_table,
    feed_table,
    of_the_twin,
    reserve_table,
    routing_table,
    verdict_table,
    waves_table,
)
from orderloom.benchmark.twin import Empty, TwinOrder
from orderloom.benchmark.waves_report import WavesPlan, WavesReport
from orderloom.bootstrap.fleet import Fleet
from orderloom.cli.measuring import Stage, measure
from orderloom.cli.servers import serve
from orderloom.stack import Options, Part

PLAN, BACKLOG, RESERVE, CHECK = Plan(), BacklogPlan(), ReservePlan(), CheckPlan()
ROUTING, FEED, WAVES = RoutingPlan(), FeedPlan(), WavesPlan()

benchmark_app = App(name="benchmark", help="Measure standard orders on servers of its own.")


@benchmark_app.default
def benchmark(
    *,
    orders: Annotated[int, Parameter(help="Standard orders in each run.")] = PLAN.orders,
    at_once: Annotated[int, Parameter(help="Orders that are on their way at the same time.")] = PLAN.at_once,
    runs: Annotated[int, Parameter(help="Runs of each contender, by turns.")] = PLAN.runs,
    workers: Annotated[int, Parameter(help="Worker processes.")] = PLAN.workers,
) -> None:
    """
    Measure standard orders, the raw twin (the same without flows) and the floor (an empty workflow), by turns.

    Everything runs in processes of its own at full durability, in a temporary directory. The figures are printed, and
    kept as JSON in `benchmarks` of the data directory.
    """
    plan = Plan(orders=orders, at_once=at_once, runs=runs, workers=workers)

    async def work(stage: Stage) -> Report:
        from orderloom.benchmark.run import TWIN, prepared  # noqa: PLC0415  # it needs the development group

        async with (
            Fleet.start(stage.directory, workers=workers, namespaces=[TWIN], tell=stage.tell) as fleet,
            prepared(fleet, plan, stage.begins) as ready,
        ):
            return await ready.run(stage.command, stage.origin)

    measure(work, _show)


def _show(report: Report, console: Console) -> None:
    console.print(benchmark_table(report).rich(), highlight=False)
    console.print(of_the_twin(report), highlight=False)


@benchmark_app.command
def backlog(
    *,
    orders: Annotated[int, Parameter(help="Orders that are placed while no worker runs.")] = BACKLOG.orders,
    workers: Annotated[int, Parameter(help="Worker processes that drain them.")] = BACKLOG.workers,
) -> None:
    """
    Let a backlog build up while no worker runs, start the workers, and watch it drain.

    The exit status is 1 unless no order starves, memory stays bounded, the API answers all the while, and the books
    are right.
    """
    plan = BacklogPlan(orders=orders, workers=workers)

    async def work(stage: Stage) -> BacklogReport:
        from orderloom.benchmark.backlog import Backlog  # noqa: PLC0415  # it needs the development group

        async with Fleet.start(stage.directory, workers=workers, tell=stage.tell) as fleet:
            return await Backlog(fleet, plan, stage.begins).run(stage.command, stage.origin)

    measure(work, _show_backlog)


def _show_backlog(report: BacklogReport, console: Console) -> None:
    console.print(backlog_table(report).rich(), highlight=False)
    console.print(verdict_table(report).rich(), highlight=False)


@benchmark_app.command
def reserve(
    *,
    orders: Annotated[int, Parameter(help="Reservations in each run.")] = RESERVE.orders,
    connections: Annotated[int, Parameter(help="Connections to PostgreSQL.")] = RESERVE.connections,
    runs: Annotated[int, Parameter(help="Runs, by turns with the bare update.")] = RESERVE.runs,
) -> None:
    """
    Measure the whole reserve transaction on one SKU, beside a bare conditional update of the same row.

    It is called as a worker calls it, on PostgreSQL at full durability, without Temporal.
    """
    plan = ReservePlan(orders=orders, connections=connections, runs=runs)

    async def work(stage: Stage) -> ReserveReport:
        from orderloom.benchmark.reserve import reserving  # noqa: PLC0415  # it needs the development group

        async with reserving(stage.directory, plan, stage.tell, stage.begins) as ready:
            return await ready.run(stage.command, stage.origin)

    measure(work, _show_reserve)


def _show_reserve(report: ReserveReport, console: Console) -> None:
    console.print(reserve_table(report).rich(), highlight=False)


@benchmark_app.command
def routing(
    *,
    questions: Annotated[int, Parameter(help="Questions of each family, in the smaller sizes.")] = ROUTING.questions,
    large: Annotated[int, Parameter(help="Questions of each family, in the largest size.")] = ROUTING.large,
    seed: Annotated[int, Parameter(help="What decides the questions.")] = ROUTING.seed,
) -> None:
    """
    Measure what answering routing questions costs, in this process and without servers.

    The exit status is 1 when answers take too long, or too few of them are proven.
    """
    plan = RoutingPlan(questions=questions, large=large, seed=seed)

    async def work(stage: Stage) -> RoutingReport:
        return measure_routing(plan, stage.command, stage.origin, stage.begins)

    measure(work, _show_routing)


def _show_routing(report: RoutingReport, console: Console) -> None:
    console.print(routing_table(report).rich(), highlight=False)
    console.print(verdict_table(report).rich(), highlight=False)


@benchmark_app.command
def check(
    *,
    tasks: Annotated[int, Parameter(help="Tasks of the flow.")] = CHECK.tasks,
    runs: Annotated[int, Parameter(help="How often it is checked.")] = CHECK.runs,
) -> None:
    """
    Measure what checking a flow costs, in this process and without servers.

    Every run checks a flow whose expressions are new to the process. The exit status is 1 when it takes too long.
    """
    plan = CheckPlan(tasks=tasks, runs=runs)

    async def work(stage: Stage) -> CheckReport:
        return measure_check(plan, stage.command, stage.origin)

    measure(work, lambda report, console: console.print(check_table(report).rich(), highlight=False))


@benchmark_app.command
def inventory(*, records: Annotated[int, Parameter(help="Records of each feed.")] = FEED.records) -> None:
    """
    Measure feeds of stock into PostgreSQL at full durability: counts, then changes of the same shelves.

    The exit status is 1 when they are taken in too slowly, or a unit is not where it belongs.
    """
    plan = FeedPlan(records=records)

    async def work(stage: Stage) -> FeedReport:
        return await measure_feed(stage.directory, plan, stage.tell, stage.begins, (stage.command, stage.origin))

    measure(work, lambda report, console: console.print(feed_table(report).rich(), highlight=False))


@benchmark_app.command
def waves(
    *,
    orders: Annotated[int, Parameter(help="Due orders in each run.")] = WAVES.orders,
    locations: Annotated[int, Parameter(help="Locations that their stock is spread over.")] = WAVES.locations,
    skus: Annotated[int, Parameter(help="SKUs that they want some of.")] = WAVES.skus,
    seed: Annotated[int, Parameter(help="What decides orders and stock.")] = WAVES.seed,
    runs: Annotated[int, Parameter(help="Runs of each scene, each with other orders.")] = WAVES.runs,
) -> None:
    """
    Route the same due orders one by one and in a wave, on PostgreSQL at full durability, without Temporal.

    Once with enough stock of everything, once with too little.

    The exit status is 1 when the books are not right.
    """
    plan = WavesPlan(orders=orders, locations=locations, skus=skus, seed=seed, runs=runs)

    async def work(stage: Stage) -> WavesReport:
        from orderloom.benchmark.waving import waving  # noqa: PLC0415  # it needs the development group

        async with waving(stage.directory, plan, stage.tell, stage.begins) as ready:
            return await ready.run(stage.command, stage.origin)

    measure(work, lambda report, console: console.print(waves_table(report).rich(), highlight=False))


@benchmark_app.command(name="twin-worker", show=False)
def twin_worker() -> None:
    """Run the raw twin in the order workflow's place, and the floor; the benchmark starts it."""
    serve(Options(parts=(Part.ORDERS, Part.OUTSIDE), workflows=(TwinOrder, Empty)))

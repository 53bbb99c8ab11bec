"""`benchmark`: measures standard orders on servers of its own, beside the same work without flows."""

from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from orderloom.benchmark.report import Plan, Report
from orderloom.benchmark.tables import benchmark_table, of_the_twin
from orderloom.benchmark.twin import Empty, TwinOrder
from orderloom.cli.measuring import Stage, measure
from orderloom.cli.servers import serve
from orderloom.stack import Options, Part

PLAN = Plan()

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
        from orderloom.benchmark.run import prepared  # noqa: PLC0415  # it needs the development group

        async with prepared(stage.directory, plan, stage.tell, stage.begins) as ready:
            return await ready.run(stage.command, stage.origin)

    measure(work, _show)


def _show(report: Report, console: Console) -> None:
    console.print(benchmark_table(report).rich(), highlight=False)
    console.print(of_the_twin(report), highlight=False)


@benchmark_app.command(name="twin-worker", show=False)
def twin_worker() -> None:
    """Run the raw twin in the order workflow's place, and the floor; the benchmark starts it."""
    serve(Options(parts=(Part.ORDERS, Part.OUTSIDE), workflows=(TwinOrder, Empty)))

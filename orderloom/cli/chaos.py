"""`chaos`: breaks a deployment of its own while orders are under way, and proves that nothing of them is lost."""

import shutil
import sys
from pathlib import Path
from secrets import randbelow
from tempfile import mkdtemp
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from orderloom.bootstrap.fleet import Fleet
from orderloom.chaos.plan import Plan
from orderloom.chaos.report import Report, tables
from orderloom.chaos.run import prepared
from orderloom.chaos.wrong_code import WrongOrderWorkflow
from orderloom.cli.measuring import INTERRUPTED, WIDE
from orderloom.cli.running import run
from orderloom.cli.servers import serve
from orderloom.settings import Settings
from orderloom.stack import Options, Part

ORDERS = 2_000

chaos_app = App(name="chaos", help="Break a deployment on purpose, and prove that no order is lost.")


@chaos_app.default
def chaos(
    *,
    orders: Annotated[int, Parameter(help="Orders in all; each act has a share of them, and enough to be struck.")] = (
        ORDERS
    ),
    seed: Annotated[int | None, Parameter(help="Decides orders, victims and moments. [default: a new one]")] = None,
) -> None:
    """
    Kill and hinder every part of a deployment, alone and together, while orders are under way; then look at them all.

    Everything runs in processes of its own at full durability, in a temporary directory. The exit status is 1 if an
    order is lost, doubled or stuck, if books differ, or if a kind of kill struck too seldom; the logs are kept then.
    """
    directory = Path(mkdtemp(prefix="orderloom-chaos-"))
    directory.chmod(0o711)
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    reports: list[Report] = []

    def tell(step: str) -> None:
        console.print(step, highlight=False, soft_wrap=True)

    async def work() -> None:
        plan = Plan(randbelow(1_000_000) if seed is None else seed, orders)
        tell(f"seed {plan.seed}, {plan.orders} orders; logs are in {directory}")
        async with Fleet.start(directory, tell=tell) as fleet, prepared(fleet, plan, tell) as ready:
            reports.append(await ready.run())

    run(Settings(), work)
    if reports:
        _show(reports[0], console)
    if reports and not reports[0].passed:
        tell(f"seed {reports[0].seed}; the logs are kept in {directory}")
        sys.exit(1)
    shutil.rmtree(directory, ignore_errors=True)
    sys.exit(0 if reports else INTERRUPTED)


def _show(report: Report, console: Console) -> None:
    for table in tables(report):
        console.print(table)
    for failure in report.failures:
        console.print(f"[red]✗[/red] {failure}", highlight=False, soft_wrap=True)
    waves = report.waves
    console.print(
        f"{waves.waves} waves, of which kills struck {report.waves_struck}, {waves.cut_short} were cut short; "
        f"{waves.orders} orders went out as they had proposed",
        highlight=False,
    )
    console.print(
        f"{report.repeated} questions were asked again; the whole run took {report.seconds:.0f} s", highlight=False
    )


@chaos_app.command(name="wrong-worker", show=False)
def wrong_worker() -> None:
    """Run a worker whose code breaks determinism; a run starts it."""
    serve(Options(parts=(Part.ORDERS, Part.OUTSIDE, Part.ROUTING), migrate=False, workflows=(WrongOrderWorkflow,)))

"""`demo`: 200 orders of every kind, from placed to fulfilled and paid, on servers of its own."""

import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orderloom.cli.running import forever, run
from orderloom.demo.director import direct
from orderloom.demo.orders import SEED, SHARES
from orderloom.demo.play import Stage
from orderloom.demo.report import Outcome, show
from orderloom.readmodels.tally import Tally
from orderloom.settings import Settings
from orderloom.stack import WITHOUT_WORKERS, Options, Stack

demo_app = App(name="demo")


@demo_app.command
def demo(
    *,
    exit: Annotated[
        bool, Parameter(help="Leave when the orders have ended instead of staying up.", negative="")
    ] = False,
    api_port: Annotated[int, Parameter(help="Port of the API.")] = 8080,
    gateway_port: Annotated[int, Parameter(help="Port of the sandbox gateway.")] = 8090,
    temporal_ui_port: Annotated[int, Parameter(help="Port of Temporal's web pages.")] = 8233,
) -> None:
    """
    Place 200 orders and play everyone outside: locations, carriers, customers, gateway. Then show how they ended.

    Everything is started anew in a temporary directory and removed at the end. The exit status is 1 if anything does
    not balance.
    """
    balanced = True
    with ExitStack() as cleanup:
        directory = cleanup.enter_context(TemporaryDirectory(prefix="orderloom-demo-", ignore_cleanup_errors=True))
        settings = Settings(
            data_dir=Path(directory),
            database_url=None,
            keys_url=None,
            temporal_address=None,
            gateway_url=None,
            monitor_port=None,
            api_port=api_port,
            gateway_port=gateway_port,
            temporal_ui_port=temporal_ui_port,
        )

        async def play() -> None:
            nonlocal balanced
            balanced = await _demo(settings, stay=not exit)

        run(settings, play)
    sys.exit(0 if balanced else 1)


async def _demo(settings: Settings, *, stay: bool) -> bool:
    console = Console()
    started = monotonic()
    with console.status("starting servers") as status:
        running = Stack.start(
            settings, Options(durable=False, parts=WITHOUT_WORKERS, worker_process=True, tell=status.update)
        )
        stack = await running.__aenter__()
    try:
        console.print(f"servers are up after {monotonic() - started:.1f} s; seed {SEED}", highlight=False)
        outcome = await _play(console, stack)
        show(console, outcome)
        console.print(f"the whole demo took {monotonic() - started:.1f} s\n", highlight=False)
        console.print(f"API documentation  {stack.api_url}/docs", highlight=False)
        console.print(f"Temporal Web UI    {stack.addresses.temporal_ui}", highlight=False)
        if stay:
            console.print("Everything stays up; Ctrl-C stops it.")
            await forever()
    finally:
        await running.__aexit__(None, None, None)
    return outcome.balanced


async def _play(console: Console, stack: Stack) -> Outcome:
    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        placed = progress.add_task("orders placed", total=sum(SHARES.values()))
        shipped = progress.add_task("fulfillment orders shipped", total=None)
        invoiced = progress.add_task("invoices", total=None)

        def tell(tally: Tally) -> None:
            progress.update(placed, completed=tally.orders)
            progress.update(shipped, completed=tally.shipped, total=max(tally.fulfillment_orders, 1))
            progress.update(invoiced, completed=tally.invoices, total=max(tally.fulfillment_orders, 1))

        stage = Stage(database_url=stack.addresses.database_url, api_url=stack.api_url, gateway_url=stack.gateway_url)
        return await direct(stage, tell)

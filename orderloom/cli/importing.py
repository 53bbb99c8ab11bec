"""`orders import`: orders from files of other systems."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows_dsl import prebuilt
from flows_dsl.release import pack
from orderloom.bootstrap.clock import VirtualClock
from orderloom.cli.running import run
from orderloom.importing.classify import Split
from orderloom.importing.days import Day
from orderloom.importing.mapping import Mapping, load_mapping
from orderloom.importing.run import Importer, Outcome
from orderloom.importing.survey import Selection, Survey, survey
from orderloom.importing.warehouse import set_up
from orderloom.persistence.flows import publish
from orderloom.settings import Settings
from orderloom.stack import Options, Part, Stack


def import_orders(
    file: Path,
    *,
    mapping: str,
    from_: Annotated[date | None, Parameter(name="--from")] = None,
    to: date | None = None,
    check: bool = False,
    data_dir: Path | None = None,
) -> None:
    """
    Import the invoices of FILE (.csv or .csv.gz) as orders. Run again, it goes on where it stopped; nothing is doubled.

    Args:
        file: the rows, in the order of time.
        mapping: the name of a mapping that comes with Orderloom, such as online-retail, or the path of your own.
        from_: the first day, as 2011-01-01; without it, from the beginning.
        to: the last day; without it, to the end.
        check: only read the file and say how its rows would be used.
        data_dir: where the servers keep their data, as for `up`.
    """
    console = Console()
    rules = load_mapping(mapping)
    selection = Selection(path=file, since=from_, until=to)
    with console.status(f"reading {file}"):
        surveyed = survey(selection, rules)
    if check or surveyed.starts_at is None:
        _show_split(console, surveyed.split)
        return
    given = {} if data_dir is None else {"data_dir": data_dir}
    beside = {"gateway_port": 0, "monitor_port": None, "temporal_ui_port": None, "temporal_port": 0}
    settings = Settings.model_validate({**Settings().model_dump(), **beside, **given})
    outcomes: list[Outcome] = []

    async def work() -> None:
        outcomes.append(await _import(settings, rules, selection, surveyed, console))

    run(settings, work)
    if not outcomes:
        console.print("stopped; run the same command again to go on")
        sys.exit(1)
    _show(console, outcomes[0])
    sys.exit(0 if outcomes[0].split.balanced else 1)


async def _import(
    settings: Settings, mapping: Mapping, selection: Selection, surveyed: Survey, console: Console
) -> Outcome:
    assert surveyed.starts_at is not None
    clock = VirtualClock(surveyed.starts_at - datetime.now(UTC))  # noqa: TID251  # how far the file lies behind
    parts = (Part.ORDERS, Part.OUTSIDE, Part.ROUTING, Part.GATEWAY, Part.RELAY)
    options = Options(clock=clock, parts=parts, tell=lambda text: console.print(f"[dim]{text}[/dim]"))
    async with Stack.start(settings, options) as stack:
        async with stack.engine.begin() as conn:
            pin = await publish(conn, pack(prebuilt.documents()), clock.now())
            await set_up(
                conn, mapping, surveyed.goods, import_id=surveyed.id, release=pin.release, now=surveyed.starts_at
            )
        importer = Importer(stack, mapping, surveyed, settings.data_dir)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as progress:
            task = progress.add_task("orders", total=surveyed.split.placed)

            def tell(day: Day, placed: int) -> None:
                progress.update(task, advance=placed, description=f"{day.day:%Y-%m-%d}")

            return await importer.run(selection, tell)


def _show(console: Console, outcome: Outcome) -> None:
    _show_split(console, outcome.split)
    console.print(f"refused rows: {outcome.report}", soft_wrap=True)
    again = f", {outcome.skipped} were done before" if outcome.skipped else ""
    console.print(
        f"{outcome.placed} orders in {outcome.seconds:.1f} s, {outcome.orders_per_second:.1f} orders/s{again}"
    )


def _show_split(console: Console, split: Split) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "rows read": split.read,
        "in orders": split.orders,
        "in changes": split.changes,
        "in exceptions": split.exceptions,
        "refused": split.refused,
        **{f"  {reason}": count for reason, count in split.reasons.items()},
        "invoices": split.invoices,
        "  placed as orders": split.placed,
    }
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    console.print(table)
    verdict = "every row is in one place" if split.balanced else "THE ROWS DO NOT ADD UP"
    console.print(
        f"{verdict}: {split.read:,} = {split.orders:,} + {split.changes:,} + {split.exceptions:,} + {split.refused:,}"
    )

"""`figures`: measures what the documentation states, and writes it there. Nobody types a figure."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from cyclopts import App, Parameter

from orderloom.benchmark.figures import BLOCKS, RECORDS, Printed, write
from orderloom.benchmark.origin import origin
from orderloom.cli.develop import ROOT
from orderloom.cli.measuring import INTERRUPTED
from orderloom.cli.running import run
from orderloom.domain.errors import OrderloomError
from orderloom.settings import Settings

EXAMPLE = Path("examples/online-retail/2011-07-01.csv")
JANUARY = ("--from", "2011-01-01", "--to", "2011-01-31")
BAR = "\u2501"
"""What progress is drawn with; nobody wants to read it afterwards."""
COLUMNS = "100"
"""Of what is printed."""

figures_app = App(name="figures", help="Measure what the documentation states, and write it there.")


class MeasuringFailed(OrderloomError):
    """A command that measures did not end well; the figures that it gave before stay as they are.

    Run the command by itself: it says what is wrong.
    """

    code = "figures.measuring_failed"


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command whose figures are recorded."""

    words: tuple[str, ...]
    reports: bool = False
    """It keeps a report; of others it is recorded what they print."""
    beside: tuple[str, ...] = ()
    """Words that are not worth showing."""
    until: str | None = None
    """The beginning of the line from which on the output is not worth recording."""


COMMANDS = {
    "size": Command(words=("figures", "size")),
    "demo": Command(
        words=("demo", "--exit"),
        # So that an Orderloom that runs already is not in the way.
        beside=("--api-port", "0", "--gateway-port", "0", "--temporal-ui-port", "0"),
        until="API documentation",
    ),
    "import": Command(words=("orders", "import", str(EXAMPLE), "--mapping", "online-retail")),
    "benchmark": Command(words=("benchmark",), reports=True),
    "backlog": Command(words=("benchmark", "backlog"), reports=True),
    "reserve": Command(words=("benchmark", "reserve"), reports=True),
    "routing": Command(words=("benchmark", "routing"), reports=True),
    "waves": Command(words=("benchmark", "waves"), reports=True),
    "inventory": Command(words=("benchmark", "inventory"), reports=True),
}
"""What gives each block its figures."""


@figures_app.default
def figures() -> None:
    """Write the figures that are recorded in `docs/figures` into the marked blocks of README.md and docs."""
    for path in write(ROOT):
        sys.stdout.write(f"{path.relative_to(ROOT)} changed\n")


@figures_app.command
def measure(
    *names: str,
    online_retail: Annotated[Path | None, Parameter(help="The whole file: January 2011 of it is imported.")] = None,
) -> None:
    """
    Measure the figures NAMES, all of them without one, record them, and write them into README.md and docs.

    Nothing else should run on the machine meanwhile. Names are size, demo, import, benchmark, backlog, reserve,
    routing, waves and inventory.
    """
    if unknown := [name for name in names if name not in BLOCKS]:
        raise MeasuringFailed(f"There are no figures {unknown[0]}.")
    outcomes: dict[str, bool] = {}
    wanted, whole = names or tuple(COMMANDS), online_retail and online_retail.resolve()

    async def work() -> None:
        for name in wanted:
            sys.stdout.write(f"measuring {name}\n")
            sys.stdout.flush()
            outcomes[name] = await _take(name, whole)

    run(Settings(), work)
    figures()
    if len(outcomes) < len(wanted):
        sys.exit(INTERRUPTED)
    if failed := [name for name, taken in outcomes.items() if not taken]:
        raise MeasuringFailed(f"Not measured: {', '.join(failed)}.")


@figures_app.command
def size() -> None:
    """Say how much room the installed packages take."""
    server = next((ROOT / ".venv").glob("bin/temporal"), None)
    for what, found in {".venv": ROOT / ".venv", "the Temporal server": server, ".tools": ROOT / ".tools"}.items():
        if found is not None and found.exists():
            sys.stdout.write(f"{what:<24}{sum(_sizes(found)) / 1e6:>6,.0f} MB\n")


def _sizes(path: Path) -> Iterator[int]:
    """Yield the bytes on disk of everything in *path*."""
    for each in (path, *path.rglob("*")):
        yield each.lstat().st_blocks * 512


async def _take(name: str, online_retail: Path | None) -> bool:
    """Measure one and record it; False when the command did not end well."""
    command = COMMANDS[name]
    with TemporaryDirectory(prefix="orderloom-figures-", ignore_cleanup_errors=True) as directory:
        room = Path(directory)
        if command.reports:
            status, _ = await _run(command.words, room, output=None)
            record = _kept(room, name)
        else:
            status, record = await _print(name, command, room, online_retail)
    if status == 0:
        (ROOT / RECORDS).mkdir(exist_ok=True)
        (ROOT / RECORDS / f"{name}.json").write_text(record)
    return status == 0


def _kept(room: Path, name: str) -> str:
    return next((path.read_text() for path in room.glob(f"benchmarks/{name}-*.json")), "")


async def _print(name: str, command: Command, room: Path, online_retail: Path | None) -> tuple[int, str]:
    words, shown = command.words, command.words
    if name == "import" and online_retail is not None:
        rest = (*command.words[3:], *JANUARY)
        words = ("orders", "import", str(online_retail), *rest)
        shown = ("orders", "import", online_retail.name, *rest)
    at = origin(datetime.now(UTC))  # noqa: TID251  # when it is measured
    status, said = await _run((*words, *command.beside), room, output=PIPE)
    lines = [line.rstrip() for line in said.replace(str(room), ".orderloom").splitlines() if BAR not in line]
    end = next((number for number, line in enumerate(lines) if command.until and line.startswith(command.until)), None)
    kept = "\n".join(lines[:end]).strip("\n").split("\n")
    printed = Printed(kind=name, command=" ".join(("./run", *shown)), origin=at, lines=tuple(kept))
    return status, printed.model_dump_json(indent=2) + "\n"


async def _run(words: Sequence[str], room: Path, output: int | None) -> tuple[int, str]:
    """Run `orderloom` with its data in *room*; return its exit status and what it printed to *output*."""
    command = (str(Path(sys.executable).with_name("orderloom")), *words)
    given = {**os.environ, "ORDERLOOM_DATA_DIR": str(room), "COLUMNS": COLUMNS}
    running = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=given, stdout=output, start_new_session=True)
    try:
        said, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.terminate()
            await running.wait()
    return running.returncode or 0, (said or b"").decode()

"""How a command measures: in a temporary directory, with progress; the figures are shown and kept."""

import shlex
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orderloom.benchmark.errors import ToolsMissing
from orderloom.benchmark.origin import Origin, origin
from orderloom.benchmark.tables import provenance
from orderloom.cli.running import run
from orderloom.settings import Settings

TOOLS = ("psutil",)
"""Packages of the development group that measuring needs."""
INTERRUPTED = 130
WIDE = 110
"""Columns of a table that goes to a file."""


class Report(Protocol):
    """What was measured."""

    @property
    def kind(self) -> str:
        """What the report is about, in one word."""
        ...

    @property
    def passed(self) -> bool:
        """Whether everything that must hold did."""
        ...

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """Return it as JSON."""
        ...


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where something is measured."""

    directory: Path
    """For servers; removed at the end."""
    command: str
    """As it was given."""
    origin: Origin
    progress: Progress

    def tell(self, step: str) -> None:
        """Say what is going on."""
        self.progress.print(step, style="dim", highlight=False)

    def begins(self, what: str, count: int) -> Callable[[int], None]:
        """Show that something begins, and return who is told how many of *count* are done."""
        task = self.progress.add_task(what, total=count)
        return lambda done: self.progress.update(task, completed=done)


def measure[R: Report](work: Callable[[Stage], Awaitable[R]], show: Callable[[R, Console], None]) -> None:
    """
    Do *work*, show its report, and keep it as JSON. The exit status is 1 when something that must hold did not.

    Raises:
        ToolsMissing: the development group is not installed.
    """
    if missing := [tool for tool in TOOLS if find_spec(tool) is None]:
        raise ToolsMissing(f"{' and '.join(missing)} cannot be found.")
    console, settings = _console(), Settings()
    reports: list[R] = []
    with TemporaryDirectory(prefix="orderloom-benchmark-", ignore_cleanup_errors=True) as directory:
        command = shlex.join(["./run", *sys.argv[1:]])
        at = origin(datetime.now(UTC))  # noqa: TID251  # when it is measured
        with _progress(console) as progress:
            stage = Stage(directory=Path(directory), command=command, origin=at, progress=progress)

            async def measuring() -> None:
                reports.append(await work(stage))

            run(settings, measuring)
    if not reports:
        sys.exit(INTERRUPTED)
    report = reports[0]
    show(report, console)
    console.print(provenance(at), highlight=False, soft_wrap=True)
    console.print(f"kept in {_keep(report, settings, at)}", highlight=False, soft_wrap=True)
    sys.exit(0 if report.passed else 1)


def _console() -> Console:
    console = Console()
    if not console.is_terminal:
        console.width = WIDE
    return console


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _keep(report: Report, settings: Settings, at: Origin) -> Path:
    directory = settings.data_dir.expanduser() / "benchmarks"
    directory.mkdir(parents=True, exist_ok=True)
    kept = directory / f"{report.kind}-{at.measured_at:%Y%m%dT%H%M%SZ}.json"
    kept.write_text(report.model_dump_json(indent=2) + "\n")
    return kept

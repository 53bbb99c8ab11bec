"""`scenario`: what the system must do, checked against the running system."""

import sys
import tempfile
from pathlib import Path

from cyclopts import App
from rich.console import Console

from orderloom.bootstrap.clock import VirtualClock
from orderloom.cli.running import run as run_until_done
from orderloom.scenarios.case import Case
from orderloom.scenarios.runner import Verdict, read_all, run_cases
from orderloom.scenarios.schema import reference_page, schema_text
from orderloom.scenarios.show import show_sum, show_verdict
from orderloom.scenarios.source import ScenarioInvalid
from orderloom.settings import Settings
from orderloom.stack import Options, Stack

scenario_app = App(name="scenario", help="Scenarios: what the system must do, as YAML.")

PATIENCE = 30.0
"""Seconds that a request waits for its order: a scenario has no use for a 202."""


@scenario_app.command
def run(*files: Path) -> None:
    """
    Run scenario FILES, or all of a folder, against servers of their own; exit with 1 if anything differs.

    The servers are started for it and keep nothing. Time in a scenario is business time: nothing waits for real.
    """
    console = Console()
    cases = _read(files)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="orderloom-scenario-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as another user and must be able to enter
        settings = Settings(
            data_dir=Path(folder),
            api_port=0,
            gateway_port=0,
            monitor_port=None,
            temporal_port=0,
            temporal_ui_port=None,
        )
        run_until_done(settings, lambda: _run(settings, cases, console, verdicts))
    show_sum(console, verdicts)
    sys.exit(0 if len(verdicts) == len(cases) and not any(verdict.found for verdict in verdicts) else 1)


@scenario_app.command
def check(*files: Path) -> None:
    """Read scenario FILES, or all of a folder, and say what is wrong with them; nothing is run."""
    cases = _read(files)
    sys.stdout.write(f"{len(cases)} cases, nothing wrong with how they are written\n")


@scenario_app.command
def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    sys.stdout.write(schema_text())


@scenario_app.command
def reference() -> None:
    """Print the reference of scenario files, in Markdown."""
    sys.stdout.write(reference_page())


def _read(files: tuple[Path, ...]) -> list[Case]:
    try:
        return read_all(files)
    except ScenarioInvalid as error:
        sys.stderr.write(f"{error.detail}\n")
        sys.exit(2)


async def _run(settings: Settings, cases: list[Case], console: Console, verdicts: list[Verdict]) -> None:
    def tell(verdict: Verdict) -> None:
        verdicts.append(verdict)
        show_verdict(console, verdict)

    clock = VirtualClock()
    options = Options(clock=clock, durable=False, patience=PATIENCE, hang_seconds=0.2)
    async with Stack.start(settings, options) as stack:
        await run_cases(cases, ScenarioServers(stack, clock), tell)


class ScenarioServers:
    """A running stack whose clock may be set ahead."""

    def __init__(self, stack: Stack, clock: VirtualClock) -> None:
        self.engine = stack.engine
        self.client = stack.client
        self.vault = stack.vault
        self.clock = clock
        self.api_url = stack.api_url
        self.gateway_url = stack.gateway_url

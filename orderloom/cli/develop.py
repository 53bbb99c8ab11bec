"""`check` and `test`: what a developer runs before handing work in, and what CI runs."""

import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

from cyclopts import App, Parameter

ROOT = Path(__file__).parents[2]
FAST = ("architecture", "unit", "property", "contracts", "flows", "replay")
"""Test folders of the fast loop: none of them needs a server."""
UNCACHED = ("workflows", "scenarios")
"""Test folders that are run once more with the workflow cache at 0: each workflow task replays."""

develop_app = App(name="develop")


@dataclass(frozen=True)
class Finished:
    """A step that has ended: its name, exit status, output, and duration in seconds."""

    name: str
    status: int
    output: str
    seconds: float


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]


def _tool(name: str, *arguments: str) -> list[str]:
    return [str(Path(sys.executable).parent / name), *arguments]


def _step(name: str, command: Sequence[str]) -> Finished:
    started = monotonic()
    done = subprocess.run(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)  # noqa: S603  # our own commands
    return Finished(name, done.returncode, done.stdout, monotonic() - started)


def _show(finished: Finished) -> None:
    verdict = "ok" if finished.status == 0 else "FAILED"
    print(f"{finished.name:<8} {verdict:<6} {finished.seconds:5.1f} s", flush=True)  # noqa: T201
    if finished.status != 0 or finished.name == "tests":
        print(finished.output.rstrip(), flush=True)  # noqa: T201


def check() -> None:
    """Run the fast loop: format, lint, types, import contracts, and all tests that need no server."""
    folders = [f"tests/{name}" for name in FAST if (ROOT / "tests" / name).is_dir()]
    quick = [
        ("format", _tool("ruff", "format", "--check", "--quiet", ".")),
        ("lint", _tool("ruff", "check", "--quiet", ".")),
        ("borders", _tool("lint-imports", "--no-cache")),
        ("tests", _module("pytest", "-q", *folders)),
    ]
    with ThreadPoolExecutor(max_workers=1) as pool:
        types: Future[Finished] = pool.submit(_step, "types", _tool("pyright"))
        finished = [_step(name, command) for name, command in quick]
        finished.append(types.result())
    for step in finished:
        _show(step)
    sys.exit(1 if any(step.status for step in finished) else 0)


def run_tests(
    *pytest: Annotated[str, Parameter(allow_leading_hyphen=True)],
    cache: Annotated[int | None, Parameter(help="Workflow cache size of the tests' workers.")] = None,
    checked: Annotated[
        bool, Parameter(help="Leave out what `check` runs, which has just been run.", negative="")
    ] = False,
) -> None:
    """
    Run the whole test suite with its own servers, then the workflow and scenario tests with the cache at 0.

    With --cache only the workflow and scenario tests run, with that cache. Other arguments go to pytest.
    """
    if cache is not None:
        sys.exit(_pytest(_folders(UNCACHED), "--cache", str(cache), *pytest))
    if pytest:
        sys.exit(_pytest([], *pytest))
    left_out = FAST if checked else ()
    whole = _pytest(["tests"], *(f"--ignore={folder}" for folder in _folders(left_out)))
    uncached = _pytest(_folders(UNCACHED), "--cache", "0")
    sys.exit(whole or uncached)


def _folders(names: Sequence[str]) -> list[str]:
    return [f"tests/{name}" for name in names]


def _pytest(folders: Sequence[str], *arguments: str) -> int:
    return subprocess.run(_module("pytest", *folders, *arguments), cwd=ROOT, check=False).returncode  # noqa: S603


develop_app.command(check)
develop_app.command(run_tests, name="test")

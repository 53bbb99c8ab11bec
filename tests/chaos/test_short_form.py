"""`orderloom chaos` in short: 300 orders, every kind of kill and hindrance, and the verdict after each."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ORDERS = 300
PATIENCE = 180.0
"""Seconds that the short form may take, with its start."""


@pytest.fixture
def room() -> Iterator[Path]:
    """Return a directory for everything that the command writes."""
    path = Path(tempfile.mkdtemp(prefix="ol-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


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
    """Every order ends as it was promised after each kind of blow, and each kind of kill struck often enough."""
    process = await _chaos(room, "--orders", str(ORDERS))
    async with asyncio.timeout(PATIENCE):
        said = (await process.communicate())[0].decode()

    sys.stdout.write(said)
    assert process.returncode == 0, said
    for kind in ("worker", "API", "relay", "Temporal", "PostgreSQL", "together"):
        row = re.search(rf"^{kind} +\d+ +(\d+) ", said, re.MULTILINE)
        assert row is not None, said
        assert int(row[1]) >= 5, said
    assert sum(map(int, re.findall(r": (\d+) orders ended ", said))) >= ORDERS
    assert os.listdir(room) == []
    assert _running(room) == []


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

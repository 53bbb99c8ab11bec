"""`orderloom up`: it starts, refuses in one sentence, and never leaves a process behind."""

import asyncio
import os
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

PATIENCE = 60.0
ANY_PORTS = ("--api-port", "0", "--gateway-port", "0", "--temporal-ui-port", "0")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Return a data directory that may be entered by PostgreSQL's own user."""
    path = Path(tempfile.mkdtemp(prefix="ol-up-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Up:
    """`orderloom up` processes of one test."""

    def __init__(self, data_dir: Path) -> None:
        """Take the data directory."""
        self.data_dir = data_dir
        self.processes: list[Process] = []

    async def start(self, *arguments: str, data_dir: Path | None = None) -> Process:
        """Start one."""
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from orderloom.cli import main; main()",
            "up",
            "--data-dir",
            str(data_dir or self.data_dir),
            *(arguments or ANY_PORTS),
            stdout=PIPE,
            stderr=PIPE,
        )
        self.processes.append(started)
        return started

    async def ready(self, process: Process) -> str:
        """Return the address of the API when the process says that it is ready."""
        assert process.stdout is not None
        api = ""
        async with asyncio.timeout(PATIENCE):
            while not (line := (await process.stdout.readline()).decode()).startswith("ready"):
                assert line, (await process.communicate())[1].decode()
                api = line.split()[-1].removesuffix("/docs") if line.startswith("API") else api
        return api

    async def refused(self, *arguments: str, data_dir: Path | None = None) -> str:
        """Start one that must be refused, and return what it says."""
        process = await self.start(*arguments, data_dir=data_dir)
        async with asyncio.timeout(PATIENCE):
            _, said = await process.communicate()
        assert process.returncode == 2, said.decode()
        return said.decode()

    def running(self) -> list[str]:
        """Return the names of processes that work on the data directory."""
        return [
            process.info["name"]
            for process in psutil.process_iter(["name", "cmdline"])
            if process.pid != os.getpid() and str(self.data_dir) in " ".join(process.info["cmdline"] or ())
        ]

    async def until_nothing_runs(self) -> None:
        """Wait until no process works on the data directory."""
        async with asyncio.timeout(PATIENCE):
            while self.running():  # noqa: ASYNC110  # other processes set no event of ours
                await asyncio.sleep(0.05)


@pytest.fixture
async def up(data_dir: Path) -> AsyncIterator[Up]:
    """Return a starter whose processes are gone at the end."""
    up = Up(data_dir)
    yield up
    for process in up.processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()
    await up.until_nothing_runs()


async def test_up_serves_and_stops_in_order(up: Up) -> None:
    """It answers when it says ready; SIGTERM ends it with status 0, without a word, and nothing runs on."""
    process = await up.start()
    api = await up.ready(process)
    async with httpx.AsyncClient(base_url=api) as http:
        health = await http.get("/health/ready")

    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        _, said = await process.communicate()

    assert health.status_code == 200
    assert (process.returncode, said.decode()) == (0, "")
    assert up.running() == []


async def test_a_killed_up_takes_its_servers_along(up: Up) -> None:
    """After kill -9 no server is left, and the next start on the same data works."""
    first = await up.start()
    await up.ready(first)

    first.kill()
    await first.communicate()
    await up.until_nothing_runs()
    second = await up.start()

    assert (await up.ready(second)).startswith("http://127.0.0.1:")


async def test_a_second_up_on_the_same_data_is_refused(up: Up) -> None:
    """It names the directory and the process that has it; the first goes on."""
    first = await up.start()
    api = await up.ready(first)

    said = await up.refused()

    assert said.count("\n") == 1
    assert f"{up.data_dir} is in use by process {first.pid}" in said
    async with httpx.AsyncClient(base_url=api) as http:
        assert (await http.get("/health/ready")).status_code == 200


async def test_a_taken_port_is_refused_before_anything_starts(up: Up) -> None:
    """It names the port; no server was started and nothing was written."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        said = await up.refused("--api-port", str(port), "--gateway-port", "0", "--temporal-ui-port", "0")

    assert said.count("\n") == 1
    assert f"Port {port} of 127.0.0.1 for the API is taken" in said
    assert list(up.data_dir.iterdir()) == []


async def test_a_data_directory_that_cannot_be_written_is_refused(up: Up) -> None:
    """It names the directory, in one sentence."""
    said = await up.refused(data_dir=Path("/dev/null/orderloom"))

    assert said.count("\n") == 1
    assert "The data directory /dev/null/orderloom cannot be written" in said

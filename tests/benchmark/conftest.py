"""A fleet of processes on servers of its own, for all tests of this folder: what is measured runs as in production."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from orderloom.benchmark.run import TWIN
from orderloom.bootstrap.fleet import Fleet

UNSANDBOXED = {"ORDERLOOM_SANDBOX": "false"}


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Return a directory that PostgreSQL's own user may enter, with a short path."""
    path = Path(tempfile.mkdtemp(prefix="ol-bench-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
async def fleet(directory: Path) -> AsyncIterator[Fleet]:
    """Return a running fleet."""
    async with Fleet.start(directory, settings=UNSANDBOXED, namespaces=[TWIN]) as fleet:
        yield fleet

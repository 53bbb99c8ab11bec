"""
Servers for all tests: one PostgreSQL and one Temporal for the whole session, and room of its own for each test.

A test gets a database cloned from the migrated template and a namespace of Temporal that nobody used before.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.bootstrap.temporal_client import connect
from orderloom.persistence.vault import Vault

NAMESPACES = tuple(f"test-{number}" for number in range(200))
TEMPLATE = "template_orderloom"
MASTER_KEY = bytes(range(32))

_numbers = count()

# A database is a thousand files, and servers write logs ahead: in memory that takes a tenth of the time.
_MEMORY = Path("/dev/shm")
if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > 4 * 1024**3:
    tempfile.tempdir = os.environ["TMPDIR"] = str(_MEMORY)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this suite."""
    parser.addoption(
        "--cache", type=int, default=500, help="Workflow cache of the tests' workers; 0 replays every workflow task."
    )


def pytest_configure(config: pytest.Config) -> None:
    """
    Run workflows in Temporal's sandbox, which catches what would break a replay, or have every task replayed.

    Without a cache they run as in production: the sandbox would be made anew for every task.
    """
    os.environ["ORDERLOOM_SANDBOX"] = "true" if config.getoption("--cache") else "false"


@pytest.fixture(scope="session")
def workflow_cache(request: pytest.FixtureRequest) -> int:
    """Return how many workflows the tests' workers keep in memory."""
    return request.config.getoption("--cache")


@pytest.fixture(scope="session")
def server_directory() -> Iterator[DataDirectory]:
    """Return a directory for the session's servers, with a short path."""
    path = Path(tempfile.mkdtemp(prefix="ol-"))
    path.chmod(0o711)  # PostgreSQL runs as another user when the tests run as root
    directory = DataDirectory(path)
    yield directory
    directory.release()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
async def postgres(server_directory: DataDirectory) -> AsyncIterator[EmbeddedPostgres]:
    """Return the session's PostgreSQL server."""
    server = await EmbeddedPostgres.start(server_directory, durable=False)
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def database_template(postgres: EmbeddedPostgres) -> str:
    """Return the name of a migrated, empty database that tests copy; it holds the keys' tables too."""
    url = await postgres.ensure_database(TEMPLATE)
    await migrate(url, url)
    return TEMPLATE


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[str]:
    """Return the URL of a migrated, empty database of this test's own."""
    name = f"test_{next(_numbers)}"
    yield await postgres.ensure_database(name, template=database_template)
    await postgres.drop_database(name)


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on this test's own database."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def vault(engine: AsyncEngine) -> Vault:
    """Return a vault whose keys stand in this test's own database."""
    return Vault(engine, MASTER_KEY)


@pytest.fixture(scope="session")
async def temporal(server_directory: DataDirectory) -> AsyncIterator[EmbeddedTemporal]:
    """Return the session's Temporal server."""
    server = await EmbeddedTemporal.start(server_directory.path, persistent=False, namespaces=NAMESPACES)
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def namespaces() -> Iterator[str]:
    """Return the namespaces that no test has used yet."""
    return iter(NAMESPACES)


@pytest.fixture
async def client(temporal: EmbeddedTemporal, namespaces: Iterator[str]) -> Client:
    """Return a client in a namespace of this test's own."""
    return await connect(temporal.address, namespace=next(namespaces))

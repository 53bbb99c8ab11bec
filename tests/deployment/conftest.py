"""One deployment for the tests of this folder; a test that ends a process of it starts that again."""

import asyncio
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.delivery import Courier
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.bootstrap.servers import Addresses
from orderloom.bootstrap.temporal_client import connect
from orderloom.persistence.vault import Vault
from orderloom.settings import Settings
from orderloom.stack import Stack
from tests.conftest import MASTER_KEY
from tests.deployment.compose import ROOT, ours, services
from tests.deployment.deployment import Deployment, Ways
from tests.deployment.proxy import Proxy
from tests.workflows.shop import Shop, open_shop

PROGRAMS = next(Path(sys.prefix).glob("lib/*/site-packages/embedded_postgres/pginstall/bin"))
"""PostgreSQL's own."""


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Return a directory for the processes' logs and the gateway's books."""
    path = Path(tempfile.mkdtemp(prefix="ol-deploy-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
async def addresses(postgres: EmbeddedPostgres, temporal: EmbeddedTemporal) -> AsyncIterator[Addresses]:
    """Return the servers, with what the Compose file's PostgreSQL makes when it is new: roles, and two databases."""
    orders, keys = postgres.url("orderloom"), postgres.url("orderloom_keys")
    administration = {"PGHOST": _sockets(orders), "PGUSER": "postgres", "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    await _run(
        str(ROOT / "deploy/postgres/create-databases.sh"), **administration, **services()["postgres"]["environment"]
    )
    yield Addresses(database_url=orders, keys_url=keys, temporal_address=temporal.address)
    for name in ("orderloom", "orderloom_keys"):
        await postgres.drop_database(name)
    await _run("psql", "--command", "DROP ROLE orderloom, temporal", "--dbname", "postgres", **administration)


@pytest.fixture(scope="module")
async def ways(addresses: Addresses, namespaces: Iterator[str], directory: Path) -> AsyncIterator[Ways]:
    """Return ways to the servers."""
    sockets = _sockets(addresses.database_url)
    async with Proxy.to(f"{sockets}/.s.PGSQL.5432") as postgres, Proxy.to(addresses.temporal_address) as temporal:
        yield Ways(postgres=postgres, temporal=temporal, namespace=next(namespaces), directory=directory)


@pytest.fixture(scope="module")
async def deployment(addresses: Addresses, ways: Ways) -> AsyncIterator[Deployment]:
    """Return the running deployment, whose shop is open."""
    migrate = str(Path(sys.executable).with_name("orderloom"))
    await _run(migrate, *ours()["migrate"]["command"], **ways.environment("migrate"))
    async with _shop(addresses, ways) as shop, Deployment.start(ways, shop) as deployment:
        yield deployment


async def _run(*command: str, **environment: str) -> None:
    """Run a command that must end well."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


def _sockets(url: str) -> str:
    """Return the directory of PostgreSQL's sockets."""
    return parse_qs(urlsplit(url).query)["host"][0]


@asynccontextmanager
async def _shop(addresses: Addresses, ways: Ways) -> AsyncGenerator[Shop]:
    """Give a shop that talks to the processes; it looks at the servers by a way that is never cut."""
    async with AsyncExitStack() as stack:
        engine, keys = create_engine(addresses.database_url), create_engine(addresses.keys_url)
        stack.push_async_callback(engine.dispose)
        stack.push_async_callback(keys.dispose)
        await open_shop(engine)
        client = await connect(addresses.temporal_address, namespace=ways.namespace)
        yield Shop(
            Stack(
                settings=Settings(),
                addresses=addresses,
                engine=engine,
                vault=Vault(keys, MASTER_KEY),
                client=client,
                clock=Clock(),
                courier=Courier(client, engine),
                api_url=f"http://127.0.0.1:{ways.api}",
                gateway_url=f"http://127.0.0.1:{ways.gateway}",
                monitor_url="",
            )
        )

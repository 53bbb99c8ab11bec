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
from tests.deployment.compose import ours
from tests.deployment.deployment import Deployment, Ways
from tests.deployment.proxy import Proxy
from tests.workflows.shop import Shop, open_shop


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """Return a directory for the processes' logs and the gateway's books."""
    path = Path(tempfile.mkdtemp(prefix="ol-deploy-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="module")
async def addresses(postgres: EmbeddedPostgres, temporal: EmbeddedTemporal) -> AsyncIterator[Addresses]:
    """Return the servers, with two empty databases under the names that the Compose file gives them."""
    names = ("orderloom", "orderloom_keys")
    orders, keys = [await postgres.ensure_database(name) for name in names]
    yield Addresses(database_url=orders, keys_url=keys, temporal_address=temporal.address)
    for name in names:
        await postgres.drop_database(name)


@pytest.fixture(scope="module")
async def ways(addresses: Addresses, namespaces: Iterator[str], directory: Path) -> AsyncIterator[Ways]:
    """Return ways to the servers."""
    sockets = parse_qs(urlsplit(addresses.database_url).query)["host"][0]
    async with Proxy.to(f"{sockets}/.s.PGSQL.5432") as postgres, Proxy.to(addresses.temporal_address) as temporal:
        yield Ways(postgres=postgres, temporal=temporal, namespace=next(namespaces), directory=directory)


@pytest.fixture(scope="module")
async def deployment(addresses: Addresses, ways: Ways) -> AsyncIterator[Deployment]:
    """Return the running deployment, whose shop is open."""
    await _migrate(ways)
    async with _shop(addresses, ways) as shop, Deployment.start(ways, shop) as deployment:
        yield deployment


async def _migrate(ways: Ways) -> None:
    command = (Path(sys.executable).with_name("orderloom"), *ours()["migrate"]["command"])
    environment = {**os.environ, **ways.environment("migrate")}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=PIPE, stderr=STDOUT)
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


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

"""The servers that Orderloom needs: those that the settings name, or embedded ones."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, Interceptor
from temporalio.runtime import Runtime

from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.database import create_engine, migrate
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.bootstrap.errors import ServerUnreachable, StartRefused
from orderloom.bootstrap.master_key import master_key
from orderloom.bootstrap.temporal_client import connect
from orderloom.persistence.migrate import is_behind
from orderloom.persistence.vault import Vault
from orderloom.settings import Settings


class SettingMissing(StartRefused):
    """A setting is missing.

    Set the environment variable that the sentence names.
    """

    code = "start.setting_missing"


class SchemaBehind(StartRefused):
    """The databases lack what this version needs.

    Run `orderloom migrate` of this version first, once; processes of the version before go on meanwhile.
    """

    code = "start.schema_behind"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the servers are."""

    database_url: str
    keys_url: str
    temporal_address: str
    temporal_ui: str | None = None


@dataclass(frozen=True, kw_only=True)
class Connections:
    """Connections to the servers, for one process."""

    engine: AsyncEngine
    keys: AsyncEngine
    vault: Vault
    client: Client
    addresses: Addresses


@asynccontextmanager
async def embedded(
    settings: Settings, *, durable: bool = True, tell: Callable[[str], None] = lambda _: None
) -> AsyncGenerator[Addresses]:
    """
    Start the servers that the settings do not name, and stop them at the end, Temporal first.

    Args:
        durable: False for data that nobody needs after this process.
        tell: is told of each step that takes a while.

    Raises:
        StartRefused: one of its subclasses says what is in the way; nothing is left running.
    """
    async with AsyncExitStack() as stack:
        urls = settings.database_url, settings.keys_url
        temporal, ui = settings.temporal_address, None
        if urls[0] is not None and urls[1] is None:
            raise SettingMissing("DATABASE_URL is set, but ORDERLOOM_KEYS_URL is not: persons' keys need a database.")
        if urls[0] is None or temporal is None:
            directory = DataDirectory(settings.data_dir)
            stack.callback(directory.release)
            if urls[0] is None:
                tell("starting PostgreSQL")
                postgres = await EmbeddedPostgres.start(directory, durable=durable)
                stack.push_async_callback(postgres.stop)
                urls = await postgres.ensure_database("orderloom"), await postgres.ensure_database("orderloom_keys")
            if temporal is None:
                tell("starting Temporal")
                server = await EmbeddedTemporal.start(
                    directory.path,
                    port=settings.temporal_port,
                    ui_port=settings.temporal_ui_port,
                    persistent=durable,
                    namespaces=() if settings.temporal_namespace == "default" else (settings.temporal_namespace,),
                )
                stack.push_async_callback(server.stop)
                temporal, ui = server.address, server.ui_url
        assert urls[0] is not None
        assert urls[1] is not None
        yield Addresses(database_url=urls[0], keys_url=urls[1], temporal_address=temporal, temporal_ui=ui)


def environment(addresses: Addresses, data_dir: Path) -> dict[str, str]:
    """Return the environment variables that let another process use the same servers and the same master key."""
    return {
        "DATABASE_URL": addresses.database_url,
        "ORDERLOOM_KEYS_URL": addresses.keys_url,
        "TEMPORAL_ADDRESS": addresses.temporal_address,
        "ORDERLOOM_DATA_DIR": str(data_dir),
    }


def named(settings: Settings) -> Addresses:
    """
    Return the addresses that the settings name.

    Raises:
        SettingMissing: one is not set; only `orderloom up` starts servers.
    """
    if settings.database_url is None or settings.keys_url is None or settings.temporal_address is None:
        raise SettingMissing(
            "DATABASE_URL, ORDERLOOM_KEYS_URL and TEMPORAL_ADDRESS must be set: only `orderloom up` starts servers."
        )
    return Addresses(
        database_url=settings.database_url,
        keys_url=settings.keys_url,
        temporal_address=settings.temporal_address,
    )


@asynccontextmanager
async def connections(
    settings: Settings,
    addresses: Addresses,
    *,
    runtime: Runtime | None = None,
    interceptors: Sequence[Interceptor] = (),
) -> AsyncGenerator[Connections]:
    """
    Connect to the servers, and let go of them at the end.

    Args:
        runtime: of the Temporal client and its workers; None for the process's own.
        interceptors: watch that client and its workers.

    Raises:
        ServerUnreachable: one does not answer.
    """
    engine = create_engine(addresses.database_url, pool_size=settings.pool_size)
    keys = create_engine(addresses.keys_url, pool_size=min(settings.pool_size, 5))
    try:
        await _reach("PostgreSQL", lambda: _ask(engine), lambda: _ask(keys))
        client = await _temporal(settings, addresses, runtime, interceptors)
        vault = Vault(keys, master_key(settings))
        yield Connections(engine=engine, keys=keys, vault=vault, client=client, addresses=addresses)
    finally:
        await engine.dispose()
        await keys.dispose()


async def bring_up_to_date(addresses: Addresses) -> None:
    """
    Bring both databases to the schema that this version needs.

    Raises:
        ServerUnreachable: a database does not answer.
    """
    await _reach("PostgreSQL", lambda: migrate(addresses.database_url, addresses.keys_url))


async def require_up_to_date(addresses: Addresses) -> None:
    """
    Make sure that both databases have what this version needs; they may be ahead of it.

    Raises:
        ServerUnreachable: a database does not answer.
        SchemaBehind: one lacks something.
    """

    async def require() -> None:
        if await is_behind(addresses.database_url, addresses.keys_url):
            raise SchemaBehind("The databases are not at the schema that this version needs.")

    await _reach("PostgreSQL", require)


async def _temporal(
    settings: Settings, addresses: Addresses, runtime: Runtime | None, interceptors: Sequence[Interceptor]
) -> Client:
    try:
        return await connect(
            addresses.temporal_address,
            namespace=settings.temporal_namespace,
            tls=settings.temporal_tls,
            api_key=settings.temporal_api_key,
            runtime=runtime,
            interceptors=interceptors,
        )
    except RuntimeError as error:
        raise ServerUnreachable(
            f"Temporal does not answer at {addresses.temporal_address}.", server="Temporal"
        ) from error


async def _reach(server: str, *calls: Callable[[], Awaitable[None]]) -> None:
    for call in calls:
        try:
            await call()
        except (OSError, SQLAlchemyError) as error:
            raise ServerUnreachable(f"{server} does not answer: {error}.", server=server) from error


async def _ask(engine: AsyncEngine) -> None:
    async with engine.connect() as conn:
        await conn.execute(text("SELECT 1"))

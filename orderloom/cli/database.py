"""Which databases a command means that needs nothing else of Orderloom."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.errors import DataDirectoryLocked, StartRefused
from orderloom.settings import Settings

ORDERS, KEYS = "orderloom", "orderloom_keys"


class KeysMissing(StartRefused):
    """The database of keys is not named.

    Set `ORDERLOOM_KEYS_URL` beside `ORDERLOOM_DATABASE_URL`.
    """

    code = "start.keys_missing"


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncGenerator[str]:
    """Give the database that the settings name, else the embedded one, started for the while unless it runs."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    async with _embedded(settings) as (orders, _):
        yield orders


@asynccontextmanager
async def database_urls(settings: Settings) -> AsyncGenerator[tuple[str, str]]:
    """
    Give the database of orders and that of keys, as ``database_url`` gives the first.

    Raises:
        KeysMissing: the settings name only the first.
    """
    if settings.database_url is None:
        async with _embedded(settings) as urls:
            yield urls
        return
    if settings.keys_url is None:
        raise KeysMissing("ORDERLOOM_DATABASE_URL is set and ORDERLOOM_KEYS_URL is not.")
    yield settings.database_url, settings.keys_url


@asynccontextmanager
async def _embedded(settings: Settings) -> AsyncGenerator[tuple[str, str]]:
    async with AsyncExitStack() as stack:
        try:
            directory = DataDirectory(settings.data_dir)
        except DataDirectoryLocked:
            sockets = settings.data_dir.expanduser().resolve() / "run"
            if not (sockets / ".s.PGSQL.5432").exists():
                raise
            yield f"postgresql://postgres@/{ORDERS}?host={sockets}", f"postgresql://postgres@/{KEYS}?host={sockets}"
            return
        stack.callback(directory.release)
        server = await EmbeddedPostgres.start(directory)
        stack.push_async_callback(server.stop)
        yield await server.ensure_database(ORDERS), await server.ensure_database(KEYS)

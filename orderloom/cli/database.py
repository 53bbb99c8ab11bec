"""Which database a command means that needs nothing else of Orderloom."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.errors import DataDirectoryLocked
from orderloom.settings import Settings


@asynccontextmanager
async def database_url(settings: Settings) -> AsyncGenerator[str]:
    """Give the database that the settings name, else the embedded one, started for the while unless it runs."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    async with AsyncExitStack() as stack:
        try:
            directory = DataDirectory(settings.data_dir)
        except DataDirectoryLocked:
            sockets = settings.data_dir.expanduser().resolve() / "run"
            if not (sockets / ".s.PGSQL.5432").exists():
                raise
            yield f"postgresql://postgres@/orderloom?host={sockets}"
            return
        stack.callback(directory.release)
        server = await EmbeddedPostgres.start(directory)
        stack.push_async_callback(server.stop)
        yield await server.ensure_database("orderloom")

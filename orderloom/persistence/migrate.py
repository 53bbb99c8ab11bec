"""Brings both databases to the schema that this version needs. Safe to run at every start."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from orderloom.persistence.locks import KEYS
from orderloom.persistence.tables.persons import keys_metadata

MIGRATIONS = Path(__file__).parent / "migrations"


async def upgrade(url: str, keys_url: str | None = None, *, revision: str = "head") -> None:
    """
    Bring the database at *url* to *revision*, and the keys database at *keys_url* to its tables.

    Processes that call this at once wait for each other. A schema that is up to date is left alone.
    """
    engine = create_async_engine(_with_driver(url), poolclass=NullPool)
    async with engine.connect() as conn:
        await conn.run_sync(_upgrade, revision)
    await engine.dispose()
    if keys_url is not None:
        await create_keys(keys_url)


async def create_keys(keys_url: str) -> None:
    """Create the tables of the keys database, unless they are there."""
    engine = create_async_engine(_with_driver(keys_url), poolclass=NullPool)
    async with engine.begin() as conn:
        await conn.execute(text(f"SELECT pg_advisory_xact_lock({KEYS})"))
        await conn.run_sync(keys_metadata.create_all)
    await engine.dispose()


async def is_behind(url: str, keys_url: str) -> bool:
    """Tell whether one of the databases lacks what this version needs; one of a later version does not."""
    engine, keys = (create_async_engine(_with_driver(each), poolclass=NullPool) for each in (url, keys_url))
    async with engine.connect() as conn, keys.connect() as keys_conn:
        behind = await conn.run_sync(_is_behind) or await keys_conn.run_sync(_lacks_keys)
    await engine.dispose()
    await keys.dispose()
    return behind


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for the migrations that are installed with the package."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(config(connection), revision)


def _is_behind(connection: Connection) -> bool:
    script = ScriptDirectory.from_config(config())
    known = {revision.revision for revision in script.walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    return current is None or current in known - {script.get_current_head()}


def _lacks_keys(connection: Connection) -> bool:
    found = inspect(connection)
    return not all(found.has_table(name) for name in keys_metadata.tables)


def _with_driver(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+asyncpg")

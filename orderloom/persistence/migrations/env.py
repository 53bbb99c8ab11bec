"""What Alembic runs: on the connection it is given, or else on one of its own to ``sqlalchemy.url``."""

import asyncio

from alembic import context
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from orderloom.persistence.locks import MIGRATION
from orderloom.persistence.tables import metadata

ONE_AT_A_TIME = text(f"SELECT pg_advisory_xact_lock({MIGRATION})")
"""Several processes may start at once: the others wait here and find the work done."""


def run(connection: Connection) -> None:
    """Run the migrations on *connection* in one transaction."""
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        connection.execute(ONE_AT_A_TIME)
        context.run_migrations()


async def connect_and_run() -> None:
    """Run the migrations on a connection of their own."""
    url = context.config.get_main_option("sqlalchemy.url") or ""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()


given = context.config.attributes.get("connection")
if given is None:
    asyncio.run(connect_and_run())
else:
    run(given)

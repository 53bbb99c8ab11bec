"""One database for all money tests, emptied before each: cloning one takes longer than a test."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.unit import Services
from orderloom.bootstrap.database import create_engine
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.gateways.sandbox.books import Books
from orderloom.persistence.tables import metadata
from orderloom.persistence.tables.persons import keys_metadata
from orderloom.persistence.vault import Vault

from .rows import stock_world
from .shop import Shop


@pytest.fixture(scope="session")
async def money_engine(postgres: EmbeddedPostgres, database_template: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine on the database of the money tests."""
    engine = create_engine(await postgres.ensure_database("money", template=database_template))
    async with engine.begin() as conn:
        await conn.run_sync(keys_metadata.create_all)
    yield engine
    await engine.dispose()
    await postgres.drop_database("money")


@pytest.fixture
async def shop(money_engine: AsyncEngine) -> AsyncIterator[Shop]:
    """An empty shop: stock of 10 X, Y and S at locations A and B, and a gateway's empty books."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    async with money_engine.begin() as conn:
        await conn.execute(text(f"TRUNCATE {names} RESTART IDENTITY"))
        await stock_world(conn)
    books = Books()
    yield Shop(services=Services(engine=money_engine, vault=Vault(money_engine, bytes(32))), books=books)
    books.close()

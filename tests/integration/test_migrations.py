"""The migrations make exactly the tables that the models say."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orderloom.bootstrap.database import sqlalchemy_url
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.persistence.locks import RELAY_LEADER
from orderloom.persistence.migrate import create_keys, is_behind, upgrade
from orderloom.persistence.tables import metadata

SHAPE = text(
    """
    SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' '
           || COALESCE(column_default, '') || ' ' || is_identity
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
              WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version'
    UNION ALL SELECT sequencename || ' ' || start_value || ' ' || increment_by FROM pg_sequences
              WHERE schemaname = 'public'
    ORDER BY 1
    """
)


@pytest.fixture
async def migrated(postgres: EmbeddedPostgres) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a database that only the migrations have touched."""
    url = await postgres.ensure_database("migrated_only")
    await upgrade(url)
    engine = create_async_engine(sqlalchemy_url(url))
    yield engine
    await engine.dispose()
    await postgres.drop_database("migrated_only")


async def _shape(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as conn:
        return list(await conn.scalars(SHAPE))


async def test_migrations_equal_the_models(migrated: AsyncEngine, postgres: EmbeddedPostgres) -> None:
    """Columns, defaults, indexes, constraints and sequences are the same, however the tables are made."""
    url = await postgres.ensure_database("models_only")
    modelled = create_async_engine(sqlalchemy_url(url))
    async with modelled.begin() as conn:
        await conn.run_sync(metadata.create_all)

    expected = await _shape(modelled)
    await modelled.dispose()
    await postgres.drop_database("models_only")

    assert await _shape(migrated) == expected
    assert len(expected) > 200


async def test_alembic_finds_nothing_to_do(migrated: AsyncEngine) -> None:
    """Autogenerating on a migrated database would be empty."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with migrated.connect() as conn:
        assert await conn.run_sync(differences) == []


async def test_upgrading_again_changes_nothing(
    engine: AsyncEngine, database_url: str, postgres: EmbeddedPostgres
) -> None:
    """Upgrade may run at every start, with the keys database or without."""
    keys = await postgres.ensure_database("keys_twice")
    before = await _shape(engine)

    await upgrade(database_url, keys)
    await upgrade(database_url, keys)
    await create_keys(keys)
    await postgres.drop_database("keys_twice")

    assert await _shape(engine) == before


async def test_stock_of_before_is_noted_as_an_opening(postgres: EmbeddedPostgres) -> None:
    """The changes of each shelf add up to what is on hand, those of before among them; an empty shelf gets none."""
    url = await postgres.ensure_database("stocked_before")
    await upgrade(url, revision="0022")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.begin() as conn:
        for statement in (
            "INSERT INTO locations (id, name, country) VALUES ('A', '', 'DE')",
            "INSERT INTO products (sku, name) VALUES ('S', ''), ('T', ''), ('U', '')",
            "INSERT INTO stock (location_id, sku, on_hand) VALUES ('A', 'S', 7), ('A', 'T', 0), ('A', 'U', 2)",
            "INSERT INTO stock_changes (location_id, sku, quantity, cause, at) "
            "VALUES ('A', 'S', -3, 'ORDER-F1', '2026-03-01'), ('A', 'U', 2, 'count', '2026-03-01')",
        ):
            await conn.execute(text(statement))

    await upgrade(url)

    async with engine.connect() as conn:
        noted = await conn.execute(text("SELECT sku, quantity, cause FROM stock_changes ORDER BY id"))
        assert [tuple(row) for row in noted] == [("S", -3, "ORDER-F1"), ("U", 2, "count"), ("S", 10, "opening")]
    await engine.dispose()
    await postgres.drop_database("stocked_before")


async def test_the_schema_is_brought_up_to_date_while_a_relay_leads(postgres: EmbeddedPostgres) -> None:
    """A process that starts beside a leading relay does not wait for it: their locks have numbers of their own."""
    url = await postgres.ensure_database("led")
    engine = create_async_engine(sqlalchemy_url(url))
    async with engine.connect() as leader:
        assert await leader.scalar(text(f"SELECT pg_try_advisory_lock({RELAY_LEADER})"))

        async with asyncio.timeout(30):
            await upgrade(url, url)

        assert await leader.scalar(text("SELECT to_regclass('orders') IS NOT NULL"))
    await engine.dispose()
    await postgres.drop_database("led")


async def test_behind_is_what_lacks_something(
    engine: AsyncEngine, database_url: str, postgres: EmbeddedPostgres
) -> None:
    """A database without tables or without keys is behind; a migrated one is not, nor one of a later version."""
    empty = await postgres.ensure_database("empty")

    assert await is_behind(empty, database_url)
    assert await is_behind(database_url, empty)
    assert not await is_behind(database_url, database_url)
    async with engine.begin() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = 'later'"))
    assert not await is_behind(database_url, database_url)
    await postgres.drop_database("empty")

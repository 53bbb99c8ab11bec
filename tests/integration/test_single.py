"""Single statements: each commits by itself and leaves its connection as it found it."""

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.persistence.single import fetch

WRITE = text("INSERT INTO marks (at) VALUES (now())")


@pytest.fixture
async def one(database_url: str) -> AsyncEngine:
    """Return an engine with one connection, so that everyone gets the same."""
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        await conn.execute(text("CREATE TABLE marks (at timestamptz)"))
    return engine


async def _written(engine: AsyncEngine) -> int:
    return (await fetch(engine, text("SELECT COUNT(*) FROM marks")))[0][0]


async def test_a_single_statement_commits_by_itself(one: AsyncEngine) -> None:
    """What it wrote is there at once; a transaction on the same connection is one that can be rolled back."""
    assert await fetch(one, WRITE) == ()
    async with one.connect() as conn:
        await conn.execute(WRITE)
        await conn.rollback()

    assert await _written(one) == 1
    await one.dispose()


async def test_a_single_statement_that_is_cancelled_keeps_no_connection(one: AsyncEngine) -> None:
    """Whoever comes next gets one, though there is only one to be had."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await fetch(one, text("SELECT pg_sleep(2)"))

    async with asyncio.timeout(1):
        assert await _written(one) == 0
    await one.dispose()

"""Connections to PostgreSQL that lead nowhere are given up, and others take their place."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap import database
from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.chaos.wire import Wire

SILENCE = 0.5


@pytest.fixture
async def wire(server_directory: DataDirectory) -> AsyncIterator[Wire]:
    """Return a wire to the session's PostgreSQL."""
    wire = Wire(server_directory.path / "wire", server_directory.socket_directory())
    async with wire.laid():
        yield wire
    (server_directory.path / "wire" / ".s.PGSQL.5432").unlink(missing_ok=True)
    (server_directory.path / "wire").rmdir()


@pytest.fixture
async def engine(database_url: str, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncEngine]:
    """Return an engine with a pool of two at the wire's end."""
    monkeypatch.setattr(database, "SILENCE", SILENCE)
    engine = database.create_engine(wire.url(database_url), pool_size=2)
    yield engine
    await engine.dispose()


async def _ask(engine: AsyncEngine) -> int:
    async with engine.begin() as conn:
        return await conn.scalar(text("SELECT 1")) or 0


async def test_a_connection_that_leads_nowhere_is_given_up(engine: AsyncEngine, wire: Wire) -> None:
    """The statement fails in time, the pool forgets every connection of before, the next statements are answered."""
    assert await asyncio.gather(_ask(engine), _ask(engine)) == [1, 1]
    before = wire.connections
    wire.lose()

    async with asyncio.timeout(10 * SILENCE):
        with pytest.raises(TimeoutError):
            await _ask(engine)
        assert await asyncio.gather(_ask(engine), _ask(engine)) == [1, 1]

    assert wire.connections >= before + 2


async def test_a_connection_that_is_cut_is_replaced(engine: AsyncEngine, wire: Wire) -> None:
    """One statement fails, the next ones are answered."""
    assert await asyncio.gather(_ask(engine), _ask(engine)) == [1, 1]
    wire.cut()

    with pytest.raises(Exception, match="connection"):
        await _ask(engine)

    assert await asyncio.gather(_ask(engine), _ask(engine)) == [1, 1]

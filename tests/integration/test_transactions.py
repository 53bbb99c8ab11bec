"""A transaction is all or nothing, and gives its connection back whenever it is cancelled."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from orderloom.persistence.transactions import Transaction

_ENTER = text("INSERT INTO entered VALUES (1)")
_COUNT = text("SELECT count(*) FROM entered")


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Return an engine whose only connection must be given back before another transaction."""
    engine = create_engine(database_url, pool_size=1)
    async with engine.begin() as conn:
        await conn.execute(text("CREATE TABLE entered (id int PRIMARY KEY)"))
    yield engine
    await engine.dispose()


async def _entered(engine: AsyncEngine) -> int:
    async with asyncio.timeout(5), Transaction(engine) as conn:
        return await conn.scalar(_COUNT) or 0


async def test_what_ends_well_is_committed(engine: AsyncEngine) -> None:
    """The next transaction sees it."""
    async with Transaction(engine) as conn:
        await conn.execute(_ENTER)

    assert await _entered(engine) == 1


async def test_what_raises_is_rolled_back(engine: AsyncEngine) -> None:
    """The error is SQLAlchemy's or the block's own, unchanged; nothing is there afterwards."""
    own = ValueError("own")

    async def enter(times: int) -> None:
        async with Transaction(engine) as conn:
            for _ in range(times):
                await conn.execute(_ENTER)
            raise own

    with pytest.raises(IntegrityError):
        await enter(2)
    with pytest.raises(ValueError, match="own") as raised:
        await enter(1)

    assert raised.value is own
    assert await _entered(engine) == 0


async def test_a_savepoint_undoes_its_part(engine: AsyncEngine) -> None:
    """Its rows are gone, and the transaction goes on and commits."""
    async with Transaction(engine) as conn:
        savepoint = await conn.begin_nested()
        await conn.execute(_ENTER)
        await savepoint.rollback()
        await conn.execute(_ENTER)

    assert await _entered(engine) == 1


async def test_cancelled_in_a_statement_it_is_rolled_back(engine: AsyncEngine) -> None:
    """Nothing is there, and the pool's only connection is free again at once."""
    begun = asyncio.Event()

    async def wait() -> None:
        async with Transaction(engine) as conn:
            await conn.execute(_ENTER)
            begun.set()
            await conn.execute(text("SELECT pg_sleep(60)"))

    await _cancelled(asyncio.create_task(wait()), begun)

    assert await _entered(engine) == 0


async def test_cancelled_between_statements_it_is_rolled_back(engine: AsyncEngine) -> None:
    """Nothing is there, and the pool's only connection is free again at once."""
    begun = asyncio.Event()

    async def wait() -> None:
        async with Transaction(engine) as conn:
            await conn.execute(_ENTER)
            begun.set()
            await asyncio.Event().wait()

    await _cancelled(asyncio.create_task(wait()), begun)

    assert await _entered(engine) == 0


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_while_it_ends_it_gives_the_connection_back(engine: AsyncEngine, fails: bool) -> None:
    """A rollback that is cut short leaves nothing; what a commit that is cut short did, only PostgreSQL knows."""
    ending = asyncio.Event()

    async def end() -> None:
        async with Transaction(engine) as conn:
            await conn.execute(_ENTER)
            ending.set()
            if fails:
                raise ValueError

    await _cancelled(asyncio.create_task(end()), ending)

    assert await _entered(engine) in ((0,) if fails else (0, 1))


async def _cancelled(task: "asyncio.Task[None]", when: asyncio.Event) -> None:
    await when.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

"""What the API answers while PostgreSQL is away: to be asked again, not a mistake of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.database import create_engine
from tests.api.conftest import StubDelivery, client

_END_ALL_OTHERS = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """
)


@pytest.fixture
async def nowhere(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Return an engine on a server that is not there."""
    engine = create_engine(f"postgresql://postgres@/none?host={tmp_path}")
    yield engine
    await engine.dispose()


async def _ready() -> None:
    return None


async def _answer(engine: AsyncEngine) -> httpx.Response:
    async with client(engine, StubDelivery(engine), _ready) as http:
        return await http.get("/v1/orders")


async def test_a_server_that_is_not_there(nowhere: AsyncEngine) -> None:
    """503 with a remedy, and when to come back."""
    answer = await _answer(nowhere)

    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "unavailable", "1")


async def test_connections_that_were_ended(seeded: AsyncEngine, database_url: str) -> None:
    """The request that meets them is answered 503, the next one as ever."""
    assert (await _answer(seeded)).status_code == 200
    stranger = create_engine(database_url, pooled=False)
    async with stranger.connect() as conn:
        await conn.execute(_END_ALL_OTHERS)
    await stranger.dispose()

    answers = [(await _answer(seeded)).status_code for _ in range(2)]

    assert answers == [503, 200]

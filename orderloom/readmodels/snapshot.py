"""Reading: one connection, one moment. Nothing in this room ever writes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MAX_PAGE = 200
"""No list answers more rows at once."""


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Give a connection whose statements all see the same moment, and which cannot write."""
    async with _reading(engine).connect() as conn:
        yield conn


@lru_cache(maxsize=4)
def _reading(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

"""Reading: one connection, one moment. Nothing in this room ever writes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

MAX_PAGE = 200
"""No list answers more rows at once."""


@asynccontextmanager
async def snapshot(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    """Give a connection whose statements all see the same moment, and which cannot write."""
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    async with reading.connect() as conn:
        yield conn

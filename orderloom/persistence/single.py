"""Single statements: each its own transaction, without the round trips that begin and end one."""

from functools import lru_cache

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


def single(engine: AsyncEngine) -> AsyncConnection:
    """Return a connection, to be entered with ``async with``, that commits every statement by itself."""
    return _committing(engine).connect()


@lru_cache(maxsize=4)
def _committing(engine: AsyncEngine) -> AsyncEngine:
    return engine.execution_options(isolation_level="AUTOCOMMIT")

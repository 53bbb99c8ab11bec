"""Transactions, at less than what SQLAlchemy's own asynchronous ones take of the client."""

from types import TracebackType

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.util import greenlet_spawn


class Transaction:
    """
    A transaction on a connection of its own, to be entered with ``async with``, which returns the connection.

    It commits when its block ends and is rolled back when that raises or is cancelled; either way the connection goes
    back to the pool. PostgreSQL hears of it with the first statement.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        """Begin nothing yet."""
        self._engine = engine
        self._transaction = engine.sync_engine.begin()

    # Connecting and beginning in one greenlet, committing and closing in another: `AsyncEngine.begin` has four, and a
    # task for closing.

    async def __aenter__(self) -> AsyncConnection:
        return AsyncConnection(self._engine, await greenlet_spawn(self._transaction.__enter__))

    async def __aexit__(
        self, type: type[BaseException] | None, raised: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await greenlet_spawn(self._transaction.__exit__, type, raised, traceback)

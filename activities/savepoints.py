"""Savepoints that cost nothing while nothing is read or written in their block."""

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction


class Savepoint:
    """A savepoint that is made when the first statement of its block runs."""

    def __init__(self) -> None:
        """Make none yet."""
        self._begun: AsyncTransaction | None = None

    async def begin(self, conn: AsyncConnection) -> None:
        """Make it, unless it is made."""
        if self._begun is None:
            self._begun = await conn.begin_nested()

    async def undo(self) -> None:
        """Undo what was written since it was made."""
        if self._begun is not None:
            await self._begun.rollback()

"""A stretch of wire between the processes and PostgreSQL, that can be cut, slowed, and held up."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import make_url

NAME = ".s.PGSQL.5432"
"""How PostgreSQL calls its socket in a directory."""
CHUNK = 65_536


class Wire:
    """Carries every connection that is made to it on to PostgreSQL, byte by byte."""

    def __init__(self, directory: Path, to: Path) -> None:
        """Take the directory that is to look like PostgreSQL's, and PostgreSQL's own."""
        self.delay = 0.0
        """Seconds that everything takes longer."""
        self.connections = 0
        """How many were made."""
        self._directory = directory
        self._to = to
        self._open = asyncio.Event()
        self._open.set()
        self._lost: set[StreamWriter] = set()
        self._ends: set[StreamWriter] = set()

    @asynccontextmanager
    async def laid(self) -> AsyncGenerator[None]:
        """Carry within the block."""
        self._directory.mkdir()
        server = await asyncio.start_unix_server(self._carry, self._directory / NAME)
        try:
            yield
        finally:
            server.close()
            self.release()
            self.cut()

    def url(self, database_url: str) -> str:
        """Return *database_url* by way of this wire."""
        url = make_url(database_url)
        return f"postgresql://{url.username}@/{url.database}?host={quote(str(self._directory), safe='/')}"

    def cut(self) -> None:
        """Cut every connection, whatever is on it just now."""
        for end in tuple(self._ends):
            end.transport.abort()

    def hold(self) -> None:
        """Let nothing through from now on, and say nothing either: as a network that swallows."""
        self._open.clear()

    def lose(self) -> None:
        """Let nothing through any more on any connection that there is, for good; new ones are well."""
        self._lost |= self._ends

    def release(self) -> None:
        """Let everything through that was held."""
        self._open.set()

    async def _carry(self, near_in: StreamReader, near_out: StreamWriter) -> None:
        self.connections += 1
        self._ends.add(near_out)
        try:
            far_in, far_out = await asyncio.open_unix_connection(self._to / NAME)
        except OSError:
            self._drop(near_out)
            return
        self._ends.add(far_out)
        await asyncio.gather(self._one_way(near_in, far_out), self._one_way(far_in, near_out))

    async def _one_way(self, source: StreamReader, target: StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK):
                await self._open.wait()
                if target in self._lost:
                    continue
                if self.delay:
                    await asyncio.sleep(self.delay)
                target.write(data)
                await target.drain()
        except OSError:
            pass
        finally:
            self._drop(target)

    def _drop(self, end: StreamWriter) -> None:
        self._ends.discard(end)
        self._lost.discard(end)
        end.close()

"""PostgreSQL alone, for what is measured without Temporal."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from orderloom.bootstrap.data_directory import DataDirectory
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres

MASTER_KEY = bytes(32)
"""Nobody's: the data is made up and gone afterwards."""


@asynccontextmanager
async def postgres(directory: Path, tell: Callable[[str], None]) -> AsyncGenerator[EmbeddedPostgres]:
    """
    Start PostgreSQL on *directory* at full durability, and stop it at the end.

    Raises:
        StartRefused: one of its subclasses says what is in the way; nothing is left running.
    """
    data = DataDirectory(directory)
    try:
        tell("starting PostgreSQL")
        server = await EmbeddedPostgres.start(data)
        try:
            yield server
        finally:
            await server.stop()
    finally:
        data.release()

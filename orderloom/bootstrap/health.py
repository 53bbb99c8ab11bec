"""Whether a process can work: it can while everything that it needs answers."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

PATIENCE = 2.0
"""Seconds that whatever is needed may take to answer."""

type Probe = Callable[[], Awaitable[None]]
"""Asks something whether it is there: returns when it is, raises whatever it raises when not."""


class Phase(StrEnum):
    """How far a process is."""

    STARTING = "starting"
    WORKING = "working"
    STOPPING = "stopping"


class Health:
    """What one process needs, and how far it is."""

    def __init__(self) -> None:
        """Begin: the process is starting and needs nothing."""
        self.phase = Phase.STARTING
        self._needs: dict[str, Probe] = {}

    def needs(self, **probes: Probe) -> None:
        """Name what the process cannot work without."""
        self._needs.update(probes)

    @contextmanager
    def working(self) -> Generator[None]:
        """The process works within the block; what comes after it is the stopping."""
        self.phase = Phase.WORKING
        try:
            yield
        finally:
            self.phase = Phase.STOPPING

    async def missing(self) -> list[str]:
        """Return the names of what is needed and does not answer."""
        return await missing(self._needs)


async def missing(probes: Mapping[str, Probe]) -> list[str]:
    """Ask all of *probes* at once, and return the names of those that do not answer in time."""
    answers = await asyncio.gather(*map(_answers, probes.values()))
    return [name for name, answered in zip(probes, answers, strict=True) if not answered]


async def _answers(probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await probe()
    except Exception:  # noqa: BLE001  # whatever it is, it is not there
        return False
    return True


def database(engine: AsyncEngine) -> Probe:
    """Return what asks PostgreSQL."""

    async def ask() -> None:
        async with engine.connect() as conn:
            await conn.execute(text("SELECT 1"))

    return ask


def workflows(client: Client) -> Probe:
    """Return what asks Temporal."""

    async def ask() -> None:
        if not await client.service_client.check_health():
            raise ConnectionError("Temporal is not serving")

    return ask

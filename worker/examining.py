"""The doctor, from time to time: what it finds wrong with the books is raised for a person. It mends nothing."""

import asyncio
from time import monotonic

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.raising import raise_findings
from orderloom.persistence.vault import Vault
from orderloom.readmodels.backlog import Examined
from orderloom.readmodels.doctor import examine_patiently
from orderloom.readmodels.snapshot import snapshot

_log = structlog.get_logger(__name__)


class Examinations:
    """Examines the books at its beginning and then regularly; None is never."""

    def __init__(self, engine: AsyncEngine, vault: Vault, clock: Clock, every: float | None) -> None:
        """Take the database, the keys, the business time, and the seconds between two examinations."""
        self._engine = engine
        self._vault = vault
        self._clock = clock
        self._every = every
        self._last: tuple[int, float] | None = None

    @property
    def last(self) -> Examined | None:
        """Return what the last examination came to, if there was one."""
        if self._last is None:
            return None
        findings, ended = self._last
        return Examined(findings=findings, age_seconds=monotonic() - ended)

    async def run(self) -> None:
        """Examine for ever, if that is wanted; an outage of PostgreSQL is waited for."""
        while self._every is not None:
            try:
                await self.turn()
            except (OSError, DBAPIError) as error:
                _log.warning("the books cannot be examined", error=str(error))
            await asyncio.sleep(self._every)

    async def turn(self) -> int:
        """Examine once, and raise each finding that has no process exception which is not settled; return how many."""
        async with snapshot(self._engine) as conn:
            found = (await examine_patiently(conn, self._clock.now())).findings
        raised = await raise_findings(self._engine, self._vault, found, self._clock.now())
        self._last = len(found), monotonic()
        if found:
            _log.error("the books are not balanced", findings=len(found), raised=raised)
        return raised

"""Tells orders of what is held for them, and lets go of what they do not answer in time."""

import asyncio
from functools import partial

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.clock import Clock
from orderloom.domain.model import JsonObject
from orderloom.persistence.conflicts import tried
from orderloom.persistence.intake import Submission, submit
from orderloom.persistence.proposals import Due, due, lapse, mark_told
from orderloom.persistence.single import single
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.vault import Vault

SOURCE = "stock"
"""Where its events come from."""
LOOK = 0.25
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class Proposals:
    """Sees to open proposals. What it tells goes in by the one way in; the proposal's number makes it once."""

    def __init__(self, engine: AsyncEngine, vault: Vault, clock: Clock) -> None:
        """Take the database, the keys, and the business time."""
        self._engine = engine
        self._vault = vault
        self._clock = clock

    async def run(self) -> None:
        """Look for ever; an outage of PostgreSQL is waited for."""
        while True:
            try:
                await self.turn()
            except (OSError, DBAPIError) as error:
                _log.warning("proposals cannot be seen to", error=str(error))
            await asyncio.sleep(LOOK)

    async def turn(self) -> int:
        """Look until there is nothing to do now, and return how many proposals lapsed or were told."""
        done = 0
        while found := await self._due():
            for one in found:
                if one.lapsed:
                    await tried(partial(self._lapse, one))
                else:
                    await self._tell(one)
            done += len(found)
        return done

    async def _lapse(self, one: Due) -> None:
        async with Transaction(self._engine) as conn:
            await lapse(conn, one.id, now=self._clock.now())

    async def _due(self) -> list[Due]:
        async with single(self._engine) as conn:
            return await due(conn, self._clock.now())

    async def _tell(self, one: Due) -> None:
        body: JsonObject = {"proposal": one.id}
        if one.wave is not None:
            body["wave"] = one.wave
        event = Submission(
            kind="event",
            type="stock.restocked" if one.wave is None else "routing.proposed",
            source=SOURCE,
            external_id=str(one.id),
            order_id=one.order,
            body=body,
            received_at=self._clock.now(),
        )
        await submit(self._engine, self._vault, event)
        async with single(self._engine) as conn:
            await mark_told(conn, [one.id])

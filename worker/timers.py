"""
The timers beside orders' workflows: what is due is found in PostgreSQL, so nothing is lost while no relay runs.

What concerns an order goes in by the one way in, as an event; the order's flows may start with it.
"""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.clock import Clock
from orderloom.domain.model import JsonObject
from orderloom.inventory.reservations import expire_due
from orderloom.persistence.intake import Submission, submit
from orderloom.persistence.single import single
from orderloom.persistence.timers import clear_searches, clear_waves, escalate, overdue, unaccepted
from orderloom.persistence.vault import Vault

SOURCE = "timer"
"""Where its events come from."""
LOOK = 2.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class Timers:
    """Tells of deadlines that have passed, each once."""

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
                _log.warning("the timers have lost PostgreSQL", error=str(error))
            await asyncio.sleep(LOOK)

    async def turn(self) -> int:
        """Look once, and return how many deadlines have passed."""
        now = self._clock.now()
        async with single(self._engine) as conn:
            late, waiting = await overdue(conn, now), await unaccepted(conn, now)
            for one in late:
                if one.order is None:
                    await escalate(conn, one.exception, now)
            await clear_searches(conn, now)
            await clear_waves(conn, now)
        for one in late:
            if one.order is not None:
                await self._tell(one.order, "exception.deadline.passed", one.mark, {"exception": one.exception})
        for shipment in waiting:
            about: JsonObject = {"fulfillment_order": shipment.id}
            await self._tell(shipment.order, "fulfillment.unaccepted", shipment.id, about)
        return len(late) + len(waiting) + await expire_due(self._engine, now)

    async def _tell(self, order: str, type: str, mark: str, body: JsonObject) -> None:
        now = self._clock.now()
        event = Submission(
            kind="event", type=type, source=SOURCE, external_id=mark, order_id=order, body=body, received_at=now
        )
        await submit(self._engine, self._vault, event)

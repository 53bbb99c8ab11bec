"""Starts the workflows of routing pools of which a wave is due."""

import asyncio

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.service import RPCError

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.persistence.pools import ready_pools
from orderloom.persistence.single import single

LOOK = 1.0
"""Seconds between two looks."""

_log = structlog.get_logger(__name__)


class RoutingPools:
    """Sees to waves. Their due times are in PostgreSQL, so none is lost while no relay runs."""

    def __init__(self, engine: AsyncEngine, courier: Courier, clock: Clock) -> None:
        """Take the database, who starts workflows, and the business time."""
        self._engine = engine
        self._courier = courier
        self._clock = clock

    async def run(self) -> None:
        """Look for ever; an outage of PostgreSQL or of Temporal is waited for."""
        while True:
            try:
                await self.turn()
            except (OSError, DBAPIError, RPCError) as error:
                _log.warning("routing pools cannot be seen to", error=str(error))
            await asyncio.sleep(LOOK)

    async def turn(self) -> list[str]:
        """Look once, and return the pools of which a wave was due; their workflows run."""
        async with single(self._engine) as conn:
            pools = await ready_pools(conn, self._clock.now())
        for pool in pools:
            await self._courier.begin_wave(pool, self._clock.offset.total_seconds())
        return pools

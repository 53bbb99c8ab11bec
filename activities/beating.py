"""Heartbeats of activities that wait for others."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

BEAT = 1.0
"""Seconds between two heartbeats; most activities end before the first."""


@asynccontextmanager
async def heard_of() -> AsyncGenerator[None]:
    """Let Temporal hear within the block that this worker lives: another one takes over soon after it has died."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT)
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()

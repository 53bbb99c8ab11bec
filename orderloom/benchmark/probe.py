"""A probe: somebody who looks and places an order once a second while the deployment is busy with a backlog."""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic

import aiohttp

from orderloom.benchmark.outside import Outside
from orderloom.benchmark.world import standard_orders

BEAT = 1.0
"""Seconds."""
MOST = 100_000
"""Orders: more than any drain has seconds."""


class Probe:
    """
    One probe.

    Attributes:
        looks: seconds until the list of orders was answered.
        placings: seconds until a placement was answered, whether 201 or 202.
        asked: how often it has asked for both.
        placed: numbers of the orders.
        errors: what went wrong.
    """

    def __init__(self, outside: Outside, seed: int, series: str) -> None:
        """Take everyone outside; *series* keeps its orders apart from others."""
        self._outside = outside
        self._orders = standard_orders(seed, series, MOST)
        self.looks: list[float] = []
        self.placings: list[float] = []
        self.placed: list[str] = []
        self.asked = 0
        self.errors: list[str] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Look and place on each beat until told to stop, whatever comes of it, and wait for the last answers."""
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                self.asked += 1
                group.create_task(self._timed(self._outside.look, self.looks))
                group.create_task(self._timed(self._place, self.placings))
                await self._beat(stopping)

    async def _beat(self, stopping: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(BEAT):
                await stopping.wait()
        except TimeoutError:
            return

    async def _timed(self, ask: Callable[[], Awaitable[None]], answered: list[float]) -> None:
        began = monotonic()
        try:
            await ask()
        except aiohttp.ClientError as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        else:
            answered.append(monotonic() - began)

    async def _place(self) -> None:
        order = next(self._orders)
        await self._outside.check_out([order])
        number, _ = await self._outside.place(order)
        self.placed.append(number)

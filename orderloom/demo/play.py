"""Plays everyone's part in a process of its own: ``python -m orderloom.demo.play DATABASE API GATEWAY``."""

import asyncio
import json
import sys
from dataclasses import dataclass

import httpx

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.demo.orders import DemoOrder, Story, demo_orders
from orderloom.demo.players import GLANCE, Api, Customers, Locations
from orderloom.persistence.world import change_stock
from orderloom.readmodels.snapshot import snapshot
from orderloom.readmodels.tally import tally

AT_ONCE = 8
"""Orders that the channel places at the same time."""
TIME_LIMIT = 120.0
"""Seconds after which the demo gives up waiting for the last order."""
RESTOCK_AT = "DE-BERLIN"


@dataclass(frozen=True)
class Stage:
    """Where the demo plays."""

    database_url: str
    api_url: str
    gateway_url: str


class Play:
    """All parts together."""

    def __init__(self, stage: Stage) -> None:
        """Take where to play."""
        self._stage = stage
        self._engine = create_engine(stage.database_url)
        self._clock = Clock()
        self._told: dict[str, Story] = {}

    async def run(self) -> dict[str, Story]:
        """Play until all orders have come to their end; return each order's story by its number."""
        try:
            async with (
                httpx.AsyncClient(base_url=self._stage.api_url, timeout=30) as client,
                httpx.AsyncClient(base_url=self._stage.gateway_url, timeout=30) as gateway,
                asyncio.timeout(TIME_LIMIT),
            ):
                await self._play(Api(client, gateway, self._clock))
        finally:
            await self._engine.dispose()
        return self._told

    async def _play(self, api: Api) -> None:
        locations = Locations(api)
        customers = Customers(api, locations, self._restock)
        places = asyncio.Semaphore(AT_ONCE)

        async def live(order: DemoOrder) -> None:
            async with places:
                order_id = await customers.place(order)
            self._told[order_id] = order.story
            await customers.follow_up(order, order_id)

        async with asyncio.TaskGroup() as group:
            working = group.create_task(locations.work())
            lives = [group.create_task(live(order)) for order in demo_orders()]
            await asyncio.gather(*lives)
            await self._all_at_rest()
            working.cancel()

    async def _all_at_rest(self) -> None:
        while True:
            async with snapshot(self._engine) as conn:
                counts = await tally(conn)
            if counts.quiet and counts.unshipped == 0:
                return
            await asyncio.sleep(GLANCE)

    async def _restock(self, sku: str) -> None:
        async with self._engine.begin() as conn:
            await change_stock(conn, RESTOCK_AT, sku, 100, "restock", self._clock.now())


def main() -> None:
    """Play until all orders have come to their end; print each order's story by its number, as JSON."""
    sys.stdout.write(json.dumps(asyncio.run(Play(Stage(*sys.argv[1:4])).run())))


if __name__ == "__main__":
    main()

"""Everyone outside, for load generators: the channel that places orders and the locations that ship them, over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

import aiohttp
from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.world import LOCATIONS, checkout
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.domain.model import Frozen, JsonObject

GLANCE = 0.25
"""
Seconds between two looks of a location at its work, and of the load generator at what has ended.

Looking is work, too: at ten looks a second, three locations' requests were a twentieth of what an order cost.
"""

_ENDED = text(
    """
    SELECT j.order_id FROM journal j
    WHERE j.order_id = ANY(:orders) AND j.type = 'payment.updated'
        AND NOT EXISTS (SELECT 1 FROM flow_instances f WHERE f.order_id = j.order_id AND f.status = 'running')
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)))


class Addresses(Frozen):
    """Where the deployment is that the load is for."""

    api_url: str
    gateway_url: str
    database_url: str


class Outside:
    """The channel, its checkout, and the locations."""

    def __init__(self, addresses: Addresses, http: aiohttp.ClientSession) -> None:
        """Take where the deployment is, and an HTTP client."""
        self._api = addresses.api_url
        self._gateway = addresses.gateway_url
        self._http = http

    async def check_out(self, orders: Sequence[JsonObject]) -> None:
        """Let the gateway know of the orders' authorisations: the shop's checkout is not what is measured."""
        now = {"now": Clock().now().isoformat()}
        for order in orders:
            async with self._http.post(f"{self._gateway}/references", json=checkout(order) | now) as answer:
                answer.raise_for_status()

    async def place(self, order: JsonObject) -> tuple[str, int]:
        """Place an order; return its number, and the status: 201, or 202 when it is only taken in."""
        headers = {"Idempotency-Key": f"place-{order['external_id']}"}
        async with self._http.post(f"{self._api}/v1/orders", json=order, headers=headers) as response:
            answer = await response.json()
            response.raise_for_status()
        # Of one that is only taken in it is the intake resource that comes back; it names the order too.
        return str(answer["order"] if response.status == HTTPStatus.ACCEPTED else answer["id"]), response.status

    async def look(self) -> None:
        """List the newest orders, as a person would."""
        async with self._http.get(f"{self._api}/v1/orders") as response:
            await response.json()
            response.raise_for_status()

    async def ship(self) -> None:
        """Let every location ship what it is given, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for location in LOCATIONS:
                group.create_task(self._ship_from(location))

    async def _ship_from(self, location: str) -> None:
        waiting = f"{self._api}/v1/fulfillment-orders?location={location}&status=allocated&limit=100"
        seen: set[str] = set()
        async with asyncio.TaskGroup() as group:
            while True:
                async with self._http.get(waiting) as response:
                    items = (await response.json())["items"]
                for name in [item["id"] for item in items if item["id"] not in seen]:
                    seen.add(name)
                    group.create_task(self._report(name))
                await asyncio.sleep(GLANCE)

    async def _report(self, fulfillment_order: str) -> None:
        for kind in ("accepted", "picked", "shipped"):
            body = {"id": f"{fulfillment_order}.{kind}", "type": kind}
            path = f"/v1/fulfillment-orders/{fulfillment_order}/events"
            async with self._http.post(f"{self._api}{path}", json=body) as answer:
                answer.raise_for_status()


async def ended(engine: AsyncEngine, orders: Collection[str]) -> list[str]:
    """
    Return those of *orders* that have come to their end: paid for, told so by the gateway, and no flow at work.

    It is read in the database, so that watching costs nothing that a deployment would not spend.
    """
    async with engine.connect() as conn:
        return list(await conn.scalars(_ENDED, {"orders": list(orders)}))


@asynccontextmanager
async def connected(addresses: Addresses, at_once: int) -> AsyncGenerator[tuple[AsyncEngine, Outside]]:
    """Connect to a deployment's database and, for so many requests at once, to its API and its gateway."""
    engine = create_engine(addresses.database_url, pool_size=2)
    connector = aiohttp.TCPConnector(limit=at_once + len(LOCATIONS))
    async with aiohttp.ClientSession(connector=connector) as http:
        yield engine, Outside(addresses, http)
    await engine.dispose()

"""
The load generator, a process of its own: ``python -m orderloom.benchmark.load ORDER``, with *ORDER* a `LoadOrder`.

It is the channel that places orders and the locations that ship them, over HTTP like anyone; that an order has come to
its end it reads in the database, so that watching costs nothing that a deployment would not spend.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import monotonic, process_time

import aiohttp
import uvloop
from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.benchmark.generator import tell
from orderloom.benchmark.world import LOCATIONS, checkout, standard_orders
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.domain.model import Frozen, JsonObject

GLANCE = 0.1
"""Seconds between two looks of a location at its work, and of the generator at what has ended."""
PATIENCE = 120.0
"""Seconds without any order's end after which the run is given up."""

_ENDED = text(
    """
    SELECT j.order_id FROM journal j
    WHERE j.order_id = ANY(:orders) AND j.type = 'payment.updated'
        AND NOT EXISTS (SELECT 1 FROM flow_instances f WHERE f.order_id = j.order_id AND f.status = 'running')
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)))


class LoadOrder(Frozen):
    """What is to be run, and where."""

    api_url: str
    gateway_url: str
    database_url: str
    seed: int
    series: str
    count: int
    at_once: int
    """Orders that are on their way at the same time: a closed loop."""


class LoadReport(Frozen):
    """What was run. Durations in seconds, one per order, in the order of their ends."""

    orders: list[str]
    placing: list[float]
    whole: list[float]
    seconds: float
    """From the first order's placing to the last one's end."""
    placed_seconds: float
    """From the first order's placing to the answer to the last one's."""
    cpu_seconds: float
    """Of this process."""


class Load:
    """One run of the load generator."""

    def __init__(self, order: LoadOrder, engine: AsyncEngine, http: aiohttp.ClientSession) -> None:
        """Take what is to be run, a connection to the database, and an HTTP client."""
        self._order = order
        self._engine = engine
        self._http = http
        self._running = asyncio.Semaphore(order.at_once)
        self._began: dict[str, float] = {}
        self._ended: list[str] = []
        self._placing: list[float] = []
        self._whole: list[float] = []

    async def run(self) -> LoadReport:
        """Place all orders, ship them, and return when each has come to its end."""
        orders = list(standard_orders(self._order.seed, self._order.series, self._order.count))
        await self._check_out(orders)
        tell(0)
        begun, cpu = monotonic(), process_time()
        async with asyncio.TaskGroup() as group:
            behind = [group.create_task(self._ship(location)) for location in LOCATIONS]
            watching = group.create_task(self._watch(len(orders)))
            await self._place_all(orders)
            placed = monotonic()
            await watching
            for task in behind:
                task.cancel()
        return LoadReport(
            orders=self._ended,
            placing=self._placing,
            whole=self._whole,
            seconds=monotonic() - begun,
            placed_seconds=placed - begun,
            cpu_seconds=process_time() - cpu,
        )

    async def _check_out(self, orders: list[JsonObject]) -> None:
        """Let the gateway know of all authorisations beforehand: the shop's checkout is not measured."""
        now = {"now": Clock().now().isoformat()}
        for order in orders:
            async with self._http.post(f"{self._order.gateway_url}/references", json=checkout(order) | now) as answer:
                answer.raise_for_status()

    async def _place_all(self, orders: list[JsonObject]) -> None:
        async with asyncio.TaskGroup() as group:
            for order in orders:
                await self._running.acquire()
                group.create_task(self._place(order))

    async def _place(self, order: JsonObject) -> None:
        began = monotonic()
        headers = {"Idempotency-Key": f"place-{order['external_id']}"}
        async with self._http.post(f"{self._order.api_url}/v1/orders", json=order, headers=headers) as response:
            answer = await response.json()
            response.raise_for_status()
        self._placing.append(monotonic() - began)
        # Taken in but not answered in time, it is the intake resource that comes back; it names the order too.
        self._began[str(answer.get("order") or answer["id"])] = began

    async def _ship(self, location: str) -> None:
        waiting = f"{self._order.api_url}/v1/fulfillment-orders?location={location}&status=allocated&limit=100"
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
            async with self._http.post(f"{self._order.api_url}{path}", json=body) as answer:
                answer.raise_for_status()

    async def _watch(self, count: int) -> None:
        last = monotonic()
        while len(self._ended) < count:
            await asyncio.sleep(GLANCE)
            async with self._engine.connect() as conn:
                ended = list(await conn.scalars(_ENDED, {"orders": list(self._began)}))
            now = monotonic()
            for order in ended:
                self._whole.append(now - self._began.pop(order))
                self._ended.append(order)
                self._running.release()
            if ended:
                last = now
                tell(len(self._ended))
            if now - last > PATIENCE:
                raise TimeoutError(f"{len(self._began)} orders do not end, such as {next(iter(self._began), None)}")


@asynccontextmanager
async def _connected(order: LoadOrder) -> AsyncGenerator[Load]:
    engine = create_engine(order.database_url, pool_size=2)
    connector = aiohttp.TCPConnector(limit=order.at_once + len(LOCATIONS))
    async with aiohttp.ClientSession(connector=connector) as http:
        yield Load(order, engine, http)
    await engine.dispose()


async def _run(order: LoadOrder) -> LoadReport:
    async with _connected(order) as load:
        return await load.run()


def main() -> None:
    """Run the order that the first argument holds as JSON, and print the report as JSON."""
    order = LoadOrder.model_validate_json(sys.argv[1])
    report = asyncio.run(_run(order), loop_factory=uvloop.new_event_loop)
    sys.stdout.write(report.model_dump_json())


if __name__ == "__main__":
    main()

"""Everyone outside who has a part in an order: the channel, the customer, the locations, the supplier."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from orderloom.bootstrap.clock import Clock
from orderloom.demo.geography import CITIES, location_of
from orderloom.demo.orders import DemoOrder, Story
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderStatus

GLANCE = 0.5
"""Seconds between two looks at something that is being waited for."""
LOCATIONS_GLANCE = 2.0
"""A location looks for new work as often as this."""
CUSTOMERS_GLANCE = 1.0
"""Customers have more time."""

PATIENCE = 60.0
"""Seconds after which a wait is given up: something is stuck."""


class Api:
    """The calls that the players make, over HTTP like anyone's."""

    def __init__(self, client: httpx.AsyncClient, gateway: httpx.AsyncClient, clock: Clock) -> None:
        self._client = client
        self._gateway = gateway
        self._clock = clock

    async def check_out(self, checkout: JsonObject) -> None:
        """Let the gateway know of an authorisation that the channel obtained."""
        given = checkout | {"now": self._clock.now().isoformat()}
        (await self._gateway.post("/references", json=given)).raise_for_status()

    async def command(self, path: str, key: str, body: JsonObject) -> dict[str, Any]:
        """Post a command and return its answer."""
        response = await self._client.post(path, json=body, headers={"Idempotency-Key": key})
        response.raise_for_status()
        return response.json()

    async def report(self, fulfillment_order: str, kind: str) -> None:
        """Report what a location did."""
        body = {"id": f"{fulfillment_order}.{kind}", "type": kind}
        (await self._client.post(f"/v1/fulfillment-orders/{fulfillment_order}/events", json=body)).raise_for_status()

    async def journal(self, order_id: str, after: int) -> list[dict[str, Any]]:
        """Return what happened to the order since the entry *after*; nothing while it is not there yet."""
        response = await self._client.get(f"/v1/orders/{order_id}/journal", params={"after": after, "limit": 100})
        if response.status_code == 404:
            return []
        response.raise_for_status()
        return response.json()["items"]

    async def order(self, order_id: str) -> dict[str, Any]:
        """Return what the order is now."""
        response = await self._client.get(f"/v1/orders/{order_id}")
        response.raise_for_status()
        return response.json()

    async def waiting_at(self, location: str) -> list[dict[str, Any]]:
        """Return the fulfillment orders that a location has not started."""
        query = {"location": location, "status": "allocated", "limit": "100"}
        response = await self._client.get("/v1/fulfillment-orders", params=query)
        response.raise_for_status()
        return response.json()["items"]


async def until(api: Api, order_id: str, type: str) -> None:
    """
    Return once an event of *type* stands in the order's journal.

    Raises:
        TimeoutError: it did not come within the time that the demo is willing to wait.
    """
    seen = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            entries = await api.journal(order_id, seen)
            if any(entry["type"] == type for entry in entries):
                return
            seen = entries[-1]["seq"] if entries else seen
            await asyncio.sleep(CUSTOMERS_GLANCE)


async def until_paid(api: Api, order_id: str) -> None:
    """
    Return once everything has shipped, from wherever, and all of it is paid.

    Raises:
        TimeoutError: that took longer than the demo is willing to wait.
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            order = await api.order(order_id)
            funds, shipments = order["funds"], order["fulfillment_orders"]
            shipped = order["status"] == OrderStatus.FULFILLED and len(order["invoices"]) == len(shipments)
            if shipped and funds["applied"] == funds["invoiced"]:
                return
            await asyncio.sleep(CUSTOMERS_GLANCE)


class Locations:
    """All locations: each accepts, picks and ships what it is given, once it is told that nobody will cancel it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self.may_start: set[str] = set()
        """Orders that may be worked on; those that are to be cancelled after allocation never are."""
        self._done: set[str] = set()

    async def work(self) -> None:
        """Work at all locations at the same time until cancelled."""
        async with asyncio.TaskGroup() as group:
            for city in CITIES:
                group.create_task(self._work_at(location_of(city)))

    async def _work_at(self, location: str) -> None:
        while True:
            for fulfillment_order in await self._api.waiting_at(location):
                id, order = fulfillment_order["id"], fulfillment_order["order"]
                if order in self.may_start and id not in self._done:
                    self._done.add(id)
                    for kind in ("accepted", "picked", "shipped"):
                        await self._api.report(id, kind)
            await asyncio.sleep(LOCATIONS_GLANCE)


class Customers:
    """The channel that places the orders, and what their customers do afterwards."""

    def __init__(self, api: Api, locations: Locations, restock: Callable[[str], Awaitable[None]]) -> None:
        self._api = api
        self._locations = locations
        self._restock = restock

    async def place(self, order: DemoOrder) -> str:
        """Place the order and return its number."""
        if order.checkout is not None:
            await self._api.check_out(order.checkout)
        external_id = str(order.body["external_id"])
        answer = await self._api.command("/v1/orders", f"place-{external_id}", order.body)
        # Taken in but not answered in time, it is the intake resource that comes back; it names the order too.
        order_id = str(answer.get("order") or answer["id"])
        if order.story is not Story.CANCELLED_LATE:
            self._locations.may_start.add(order_id)
        return order_id

    async def follow_up(self, order: DemoOrder, order_id: str) -> None:
        """Do what the order's story wants after it was placed."""
        match order.story:
            case Story.RESTOCKED:
                await until(self._api, order_id, "routing.attempted")
                await self._restock(_second_sku(order))
            case Story.CANCELLED_EARLY:
                await until(self._api, order_id, "routing.attempted")
                await self._cancel(order, order_id)
            case Story.CANCELLED_LATE:
                await until(self._api, order_id, "fulfillment.created")
                await self._cancel(order, order_id)
            case Story.RETURNED:
                await until(self._api, order_id, "order.fulfilled")
                await until_paid(self._api, order_id)
                await self._return_one(order_id)
            case _:
                pass

    async def _cancel(self, order: DemoOrder, order_id: str) -> None:
        lines = order.body["lines"]
        assert isinstance(lines, list)
        items = [
            {"line": line["id"], "quantity": line["quantity"], "reduce_delivery": True}
            for line in lines
            if isinstance(line, dict) and "sku" in line
        ]
        await self._api.command(f"/v1/orders/{order_id}/cancel-items", f"cancel-{order_id}", {"items": list(items)})

    async def _return_one(self, order_id: str) -> None:
        item: JsonObject = {"line": "1", "quantity": 1, "reason": "not_satisfied"}
        await self._api.command(f"/v1/orders/{order_id}/return-items", f"return-{order_id}", {"items": [item]})


def _second_sku(order: DemoOrder) -> str:
    lines = order.body["lines"]
    assert isinstance(lines, list)
    line = lines[1]
    assert isinstance(line, dict)
    return str(line["sku"])

"""One channel, one warehouse, two SKUs: what the workflow tests sell, and how they wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import WorkflowExecution, WorkflowExecutionDescription, WorkflowHistory

from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.prebuilt import documents
from flows_dsl.release import pack
from orderloom.contracts.pools import ROUTING_POOL, RouteWave, pool_workflow_id
from orderloom.contracts.queues import ROUTING, workflow_id
from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.domain.model import JsonObject
from orderloom.domain.money import Money
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.flows import publish
from orderloom.persistence.tables.catalog import flows as published
from orderloom.persistence.tables.orders import flow_instances, journal, orders
from orderloom.persistence.world import Channel, Group, Location, Price, Product, Stock, World, load_world
from orderloom.readmodels.doctor import examine
from orderloom.readmodels.snapshot import snapshot
from orderloom.stack import Stack

OPENED = datetime(2026, 1, 5, 9, tzinfo=UTC)
PRICES = {"mug": 1_500, "lamp": 8_000}
PATIENCE = 20.0
SECRETS = {
    "name": "Ottilie Rabensteiner",
    "email": "ottilie.rabensteiner@example.org",
    "line1": "Krokodilgasse 17",
    "phone": "+43 660 7418529",
}
"""Personal data that must not be found anywhere but encrypted."""

WATCH = """
document: {dsl: 1.0.3, namespace: test, name: watch, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - until-picked:
      listen: {to: {one: {with: {type: fulfillment.picked}}}}
      timeout: {after: PT1H}
  - tell:
      emit: {event: {with: {type: test.picked, data: {by: '${ input[0].location }'}}}}
  - rest:
      wait: PT1S
  - tell-later:
      emit: {event: {with: {type: test.rested, data: {}}}}
"""
"""A flow that listens for what no other flow wants, and then waits."""
BROKEN = """
document: {dsl: 1.0.3, namespace: test, name: broken, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - invoice-nothing:
      call: create-invoice
      with: {fulfillment_order: nowhere}
  - tell:
      emit: {event: {with: {type: test.over, data: {invoice: '${ input.invoice }'}}}}
"""
"""A flow whose first action can only fail."""

_numbers = count(1)


def flow(text: str) -> FlowDocument:
    """Return the flow in *text*."""
    loaded = load(text)
    assert loaded.document is not None, loaded.findings
    return loaded.document


def secrets_in(history: WorkflowHistory) -> list[str]:
    """Return the personal data that a history holds, in payloads and anywhere else."""
    raw = b"".join(event.SerializeToString() for event in history.events)
    assert b"order.placed" in raw, "payloads are not readable: nothing could be found in them"
    return [secret for secret in SECRETS.values() if secret.encode() in raw]


async def open_shop(engine: AsyncEngine, flows: Sequence[str] = (), *, shipped: bool = True, **policy: Any) -> None:
    """Publish the flows that ship, unless told not to, and *flows* with them, and load the world."""
    async with engine.begin() as conn:
        pin = await publish(conn, pack([*(documents() if shipped else ()), *map(flow, flows)]), OPENED)
        chosen = ChannelPolicy.model_validate(
            {"currency": "EUR", "location_group": "all", "tax": TaxPolicy(), "routing": RoutingPolicy(), **policy}
        )
        await load_world(
            conn,
            World(
                channels=[Channel(id="web", policy=chosen, release=pin.release)],
                products=[Product(sku=sku) for sku in PRICES],
                prices=[
                    Price(channel="web", sku=sku, price=Money(amount=price, currency="EUR"))
                    for sku, price in PRICES.items()
                ],
                locations=[Location(id="vienna", country="AT", latitude=48.2, longitude=16.4)],
                groups=[Group(id="all", locations=["vienna"])],
                stock=[Stock(location="vienna", sku=sku, on_hand=1000) for sku in PRICES],
            ),
            OPENED,
        )


def total(lamps: int) -> int:
    """Return what a mug and so many lamps cost, in minor units."""
    return PRICES["mug"] + lamps * PRICES["lamp"]


def order_body(external_id: str, *, authorised: bool = True, lamps: int = 1) -> JsonObject:
    """Return the standard order: two lines, one fulfillment order, authorised by the channel; or with more lamps."""
    money: JsonObject = {"amount": total(lamps), "currency": "EUR"}
    payment: JsonObject = {"method": "card", "gateway": "sandbox", "amount": money}
    if authorised:
        payment["authorization"] = {"reference": f"auth-{external_id}", "amount": money}
    else:
        payment["token"] = "tok_ok"
    return {
        "channel": "web",
        "external_id": external_id,
        "currency": "EUR",
        "life_cycle": "managed",
        "customer": {"reference": "c-1", **{field: SECRETS[field] for field in ("name", "email", "phone")}},
        "delivery_groups": [
            {
                "id": "1",
                "country": "AT",
                "recipient": {
                    "name": SECRETS["name"],
                    "line1": SECRETS["line1"],
                    "postal_code": "1010",
                    "city": "Wien",
                    "country": "AT",
                },
            }
        ],
        "lines": [
            {"id": "a", "sku": "mug", "quantity": 1, "unit_price": {"amount": 1_500, "currency": "EUR"}},
            {"id": "b", "sku": "lamp", "quantity": lamps, "unit_price": {"amount": 8_000, "currency": "EUR"}},
        ],
        "payments": [payment],
    }


class Shop:
    """Everyone outside: the channel, the warehouse, and whoever looks at the order."""

    def __init__(self, stack: Stack) -> None:
        """Take a running stack whose shop is open."""
        self.stack = stack

    async def place(self, *, authorised: bool = True, lamps: int = 1) -> str:
        """Place a standard order, or one of more lamps, and return its id."""
        external_id = f"W-{next(_numbers)}"
        if authorised:
            await self.authorise(external_id, total(lamps))
        answer = await self.post("/v1/orders", order_body(external_id, authorised=authorised, lamps=lamps))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def authorise(self, external_id: str, amount: int = total(1)) -> None:
        """Let the gateway know of the channel's authorisation."""
        async with httpx.AsyncClient(base_url=self.stack.gateway_url) as http:
            given = {
                "reference": f"auth-{external_id}",
                "kind": "authorization",
                "token": "tok_ok",
                "amount": amount,
                "currency": "EUR",
                "now": self.stack.clock.now().isoformat(),
            }
            (await http.post("/references", json=given)).raise_for_status()

    async def fault(self, fault: JsonObject) -> None:
        """Put a fault of the sandbox gateway in force."""
        async with httpx.AsyncClient(base_url=self.stack.gateway_url) as http:
            (await http.post("/faults", json=fault)).raise_for_status()

    async def post(self, path: str, body: JsonObject, key: str | None = None) -> httpx.Response:
        """Send a request as a channel, a location or an operator."""
        async with httpx.AsyncClient(base_url=self.stack.api_url, timeout=30) as http:
            return await http.post(path, json=body, headers={"Idempotency-Key": key or f"key-{next(_numbers)}"})

    async def get(self, path: str) -> Any:
        """Read something from the API."""
        async with httpx.AsyncClient(base_url=self.stack.api_url, timeout=30) as http:
            answer = await http.get(path)
            answer.raise_for_status()
            return answer.json()

    async def report(self, order_id: str, kind: str, number: int = 1, **more: Any) -> httpx.Response:
        """Let the warehouse report on a fulfillment order."""
        body: JsonObject = {"id": f"{order_id}-{number}-{kind}", "type": kind, **more}
        return await self.post(f"/v1/fulfillment-orders/{order_id}-F{number}/events", body)

    async def fulfil(self, order_id: str) -> None:
        """Let the warehouse accept, pick and ship, each when the one before is in the journal."""
        for kind in ("accepted", "picked", "shipped"):
            answer = await self.report(order_id, kind)
            assert answer.status_code in (200, 201, 202), answer.text
            await self.until_journal(order_id, f"fulfillment.{kind}")

    async def fulfilled(self) -> str:
        """Place a standard order, see it through until it is paid, and return its id."""
        order = await self.place()
        await self.until_journal(order, "fulfillment.created")
        await self.fulfil(order)
        await self.until_journal(order, "payment.updated")
        await self.until_quiet(order)
        return order

    async def journal(self, order_id: str) -> list[str]:
        """Return the types of the order's journal in sequence."""
        query = select(journal.c.type).where(journal.c.order_id == order_id).order_by(journal.c.seq)
        async with self.stack.engine.connect() as conn:
            return list(await conn.scalars(query))

    async def until_journal(self, order_id: str, type: str, times: int = 1) -> list[str]:
        """Return the journal's types as soon as *type* is among them so often."""

        types: list[str] = []

        async def read() -> list[str] | None:
            types[:] = await self.journal(order_id)
            return types if types.count(type) >= times else None

        return await self.until(read, lambda: f"{times} x {type} in the journal, where there is {types}")

    async def exceptions(self, order_id: str, count: int = 1) -> list[Any]:
        """Return the order's open process exceptions as soon as there are so many."""

        async def read() -> list[Any] | None:
            items = (await self.get("/v1/exceptions"))["items"]
            found = [item for item in items if item["order"] == order_id]
            return found if len(found) == count else None

        return await self.until(read, lambda: f"{count} open exceptions of {order_id}")

    async def resolve(self, exception: str, kind: str, **more: Any) -> None:
        """Decide about a process exception, as an operator."""
        answer = await self.decide(exception, kind, **more)
        assert answer.status_code < 300, answer.text

    async def decide(self, exception: str, kind: str, *, key: str | None = None, **more: Any) -> httpx.Response:
        """Try to decide about a process exception, and return the answer."""
        return await self.post(f"/v1/exceptions/{exception}/resolve", {"kind": kind, **more}, key)

    async def findings(self) -> list[Any]:
        """Return what the doctor finds."""
        async with snapshot(self.stack.engine) as conn:
            return list((await examine(conn)).findings)

    async def until_quiet(self, order_id: str) -> None:
        """Wait until nothing more will happen by itself."""
        handle = self.stack.client.get_workflow_handle(workflow_id(order_id))

        async def quiet() -> bool | None:
            return (await handle.query("quiet")) or None

        await self.until(quiet, lambda: f"order {order_id} is quiet")

    async def until[T](self, look: Callable[[], Awaitable[T | None]], what: Callable[[], str]) -> T:
        """Look until there is something to see."""
        try:
            async with asyncio.timeout(PATIENCE):
                while (seen := await look()) is None:  # noqa: ASYNC110  # what is looked at is in other processes
                    await asyncio.sleep(0.02)
                return seen
        except TimeoutError:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain for: {what()}") from None

    async def describe(self, order_id: str) -> WorkflowExecutionDescription:
        """Return what Temporal says of the order's workflow."""
        return await self.stack.client.get_workflow_handle(workflow_id(order_id)).describe()

    async def histories(self, order_id: str) -> list[str]:
        """Return the histories of all runs of the order's workflow, oldest first, as JSON."""
        name = workflow_id(order_id)

        async def look() -> list[WorkflowExecution] | None:
            found = [run async for run in self.stack.client.list_workflows(f"WorkflowId = '{name}'")]
            return found if any(run.close_time is None for run in found) else None

        runs = await self.until(look, lambda: f"runs of {name}")
        handles = [self.stack.client.get_workflow_handle(name, run_id=run.run_id) for run in reversed(runs)]
        return [(await handle.fetch_history()).to_json() for handle in handles]

    async def route_pool(self, pool: str, *, orders: int, waves: int) -> None:
        """Have what is due in a pool routed, by so many orders a wave and so many waves a run."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("activities.waves.LIMIT", orders)
            await self.stack.client.execute_workflow(
                ROUTING_POOL,
                RouteWave(pool=pool, max_waves=waves),
                id=pool_workflow_id(pool),
                task_queue=ROUTING,
            )

    async def pool_histories(self, pool: str) -> list[str]:
        """Return the histories of all runs of the pool's workflow, oldest first, as JSON."""
        name, client = pool_workflow_id(pool), self.stack.client
        described = await client.get_workflow_handle(name).describe()
        run, histories = described.raw_description.workflow_execution_info.first_run_id, list[str]()
        while run:
            history = await client.get_workflow_handle(name, run_id=run).fetch_history()
            histories.append(history.to_json())
            run = history.events[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return histories

    async def events(self, order_id: str, prefix: str) -> list[tuple[str, Any]]:
        """Return type and data of the journal's events whose type begins with *prefix*, in sequence."""
        query = select(journal.c.type, journal.c.data).where(journal.c.order_id == order_id).order_by(journal.c.seq)
        async with self.stack.engine.connect() as conn:
            return [(row.type, row.data) for row in await conn.execute(query) if row.type.startswith(prefix)]

    async def outcomes(self, order_id: str, flow_name: str) -> list[str]:
        """Return how the instances of a flow ended, or stand."""
        query = (
            select(flow_instances.c.status)
            .join(published, published.c.hash == flow_instances.c.flow)
            .where(flow_instances.c.order_id == order_id, published.c.name == flow_name)
        )
        async with self.stack.engine.connect() as conn:
            return list(await conn.scalars(query))

    async def closed(self, order_id: str) -> bool:
        """Return whether PostgreSQL says that the order's workflow has completed."""
        async with self.stack.engine.connect() as conn:
            return await conn.scalar(select(orders.c.closed_at).where(orders.c.id == order_id)) is not None

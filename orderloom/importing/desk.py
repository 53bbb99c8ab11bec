"""Takes an import's commands and events in and waits for their orders: intake, delivery, rest."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.contracts.messages import Delivery, Receipt
from orderloom.contracts.queues import workflow_id
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.persistence.intake import Submission, submit
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.orders import orders
from orderloom.persistence.vault import Vault

ANSWER_SECONDS = 120.0
"""Real time that an order may take to answer before the import gives up; run again, it goes on from there."""

_OPEN = ("allocated", "accepted", "picked")


class ImportStalled(OrderloomError):
    """An order does not answer.

    Look at the worker's log; then run the import again: nothing is doubled.
    """

    code = "import.stalled"
    status = 503


class Servers(Protocol):
    """The running system, as far as an import uses it."""

    @property
    def engine(self) -> AsyncEngine:
        """Return the database."""
        ...

    @property
    def vault(self) -> Vault:
        """Return what seals bodies."""
        ...

    @property
    def client(self) -> Client:
        """Return the Temporal client."""
        ...

    @property
    def clock(self) -> Clock:
        """Return the clock that the whole system goes by."""
        ...


class Desk:
    """Sends for one channel."""

    def __init__(self, servers: Servers, channel: str) -> None:
        self._servers = servers
        self._courier = Courier(servers.client, servers.engine, servers.clock)
        self._channel = channel

    async def place(self, key: str, invoice: str, body: JsonObject, at: datetime) -> tuple[str, Receipt]:
        """Place an order; return its id and receipt."""
        submission = Submission(
            kind="command",
            type="order.placed",
            source=self._channel,
            idempotency_key=key,
            external_id=invoice,
            body=body,
            person=cast("JsonObject | None", body.get("customer")),
            received_at=self._servers.clock.now(),
            business_at=at,
        )
        return await self._send(submission)

    async def change(self, key: str, order_id: str, kind: str, body: JsonObject, at: datetime) -> Receipt:
        """Cancel or return items of an order."""
        submission = Submission(
            kind="command",
            type=f"order.{kind}.requested",
            source=self._channel,
            idempotency_key=key,
            order_id=order_id,
            body=body,
            received_at=self._servers.clock.now(),
            business_at=at,
        )
        _, receipt = await self._send(submission)
        return receipt

    async def ship(self, order_id: str, location: str, body: JsonObject, at: datetime) -> None:
        """Report that a fulfillment order has left."""
        submission = Submission(
            kind="event",
            type="fulfillment.shipped",
            source=location,
            external_id=str(body["id"]),
            order_id=order_id,
            body=body,
            received_at=self._servers.clock.now(),
            business_at=at,
        )
        await self._send(submission)

    async def rest(self, order_ids: Iterable[str], at: datetime) -> None:
        """Let the orders' time reach *at*, and return when nothing happens in any of them any more."""
        await asyncio.gather(*(self._rest(order_id, at) for order_id in order_ids))

    async def to_ship(self, order_ids: Iterable[str]) -> list[tuple[str, str, str]]:
        """Return order, fulfillment order and location of all that is open."""
        table = fulfillment_orders.c
        query = (
            select(table.order_id, table.id, table.location_id)
            .where(table.order_id.in_(sorted(order_ids)), table.status.in_(_OPEN))
            .order_by(table.order_id, table.number)
        )
        async with self._servers.engine.connect() as conn:
            return [(row.order_id, row.id, row.location_id) for row in await conn.execute(query)]

    async def _send(self, submission: Submission) -> tuple[str, Receipt]:
        taken = await submit(self._servers.engine, self._servers.vault, submission)
        delivery = Delivery(intake_id=taken.intake_id, type=submission.type, business_at=submission.business_at)
        receipt = taken.answer or await self._courier(taken.order_id, delivery, within=ANSWER_SECONDS)
        task = asyncio.current_task()
        if receipt is None and task is not None and task.cancelling():
            raise asyncio.CancelledError  # the RPC was given up because the import is being stopped
        if receipt is None:
            raise ImportStalled(
                f"order {taken.order_id} did not answer in {ANSWER_SECONDS:.0f} s", order=taken.order_id
            )
        return taken.order_id, receipt

    async def _rest(self, order_id: str, at: datetime) -> None:
        # The server's clock and this one may differ by moments; the order must have reached the instant for sure.
        offset = (at - self._servers.clock.now() + self._servers.clock.offset + timedelta(seconds=1)).total_seconds()
        handle = cast("Any", self._servers.client.get_workflow_handle(workflow_id(order_id)))
        try:
            await handle.execute_update("advance", offset)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND or not await self._closed(order_id):
                raise

    async def _closed(self, order_id: str) -> bool:
        query = select(orders.c.closed_at).where(orders.c.id == order_id)
        async with self._servers.engine.connect() as conn:
            return (await conn.execute(query)).scalar_one_or_none() is not None

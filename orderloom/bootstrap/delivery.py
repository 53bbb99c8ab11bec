"""Brings accepted intake to an order's workflow, which it starts if need be, and starts those of routing pools."""

import asyncio
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import TypedSearchAttributes, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from orderloom.bootstrap.clock import Clock
from orderloom.contracts.messages import Delivery, OrderInput, Receipt
from orderloom.contracts.moving import WHEREABOUTS, Whereabouts
from orderloom.contracts.pools import ROUTING_POOL, RouteWave, pool_workflow_id
from orderloom.contracts.queues import ORDER_WORKFLOW, ORDERS, ROUTING, workflow_id
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.persistence.single import fetch
from orderloom.persistence.starting import Start, start_for
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.orders import orders

DELIVER = "deliver"
"""The update of the order workflow that takes a ``Delivery`` and answers with a ``Receipt``."""
WORTH_ANOTHER_TRY = frozenset({RPCStatusCode.ABORTED, RPCStatusCode.NOT_FOUND, RPCStatusCode.UNAVAILABLE})
"""The workflow completed, or the server moved, at that very moment."""
PAUSE = 0.05


class NothingInForce(OrderloomError):
    """The channel has no release in force.

    Publish a release of flows for the channel first: `flows publish`.
    """

    code = "channel.no_release"
    status = 409


class Courier:
    """Delivers intake rows; the API and the relay share its way of doing it."""

    def __init__(
        self,
        client: Client,
        engine: AsyncEngine,
        clock: Clock | None = None,
        noted: TypedSearchAttributes = TypedSearchAttributes.empty,
    ) -> None:
        """
        Take the Temporal client and the database.

        Args:
            clock: when it is virtual, orders run in its time.
            noted: what Temporal's list says of an order's workflow from its start.
        """
        self._client = client
        self._engine = engine
        self._clock = clock
        self._noted = noted

    async def __call__(
        self, order_id: str, delivery: Delivery, *, within: float, start: Start | None = None
    ) -> Receipt | None:
        """
        Deliver, and return what became of it; None when no worker answered within so many seconds.

        Delivered again, it is answered as before.

        Args:
            start: what the order's workflow starts with; without it, it is read.

        Raises:
            NothingInForce: a new order's channel has no release.
            WorkflowUpdateFailedError: the order could not record it.
        """
        try:
            async with asyncio.timeout(within):
                return await self._deliver(order_id, delivery, start)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return None

    async def bring(self, intake_id: str, *, within: float) -> Receipt | None:
        """
        Deliver the intake row with this id, and return what became of it; None when no worker answered in time.

        Raises:
            NotFound: there is no such row.
        """
        query = select(intake.c.order_id, intake.c.type, intake.c.business_at).where(intake.c.id == intake_id)
        rows = await fetch(self._engine, query)
        if not rows:
            raise NotFound(f"there is no intake {intake_id}", intake=intake_id)
        row = rows[0]
        delivery = Delivery(intake_id=intake_id, type=row.type, business_at=row.business_at)
        return await self(row.order_id, delivery, within=within)

    async def start_input(self, order_id: str, intake_id: str | None, start: Start | None = None) -> OrderInput:
        """
        Return what the order's workflow starts with: its own pin, or its channel's for a new order.

        Args:
            start: what was read of it already.

        Raises:
            NothingInForce: there is neither.
        """
        found = start or await start_for(self._engine, order_id, intake_id)
        if found.pin is None:
            raise NothingInForce(f"there is no release in force for order {order_id}", order=order_id)
        return OrderInput(
            order_id=order_id,
            pin=found.pin,
            service_window=found.service_window,
            revived=found.known,
            virtual_time=self._virtual,
        )

    async def revive(self, order_id: str) -> None:
        """Start the workflow of an existing order unless it runs; it rebuilds its state from PostgreSQL."""
        await self._client.start_workflow(
            ORDER_WORKFLOW,
            await self.start_input(order_id, None),
            id=workflow_id(order_id),
            task_queue=ORDERS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=self._noted,
        )

    async def begin_wave(self, pool: str, offset: float) -> None:
        """Start the workflow of a routing pool unless it runs; business time is *offset* seconds ahead."""
        await self._client.start_workflow(
            ROUTING_POOL,
            RouteWave(pool=pool, offset=offset),
            id=pool_workflow_id(pool),
            task_queue=ROUTING,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        )

    async def whereabouts(self, order_id: str) -> list[Whereabouts]:
        """Return where the instances of an order's flows stand; nothing when it has no workflow."""
        handle = self._client.get_workflow_handle(workflow_id(order_id))
        try:
            found: list[Whereabouts] = await handle.query(WHEREABOUTS, result_type=list[Whereabouts])
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return []
            raise
        return found

    @property
    def _virtual(self) -> bool:
        return self._clock is not None and self._clock.virtual

    async def _deliver(self, order_id: str, delivery: Delivery, given: Start | None) -> Receipt:
        start = await self.start_input(order_id, delivery.intake_id, given)
        if self._clock is not None and self._virtual and delivery.business_at is None:
            delivery = delivery.model_copy(update={"business_at": self._clock.now()})
        start = start.model_copy(update={"first": delivery})
        while True:
            try:
                return await self._send(order_id, start, delivery)
            except RPCError as error:
                if error.status not in WORTH_ANOTHER_TRY:
                    raise
                await asyncio.sleep(PAUSE)
                start = start.model_copy(update={"revived": True}) if await self._exists(order_id) else start

    async def _exists(self, order_id: str) -> bool:
        return bool(await fetch(self._engine, select(orders.c.id).where(orders.c.id == order_id)))

    async def _send(self, order_id: str, start: OrderInput, delivery: Delivery) -> Receipt:
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            ORDER_WORKFLOW,
            start,
            id=workflow_id(order_id),
            task_queue=ORDERS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=self._noted,
        )
        # Nobody asks for the operation's handle; without this its failure would be reported as never retrieved.
        operation._workflow_handle.add_done_callback(lambda handle: handle.cancelled() or handle.exception())  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        receipt = await self._client.execute_update_with_start_workflow(  # pyright: ignore[reportUnknownMemberType]
            DELIVER, delivery, start_workflow_operation=operation, id=delivery.intake_id, result_type=Receipt
        )
        return cast("Receipt", receipt)

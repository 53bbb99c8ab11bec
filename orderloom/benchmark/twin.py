"""
The raw twin: a standard order as one would write it by hand for Temporal, and the floor: a workflow that does nothing.

The twin stands in the order workflow's place. It takes the same deliveries and runs the same activities with the same
inputs, in the same order, as the flows that ship do for a standard order; it does nothing else. So what the two differ
by is the price of flows: interpreter, expressions, inbox, instances, and the flows' bodies in history.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

from temporalio import workflow

from orderloom.contracts import actions
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import (
    ActionDone,
    Context,
    Delivery,
    Event,
    FlowFinished,
    OrderInput,
    Park,
    Parked,
    Receipt,
    RecordDelivery,
    Recorded,
    RunAction,
    SettleAction,
)
from orderloom.contracts.outside import PERFORM_GATEWAY_REQUEST, GatewayOutcome, GatewayRequest
from orderloom.contracts.queues import EMIT_EVENT, ORDER_WORKFLOW, OUTSIDE, PARK, RECORD
from orderloom.domain.model import JsonObject
from workflows.runner import GATEWAY_ATTEMPT, GATEWAY_IN_ALL, GATEWAY_RETRY, GATEWAY_SILENCE
from workflows.transactions import Transactions

EMPTY_WORKFLOW = "Empty"


@workflow.defn(name=EMPTY_WORKFLOW)
class Empty:
    """The floor: what any workflow costs."""

    @workflow.run
    async def run(self) -> None:
        """End at once."""


@workflow.defn(name=ORDER_WORKFLOW)
class TwinOrder:
    """One standard order. Anything else fails its workflow task: nobody may take it for an order."""

    @workflow.init
    def __init__(self, start: OrderInput) -> None:
        """Set up an order without history; a delivery may come before ``run`` begins."""
        self._subscriptions = start.pin.subscriptions
        self._transactions = Transactions(start.order_id, start.pin, workflow.now, self._told, list)
        # Its steps stand below: no flow's body is to be read, or to enter history.
        self._transactions.flows = {flow: "" for flows in self._subscriptions.values() for flow in flows}
        self._steps: list[asyncio.Task[None]] = []
        self._receipts: dict[str, Receipt] = {}
        self._ready = False

    @workflow.run
    async def run(self, start: OrderInput) -> None:
        """Park whenever nothing is under way; when all has shipped, stay open for the service window."""
        if start.first is not None:
            await self._record(start.first)
        self._ready = True
        while not self._over():
            await workflow.wait_condition(self._rested)
            for step in self._steps:
                step.result()
            self._steps.clear()
            await self._park(closing=False)
        await workflow.sleep(timedelta(seconds=start.service_window, milliseconds=1))
        await self._park(closing=True)

    @workflow.update
    async def deliver(self, delivery: Delivery) -> Receipt:
        """Journal a delivery and let what follows from it begin; answer what became of it."""
        await workflow.wait_condition(lambda: self._ready)
        return self._receipts.get(delivery.intake_id) or await self._record(delivery)

    @workflow.query
    def quiet(self) -> bool:
        """Tell whether nothing will happen without a new delivery or the clock, and PostgreSQL knows that."""
        return bool(self._transactions.header) and not (self._steps or self._transactions.running)

    async def _record(self, delivery: Delivery) -> Receipt:
        recorded = await self._transactions.run(
            RECORD, lambda context: RecordDelivery(context=context, delivery=delivery), Recorded
        )
        self._receipts[delivery.intake_id] = recorded.receipt
        return recorded.receipt

    def _told(self, events: list[Event], _depth: int) -> None:
        for event in events:
            for flow, steps in zip(self._subscriptions.get(event.type, ()), _STEPS.get(event.type, ()), strict=True):
                self._steps.append(asyncio.create_task(self._follow(event, flow, steps)))

    async def _follow(self, event: Event, flow: str, steps: "Steps") -> None:
        await steps(self, event)
        # The flow that the steps stand for has ended.
        self._transactions.finished.append(FlowFinished(instance=f"{event.id}@{flow}", outcome="completed"))

    def _rested(self) -> bool:
        return bool(self._steps) and all(step.done() for step in self._steps)

    def _over(self) -> bool:
        units: Mapping[str, int] = self._header.get("units", {})
        return bool(units) and not (self._steps or units["open"] or units["reserved"] or units["allocated"])

    async def _park(self, *, closing: bool) -> None:
        seq = self._header["seq"]
        await self._transactions.run(
            PARK,
            lambda context: Park(context=context, wanted=[], next_due_at=None, after=seq, closing=closing),
            Parked,
        )

    @property
    def _header(self) -> dict[str, Any]:
        return self._transactions.header

    async def place(self, event: Event) -> None:
        """Do as ``place-order.yaml``."""
        policy, money = self._header["policy"], self._header["money"]
        assert policy["remorse"] == "PT0S", "a standard order has no remorse period"
        assert money["to_authorize"] == 0, "a standard order is authorised by the channel"
        if policy["reserve"] == "placing":
            await self._act(event, actions.create_reservation, {})
        if self._header["units"]["open"] + self._header["units"]["reserved"] > 0:
            await self._emit(event, "order.released")

    async def fulfil(self, event: Event) -> None:
        """Do as ``fulfilment.yaml``."""
        planned = await self._act(event, actions.schedule_routing, {"reason": event.type})
        assert planned.output["delay"] == "PT0S", "a standard order is routed at once"
        found = await self._act(event, actions.find_routes, {"schedule": planned.output["schedule"]})
        assert found.output["outcome"] == "ROUTED", "a standard order finds its route"
        await self._act(event, actions.create_fulfillment_orders, {"attempt": found.output["attempt"]})
        assert self._header["exceptions"]["open"] == 0, "a standard order has no process exception"

    async def invoice_and_ensure_funds(self, event: Event) -> None:
        """Do as ``invoice-and-ensure-funds.yaml``."""
        invoiced = await self._act(
            event, actions.create_invoice, {"fulfillment_order": event.data["fulfillment_order"]}
        )
        await self._ensure_funds(event, {"invoice": invoiced.output["invoice"]})
        assert self._header["money"]["to_reverse"] == 0, "a standard order captures all that is authorised"

    async def fulfill_reservation(self, event: Event) -> None:
        """Do as ``fulfill-reservation.yaml``."""
        await self._act(event, actions.fulfill_reservation, {"fulfillment_order": event.data["fulfillment_order"]})

    async def _act(self, event: Event, action: ActionContract[Any, Any], input: JsonObject) -> ActionDone:
        return await self._transactions.run(action.activity, _request(event, action.activity, input), ActionDone)

    async def _emit(self, event: Event, type: str) -> None:
        input: JsonObject = {"type": type, "data": {}}
        await self._transactions.run(EMIT_EVENT, _request(event, EMIT_EVENT, input), ActionDone)

    async def _ensure_funds(self, event: Event, input: JsonObject) -> None:
        activity = actions.ensure_funds.activity
        request = _request(event, activity, input)
        prepared = await self._transactions.run(f"{activity}.prepare", request, ActionDone)
        outcomes = await asyncio.gather(*(_ask(asked) for asked in prepared.requests))

        def settle(context: Context) -> SettleAction:
            return SettleAction(action=request(context), outcomes=outcomes)

        settled = await self._transactions.run(f"{activity}.settle", settle, ActionDone)
        assert not settled.requests, "a standard order's capture has a known outcome"


def _request(event: Event, activity: str, input: JsonObject) -> Callable[[Context], RunAction]:
    def request(context: Context) -> RunAction:
        return RunAction(context=context, key=f"{event.id}/{activity}", input=input, cause=f"twin/{activity}")

    return request


async def _ask(request: GatewayRequest) -> GatewayOutcome:
    outcome: Any = await workflow.execute_activity(
        PERFORM_GATEWAY_REQUEST,
        request.model_copy(update={"now": workflow.now()}),
        result_type=GatewayOutcome,
        task_queue=OUTSIDE,
        start_to_close_timeout=GATEWAY_ATTEMPT,
        heartbeat_timeout=GATEWAY_SILENCE,
        schedule_to_close_timeout=GATEWAY_IN_ALL,
        retry_policy=GATEWAY_RETRY,
    )
    return cast("GatewayOutcome", outcome)


type Steps = Callable[[TwinOrder, Event], Awaitable[None]]

_STEPS: Mapping[str, Sequence[Steps]] = {
    "order.placed": (TwinOrder.place,),
    "order.released": (TwinOrder.fulfil,),
    "fulfillment.shipped": (TwinOrder.invoice_and_ensure_funds, TwinOrder.fulfill_reservation),
}
"""What follows from an event, in the order of the release."""

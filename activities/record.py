"""Records what was taken in: journals it and applies its facts in one transaction. The rest is the flows' business."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities import fulfillment_changes, intents, rescheduling
from activities.arrivals import Arrival, body_as
from activities.exception_changes import record_change, record_found, record_overdue, record_unaccepted
from activities.exceptions import record_resolution
from activities.fulfillment import record_report, stoppable
from activities.placing import place
from activities.questions import Question
from activities.registry import serves
from activities.transaction import Answer, Call, as_far_as_it_goes, finish, open_unit, order_row, repeat
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.messages import (
    ActionDone,
    Context,
    Delivery,
    Receipt,
    RecordDelivery,
    Recorded,
    ReleasePin,
)
from orderloom.contracts.moving import RELEASE_REQUESTED
from orderloom.contracts.outside import GatewayNotice
from orderloom.contracts.queues import RECORD
from orderloom.domain.changes import plan_cancel, plan_return
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.domain.placing import CancelItems, ReturnItems
from orderloom.persistence.delivered import Received, lock_for
from orderloom.persistence.intake import ORDER_PLACED
from orderloom.persistence.journal import mark_finished
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.vault import Vault

_table = intake.c

_BODY = TypeAdapter(JsonObject)


class ContentsUnreadable(OrderloomError):
    """What was taken in cannot be read.

    Ask its source for it once more; look for who wrote to the table `intake` beside the API.
    """

    code = "intake.unreadable"
    status = 500


class WorkflowWanted(Exception):
    """A flow waits for this: it must go through the order's workflow. Nothing was recorded."""

    def __init__(self, detail: str, types: Iterable[str] = ()) -> None:
        """Take the types among those delivered that are waited for; none when it is what follows from them."""
        super().__init__(detail)
        self.types = frozenset(types)


@serves(RECORD, RecordDelivery, Recorded)
async def record(services: Services, request: RecordDelivery) -> Recorded:
    """Record a delivery for the order's workflow, at most once."""
    return await _record(services, request.context, request.delivery, by_workflow=True)


async def record_delivery(engine: AsyncEngine, vault: Vault, context: Context, delivery: Delivery) -> Recorded:
    """
    Record a delivery.

    Events of the order that came in earlier and are not delivered yet are recorded before it. A command whose
    precondition does not hold is refused. The same delivery again gets the same receipt.

    Raises:
        NotFound: the order has no such intake row.
    """
    return await _record(Services(engine=engine, vault=vault), context, delivery, by_workflow=True)


async def record_directly(
    engine: AsyncEngine, vault: Vault, order_id: str, delivery: Delivery, *, now: datetime
) -> Recorded:
    """
    Record a delivery for the relay, which wakes no workflow.

    Args:
        now: business time, unless the delivery brings its own.

    Raises:
        WorkflowWanted: a flow waits for it.
        NotFound: the order has no such intake row.
    """
    nothing = ReleasePin(release="", subscriptions={})
    direct = Context(order_id=order_id, now=delivery.business_at or now, known_flows=[], pin=nothing)
    return await _record(Services(engine=engine, vault=vault), direct, delivery, by_workflow=False)


async def _record(services: Services, context: Context, delivery: Delivery, *, by_workflow: bool) -> Recorded:
    call = Call(
        context=context,
        key=delivery.intake_id,
        cause=delivery.intake_id,
        input={"record": delivery.type},
        by_workflow=by_workflow,
    )
    return await as_far_as_it_goes(services, context, partial(_record_once, services, call, delivery))


async def _record_once(
    services: Services, call: Call, delivery: Delivery, most: int
) -> tuple[Recorded, Question | None]:
    context, by_workflow = call.context, call.by_workflow
    async with Transaction(services.engine) as conn:
        locked, rows = await lock_for(conn, context.order_id, call.key, call.heard)
        order = None if locked is None else order_row(locked)
        if locked is not None and order is not None and locked.answer is not None:
            return _recorded(await repeat(conn, order, locked, call)), None
        if not rows:
            raise NotFound(f"there is no intake {delivery.intake_id}", intake=delivery.intake_id)
        if rows[-1].status != "received":
            # It was recorded with another one, under that one's key; what ended meanwhile is told here all the same.
            await mark_finished(conn, context.order_id, [one.model_dump(mode="json") for one in context.finished])
            return Recorded(receipt=Receipt.model_validate(rows[-1].answer)), None
        if not by_workflow:
            call = _direct(call, order, [row.type for row in rows])
        unit = None
        if locked is not None and order is not None:
            unit = open_unit(services, conn, order, call, locked.books, missed=locked.missed)
        return await _Recording(services, conn, unit, call).record(rows, most)


def _direct(call: Call, order: OrderRow | None, types: Sequence[str]) -> Call:
    """Return the call with the order's own pin, unless a flow waits for one of *types* or it moves the order."""
    wanted = set(types) if order is None else {RELEASE_REQUESTED, *_wanted(order)}.intersection(types)
    if order is None or wanted:
        raise WorkflowWanted(f"order {call.context.order_id} waits for one of {sorted(set(types))}", wanted)
    context = call.context.model_copy(update={"pin": order.pin})
    return Call(context=context, key=call.key, cause=call.cause, input=call.input, by_workflow=False)


def _wanted(order: OrderRow) -> set[str]:
    return {*order.wanted, *order.pin.subscriptions}


def _recorded(done: ActionDone) -> Recorded:
    receipt = Receipt.model_validate(done.output)
    return Recorded(
        receipt=receipt, applied=done.applied if receipt.status == "accepted" or done.applied.events else None
    )


class _Recording:
    """One transaction that records rows of one order, in the order in which they came in."""

    def __init__(self, services: Services, conn: AsyncConnection, unit: Unit | None, call: Call) -> None:
        self._services = services
        self._conn = conn
        self._call = call
        self._unit = unit
        self._answers: list[dict[str, Any]] = []

    async def record(self, rows: Sequence[Received], most: int) -> tuple[Recorded, Question | None]:
        receipt = Receipt(status="refused")
        for row in rows:
            receipt = await self._one(row)
            answer = receipt.model_dump(mode="json", exclude_none=True)
            self._answers.append({"id": row.id, "status": receipt.status, "answer": answer})
        if self._unit is None:
            await self._refuse_all()
            return Recorded(receipt=receipt), None
        unit = self._unit
        if not self._call.by_workflow and _wanted(unit.order).intersection(
            event.type for event, _ in unit.buffer.events
        ):
            raise WorkflowWanted(f"order {unit.order.id} waits for what follows from this")
        for each in self._answers:
            unit.change(intake, {"id": each["id"]}, {"status": each["status"], "answer": each["answer"]})
        output = receipt.model_dump(mode="json", exclude_none=True)
        done = await finish(unit, self._call, Answer(output=output, remember=bool(unit.buffer.events)), most)
        return _recorded(done), unit.question

    async def _one(self, row: Received) -> Receipt:
        try:
            body = _read(await self._services.vault.open(row.key_id, row.body))
            arrival = Arrival(id=row.id, kind=row.kind, type=row.type, source=row.source, key_id=row.key_id, body=body)
            return Receipt(status="accepted", seq=await self._apply(arrival))
        except OrderloomError as error:
            if row.kind == "event" and self._unit is not None:
                return Receipt(status="accepted", seq=_unexpected(self._unit, row, error))
            return Receipt(status="refused", problem=error.problem())

    async def _apply(self, arrival: Arrival) -> int:
        if arrival.type == ORDER_PLACED and self._unit is None:
            # The unit is only there once the order is: a refused placement leaves nothing of it behind.
            self._unit = await place(self._services, self._conn, arrival, self._call)
            return self._unit.seq
        if self._unit is None:
            raise NotFound(f"there is no order {self._call.context.order_id}", order=self._call.context.order_id)
        handle = _HANDLERS.get(arrival.type, _note)
        return await handle(self._unit, arrival)

    async def _refuse_all(self) -> None:
        for each in self._answers:
            values = {"status": each["status"], "answer": each["answer"]}
            await self._conn.execute(update(intake).where(_table.id == each["id"]).values(values))


def _read(opened: bytes) -> JsonObject:
    """
    Return the body that was sealed.

    Raises:
        ContentsUnreadable: it is none. Were it no error of ours, the order would try to read it for ever.
    """
    try:
        return _BODY.validate_json(opened)
    except ValidationError:
        raise ContentsUnreadable("what was taken in is no JSON object") from None


def _unexpected(unit: Unit, row: Received, error: OrderloomError) -> int:
    arrival = Arrival(id=row.id, kind=row.kind, type=row.type, source=row.source, key_id=row.key_id, body={})
    return arrival.enter_unexpected(unit, error.code)


async def _cancel_requested(unit: Unit, arrival: Arrival) -> int:
    request = body_as(arrival, CancelItems)
    plan_cancel(await unit.lines(), await unit.pools(), request, unit.order.life_cycle, await stoppable(unit))
    return arrival.enter(unit, {"lines": len(request.items)})


async def _return_requested(unit: Unit, arrival: Arrival) -> int:
    request = body_as(arrival, ReturnItems)
    plan_return(await unit.lines(), await unit.pools(), request, unit.order.life_cycle)
    return arrival.enter(unit, {"lines": len(request.items)})


async def _payment_updated(unit: Unit, arrival: Arrival) -> int:
    notice = body_as(arrival, GatewayNotice)
    seq = arrival.enter(unit, {"intent": notice.intent_id, "outcome": notice.outcome.value})
    await intents.settle_from_webhook(unit, arrival.body)
    return seq


async def _placed_again(unit: Unit, arrival: Arrival) -> int:
    raise OrderMoved(f"order {unit.order.id} is placed already", intake=arrival.id)


async def _note(unit: Unit, arrival: Arrival) -> int:
    """Journal a type that nothing here applies; its body stays in intake."""
    return arrival.enter(unit, {})


type Handler = Callable[[Unit, Arrival], Awaitable[int]]

_HANDLERS: dict[str, Handler] = {
    ORDER_PLACED: _placed_again,
    "order.cancel.requested": _cancel_requested,
    "order.return.requested": _return_requested,
    "order.routing.requested": rescheduling.record_request,
    "routing.abandon.requested": rescheduling.record_abandonment,
    "routing.reschedule.requested": rescheduling.record_rescheduling,
    "routing.proposed": rescheduling.record_proposal,
    "stock.restocked": rescheduling.record_proposal,
    "exception.resolve.requested": record_resolution,
    "exception.change.requested": record_change,
    "exception.deadline.passed": record_overdue,
    "exception.found": record_found,
    "fulfillment.unaccepted": record_unaccepted,
    **fulfillment_changes.HANDLERS,
    "payment.updated": _payment_updated,
    **dict.fromkeys(
        ("fulfillment.accepted", "fulfillment.rejected", "fulfillment.picked", "fulfillment.shipped"), record_report
    ),
}

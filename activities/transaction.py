"""
Opens, numbers and closes the transaction of an activity on one order.

Row locks are taken in one order: the order's row first, stock after it. The last statement writes the journal, the
outbox, the order's row and the idempotency row together: all of it happened, or nothing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.backorders import count_ahead
from activities.header import header_of
from activities.questions import Question
from activities.unit import OrderRow, Services, Unit
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.messages import ActionDone, Applied, Context, Event, Recorded, ReleasePin, RunAction
from orderloom.contracts.outside import GatewayRequest
from orderloom.contracts.searching import SearchRoutes
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.invalid import invalid
from orderloom.domain.model import Frozen, Json, JsonObject, Message, TrustedObject
from orderloom.persistence.books import Books
from orderloom.persistence.conflicts import tried
from orderloom.persistence.digest import digest
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.journal import Heard, Locked, lock, mark_finished, read_events_again
from orderloom.persistence.standing import Standing
from orderloom.persistence.tables.orders import flow_instances, idempotency, journal, orders, outbox
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.writes import Values, Writes

MOST_AHEAD = 16
"""Calls that are done ahead in one transaction."""

type Implementation[I: Frozen, O: Frozen] = Callable[[Unit, I], Awaitable[O]]
"""Carries out an action."""

type Preparation[I: Frozen, O: Frozen] = Callable[[Unit, I], Awaitable[list[GatewayRequest] | O]]
"""Writes the intents of an outside action; returns its output when nothing is to be asked."""


class IdempotencyConflict(OrderloomError):
    """The idempotency key was used with another input.

    This is a fault of the program that made the key, not of the order: stop and look at both inputs.
    """

    code = "idempotency.conflict"
    status = 409


class ActionFailed(Exception):
    """An action ended in *error* after outcomes of money were committed: *applied* says what changed all the same."""

    def __init__(self, error: OrderloomError, applied: Applied) -> None:
        super().__init__(error.detail)
        self.error = error
        self.applied = applied


class SearchWanted(Exception):
    """A local action has left a question that must be searched for elsewhere, and has done nothing else."""

    def __init__(self, search: SearchRoutes) -> None:
        """Take where it lies."""
        super().__init__(search.key)
        self.search = search


@dataclass(frozen=True, kw_only=True)
class Call:
    """One transaction that an order is asked for."""

    context: Context
    key: str
    """Of the idempotency row."""
    cause: str
    input: Json
    """What the key belongs to."""
    action_key: str | None = None
    """What the unit shows as its key; the idempotency key unless given."""
    by_workflow: bool = True
    """False: nobody asks for the header and the flows."""

    @property
    def heard(self) -> Heard:
        """Return what the workflow that asks has heard of the journal."""
        return Heard(self.context.checked, {*self.context.wanted, *self.context.pin.subscriptions})


@dataclass
class Answer:
    """What the body of a transaction came to."""

    output: JsonObject = field(default_factory=dict[str, Json])
    requests: list[GatewayRequest] = field(default_factory=list[GatewayRequest])
    search: SearchRoutes | None = None
    """What must be searched for before the action can do its work."""
    failure: OrderloomError | None = None
    """Raised when the transaction is committed."""
    remember: bool = True
    """Keep the answer for the key."""
    order: dict[str, Any] = field(default_factory=dict[str, Any])
    """What parking writes to the order's row."""


type Body = Callable[[Unit], Awaitable[Answer]]
"""Does the work of one call."""


class Remembered(Message):
    """What the idempotency row keeps: the answer, and the numbers of the events that came with it."""

    output: TrustedObject
    requests: list[GatewayRequest]
    first: int
    last: int


async def run(
    services: Services, contract: ActionContract[Any, Any], function: Implementation[Any, Any], request: RunAction
) -> ActionDone:
    """Run a local action, at most once for its key; one that must search first has done nothing else."""
    body = running(function, command_of(contract, request.input))
    return await transact(services, call_of(request, contract.activity), body)


def running(function: Implementation[Any, Any], command: Frozen) -> Body:
    """Return the body of a local action's transaction."""

    async def body(unit: Unit) -> Answer:
        try:
            output: Frozen = await function(unit, command)
        except SearchWanted as wanted:
            return Answer(search=wanted.search, remember=False)
        return Answer(output=output.model_dump(mode="json"))

    return body


async def transact(services: Services, call: Call, body: Body) -> ActionDone:
    """
    Run *body* in one transaction on the order, or answer what was answered before to the same key.

    Raises:
        NotFound: there is no such order.
        IdempotencyConflict: the key was used with another input.
        ActionFailed: *body* asked to commit and then to fail.
    """
    return await as_far_as_it_goes(services, call.context, partial(_transact, services, call, body))


class AheadFailed(Exception):
    """Something that was run ahead went wrong: as much is done once more as went well before it."""

    def __init__(self, done: int) -> None:
        """Take how many calls went well."""
        super().__init__(done)
        self.done = done


async def as_far_as_it_goes[R: (ActionDone, Recorded)](
    services: Services, context: Context, transaction: Callable[[int], Awaitable[tuple[R, Question | None]]]
) -> R:
    """
    Run *transaction*, and then ask gateways what it leaves to be asked, if they may be asked at once.

    It is told how many calls it may do ahead, so that nothing done ahead goes wrong in it.
    """
    most = MOST_AHEAD if context.stands is not None else 0
    while True:
        try:
            done, question = await tried(partial(transaction, most))
            break
        except AheadFailed as failed:
            most = failed.done
    if question is None or services.ask is None:
        return done
    return await services.ask(question, done)


async def _transact(services: Services, call: Call, body: Body, most: int) -> tuple[ActionDone, Question | None]:
    async with Transaction(services.engine) as conn:
        locked = await lock(conn, call.context.order_id, call.key, call.heard)
        if locked is None:
            raise NotFound(f"there is no order {call.context.order_id}", order=call.context.order_id)
        if locked.answer is not None:
            return await repeat(conn, order_row(locked), locked, call), None
        unit = open_unit(services, conn, order_row(locked), call, locked.books, missed=locked.missed)
        answer = await body(unit)
        done = await finish(unit, call, answer, most)
    if answer.failure is not None:
        raise ActionFailed(answer.failure, done.applied) from answer.failure
    return done, unit.question


def open_unit(
    services: Services,
    conn: AsyncConnection,
    order: OrderRow,
    call: Call,
    books: Books,
    *,
    missed: Sequence[Event] = (),
    writes: Writes | None = None,
) -> Unit:
    """Return the unit of a transaction that holds the order's row, with what was read under its lock."""
    key, now, cause = call.action_key or call.key, call.context.now, call.cause
    standing = Standing(books) if call.by_workflow else None
    unit = Unit(services, conn, order, now=now, cause=cause, key=key, books=books, standing=standing, writes=writes)
    unit.missed = missed
    return unit


async def finish(unit: Unit, call: Call, answer: Answer, most: int = 0) -> ActionDone:
    """
    Write what the transaction gathered, its journal and its answer, after up to *most* calls more; return what it did.

    Raises:
        AheadFailed: one of them went wrong.
    """
    close(unit, call, answer)
    await count_ahead(unit)
    done, go_on = await tell(unit, call, answer), unit.services.go_on
    missed = len(done.applied.events) > len(unit.buffer.events)
    if most and go_on is not None and not (missed or answer.search or answer.failure or _must_wait(unit, answer)):
        done = await go_on(unit, call.context, call.action_key or call.key, done, most)
    await unit.written()
    return done


def _must_wait(unit: Unit, answer: Answer) -> bool:
    """Return whether gateways are to be asked that cannot be asked at once, or may have been asked before."""
    return any(unit.services.ask is None or request.asked for request in answer.requests)


def close(unit: Unit, call: Call, answer: Answer) -> None:
    """Enter the journal of the transaction and its answer, and number the order."""
    order = unit.order
    seq = order.seq + len(unit.buffer.events)
    _enter_journal(unit, call)
    if answer.remember:
        stored = Remembered(output=answer.output, requests=answer.requests, first=order.seq + 1, last=seq)
        row: Values = {"order_id": order.id, "key": call.key, "input_hash": digest(call.input)}
        unit.enter(idempotency, row | {"answer": stored.model_dump(mode="json")})
    # A workflow that asks is not closed. The row is always written: that is how waiting for its lock shows.
    opened: Values = {"closed_at": None} if call.by_workflow and order.closed_at is not None else {}
    unit.change(orders, {"id": order.id}, {"seq": seq, **opened, **unit.buffer.order, **answer.order})


async def tell(unit: Unit, call: Call, answer: Answer) -> ActionDone:
    """Return what a transaction did that is closed, written or not."""
    order, events = unit.order, [event for event, _ in unit.buffer.events]
    if not call.by_workflow:
        applied = Applied(order={}, events=events)
        return ActionDone(output=answer.output, requests=answer.requests, search=answer.search, applied=applied)
    numbers = {"seq": order.seq + len(events), "routing_attempts": unit.routing_attempts}
    header = header_of(order, await unit.standing(), **numbers)
    missed = _missed(unit, call.context)
    applied = Applied(
        order={name: value for name, value in header.items() if call.context.seen.get(name) != value},
        events=[*(missed or ()), *events],
        flows=await unknown_flows(await unit.at_once(), call.context, events),
        gapless=missed is not None,
    )
    return ActionDone(output=answer.output, requests=answer.requests, search=answer.search, applied=applied)


def _enter_journal(unit: Unit, call: Call) -> None:
    """Enter the events and their places in the feed, the flow instances that they start, and those that ended."""
    id = unit.order.id
    for event, cause in unit.buffer.events:
        unit.enter(journal, {"order_id": id, **event.model_dump(mode="json"), "cause": cause})
        unit.enter(outbox, {"order_id": id, "seq": event.seq})
        unit.enter_once(flow_instances, *_started(id, call.context.pin, event))
    for instance in call.context.finished:
        unit.change(
            flow_instances, {"order_id": id, "instance": instance.instance}, {"status": instance.outcome}, exact=False
        )


async def repeat(conn: AsyncConnection, order: OrderRow, locked: Locked, call: Call) -> ActionDone:
    """
    Return what was answered before to the call's key, less events whose flows ended, with the header of now.

    Whoever was answered first may have asked gateways already.
    """
    if locked.input_hash != digest(call.input):
        raise IdempotencyConflict(f"key {call.key!r} came with another input before", key=call.key, order=order.id)
    if call.context.finished:
        await mark_finished(conn, order.id, [one.model_dump(mode="json") for one in call.context.finished])
    answer = Remembered.model_validate(locked.answer)
    events: list[Event] = []
    if answer.last >= answer.first:
        events = await read_events_again(conn, order.id, answer.first, answer.last)
    applied = Applied(order={}, events=events)
    if call.by_workflow:
        header = header_of(order, Standing(locked.books), seq=order.seq, routing_attempts=order.routing_attempts)
        applied = Applied(order=header, events=events, flows=await unknown_flows(conn, call.context, events))
    requests = [request.model_copy(update={"asked": True}) for request in answer.requests]
    return ActionDone(output=answer.output, requests=requests, applied=applied)


def _missed(unit: Unit, context: Context) -> Sequence[Event] | None:
    """
    Return what flows listen for and others have journaled since the workflow looked.

    It is told before what the transaction journals itself: flows come to a decision that was lost with its worker only
    if they hear of things in the order in which they happened. None: nothing has been journaled, or what starts flows,
    for which the workflow looks itself.
    """
    gap = context.checked is not None and context.checked < unit.order.seq
    starting = any(event.type in context.pin.subscriptions for event in unit.missed)
    return unit.missed if gap and not starting else None


async def unknown_flows(conn: AsyncConnection, context: Context, events: Sequence[Event]) -> dict[str, str]:
    """Return the bodies of flows that *events* start and the workflow does not know."""
    starting = {flow for event in events for flow in context.pin.subscriptions.get(event.type, ())}
    unknown = starting - set(context.known_flows)
    return await read_bodies(conn, unknown) if unknown else {}


def _started(order_id: str, pin: ReleasePin, event: Event) -> list[Values]:
    return [
        {
            "order_id": order_id,
            "instance": f"{event.id}@{flow}",
            "flow": flow,
            "seq": event.seq,
            "status": "running",
        }
        for flow in pin.subscriptions.get(event.type, ())
    ]


def call_of(request: RunAction, activity: str) -> Call:
    """Return the transaction that an action's request asks for."""
    return Call(
        context=request.context,
        key=request.key,
        cause=request.cause,
        input={"action": activity, "input": request.input},
    )


def command_of[I: Frozen](contract: ActionContract[I, Any], input: JsonObject) -> I:
    """
    Return the typed input of an action.

    Raises:
        InvalidInput: with a field problem for each; flows are checked when published, so this names a computed value.
    """
    try:
        return contract.input.model_validate(input)
    except ValidationError as error:
        raise invalid(error, contract.name) from None


def order_row(locked: Locked) -> OrderRow:
    """Return the order that a lock found."""
    return OrderRow.model_validate(locked.row, from_attributes=True)

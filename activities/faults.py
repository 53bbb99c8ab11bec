"""Errors that no flow caught: the process exception that an instance of a flow waits at."""

from functools import partial

from sqlalchemy import bindparam, select

from activities.exceptions import enter_exception
from activities.registry import serves
from activities.transaction import Answer, Call, transact
from activities.unit import Services, Unit
from orderloom.contracts.messages import ActionDone, FaultFound, FindFault, RaiseFault
from orderloom.contracts.queues import FIND_FAULT, RAISE_FAULT
from orderloom.domain.errors import Problem
from orderloom.domain.exception_status import UNSETTLED
from orderloom.domain.exceptions import shown
from orderloom.domain.model import Json, JsonObject
from orderloom.persistence.conflicts import tried
from orderloom.persistence.digest import canonical
from orderloom.persistence.journal import mark_finished
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import flow_instances
from orderloom.persistence.transactions import Transaction
from orderloom.persistence.writes import Values

MOST_INPUT = 2_048
"""Bytes of a task's input that are kept."""
MOST_PLANNED = 100
"""Compensations that are listed."""

_table = process_exceptions.c
_OPEN_AT = select(_table.id).where(
    _table.order_id == bindparam("of_order"),
    _table.attached_to == bindparam("attached_to"),
    _table.code == bindparam("code"),
    _table.status.in_(UNSETTLED),
)
_FAILED = (
    select(_table.error)
    .where(_table.order_id == bindparam("of_order"), _table.waiting["call"].astext == bindparam("call"))
    .order_by(_table.number)
    .limit(1)
)
_DECISION = select(_table.decision).where(_table.id == bindparam("of_id"))


@serves(RAISE_FAULT, RaiseFault, ActionDone)
async def raise_fault(services: Services, request: RaiseFault) -> ActionDone:
    """
    Record the error, once for its key, and return its exception.

    Asked again after a run was lost, it also returns what has been decided meanwhile.
    """

    async def body(unit: Unit) -> Answer:
        return Answer(output={"exception": await _record(unit, request)})

    call = Call(context=request.context, key=request.key, cause=request.cause, input={"fault": request.attached_to})
    done = await transact(services, call, body)
    async with services.engine.connect() as conn:
        decision: Json = await conn.scalar(_DECISION, {"of_id": done.output["exception"]})
    return done.model_copy(update={"output": {**done.output, "decision": decision}})


@serves(FIND_FAULT, FindFault, FaultFound)
async def find_fault(services: Services, request: FindFault) -> FaultFound:
    """Return the error of the exception that was raised when the call failed."""
    return await tried(partial(_find_once, services, request))


async def _find_once(services: Services, request: FindFault) -> FaultFound:
    context = request.context
    async with Transaction(services.engine) as conn:
        if context.finished:
            await mark_finished(conn, context.order_id, [one.model_dump(mode="json") for one in context.finished])
        error: Json = await conn.scalar(_FAILED, {"of_order": context.order_id, "call": request.call})
    return FaultFound(error=None if error is None else Problem.model_validate(error))


async def _record(unit: Unit, request: RaiseFault) -> str:
    values = {"of_order": unit.order.id, "attached_to": request.attached_to, "code": request.error.code}
    known: str | None = (await unit.read(_OPEN_AT, values)).scalars().first()
    instance = {"order_id": unit.order.id, "instance": request.instance}
    unit.change(flow_instances, instance, {"status": "faulted"}, exact=False)
    if known is not None:
        unit.change(process_exceptions, {"id": known}, _told(request))
        return known
    found: Values = {
        "category": request.category,
        "code": request.error.code,
        "detail": request.error.detail,
        "severity": "High",
        "priority": "High",
        "attached_to": request.attached_to,
    }
    return await enter_exception(unit, {**found, **_told(request)})


def _told(request: RaiseFault) -> JsonObject:
    """Return what is told of the flow, as columns."""
    waiting: JsonObject = {
        "action": request.action,
        "call": request.call,
        "finished": request.finished,
        "within": [*request.within],
        "undoing": request.undoing,
        "compensations": [
            each.model_dump(mode="json", exclude_none=True) for each in request.compensations[:MOST_PLANNED]
        ],
        "calls": len(request.compensations),
    }
    return {
        "flow": request.flow,
        "flow_hash": request.flow_hash,
        "instance": request.instance,
        "task": request.task,
        "error": {**request.error.model_dump(mode="json"), "facts": shown(request.error.facts)},
        "input": _capped(request.input),
        "attempts": request.attempts,
        "waiting": waiting,
    }


def _capped(input: Json) -> Json:
    kept = shown(input)
    size = len(canonical(kept))
    return kept if size <= MOST_INPUT else f"({size} bytes)"

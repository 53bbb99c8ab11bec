"""What people say about routing schedules: another date, now, or never."""

from datetime import datetime

from sqlalchemy import bindparam, select

from activities.arrivals import Arrival, body_as
from activities.scheduling import in_pool, planned
from activities.unit import Unit
from orderloom.domain.errors import NotFound
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.domain.scheduling import AbandonSchedule, RescheduleRouting, RoutingNotAwaited, RoutingScheduleFrozen
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.waiting import read_waiting

RESCHEDULED = "routing.rescheduled"
"""What a flow that waits for its schedule listens to."""

_schedules = routing_schedules.c
_OPEN = select(_schedules.number).where(_schedules.order_id == bindparam("of_order"), _schedules.status == "scheduled")


async def record_rescheduling(unit: Unit, arrival: Arrival) -> int:
    """
    Give a planned routing schedule another date; one in the past is now.

    Raises:
        NotFound: the order has no such schedule.
        RoutingScheduleFrozen: it is no longer planned.
    """
    command = body_as(arrival, RescheduleRouting)
    await _refuse_frozen(unit, command.schedule)
    return _move(unit, arrival, command.schedule, max(command.scheduled_at, unit.now))


async def record_abandonment(unit: Unit, arrival: Arrival) -> int:
    """
    Ask the flow that waits for a planned routing schedule to give it up.

    Raises:
        NotFound: the order has no such schedule.
        RoutingScheduleFrozen: it is no longer planned.
        RoutingNotAwaited: no flow listens to that.
    """
    command = body_as(arrival, AbandonSchedule)
    await _refuse_frozen(unit, command.schedule)
    if arrival.type not in unit.order.wanted:
        detail = f"no flow of order {unit.order.id} listens whether routing schedule {command.schedule} is given up"
        raise RoutingNotAwaited(detail, schedule=command.schedule)
    return arrival.enter(unit, {"schedule": command.schedule})


async def _refuse_frozen(unit: Unit, number: int) -> None:
    schedule = await planned(unit, number)
    if schedule is None:
        raise NotFound(f"order {unit.order.id} has no routing schedule {number}", schedule=number)
    if schedule.status != "scheduled":
        detail = f"routing schedule {number} of order {unit.order.id} is {schedule.status}"
        raise RoutingScheduleFrozen(detail, schedule=number, status=schedule.status)


async def record_request(unit: Unit, arrival: Arrival) -> int:
    """
    Let routing be tried now: a planned attempt that a flow waits for is moved, otherwise flows may start.

    Raises:
        OrderMoved: nothing waits for a location.
    """
    if not (await read_waiting(unit)).pools:
        raise OrderMoved(f"order {unit.order.id} has nothing that waits for a location")
    if RESCHEDULED not in unit.order.wanted:
        return arrival.enter(unit, {})
    number = (await unit.read(_OPEN, {"of_order": unit.order.id})).scalar_one_or_none()
    if number is None:
        return arrival.enter(unit, {})
    return _move(unit, arrival, number, unit.now)


def _move(unit: Unit, arrival: Arrival, number: int, due: datetime) -> int:
    pooled = in_pool(unit.order.policy.routing, due)
    unit.change(routing_schedules, {"order_id": unit.order.id, "number": number}, {"scheduled_at": due, **pooled})
    data: JsonObject = {"schedule": number, "due": due.isoformat()}
    return unit.journal(RESCHEDULED, data, id=arrival.id, source=arrival.source, cause=arrival.id)


async def record_proposal(unit: Unit, arrival: Arrival) -> int:
    """Journal that stock is held for the order, or what a wave came to: the number of the proposal."""
    return arrival.enter(unit, arrival.body)

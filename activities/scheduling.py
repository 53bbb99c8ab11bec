"""Routing schedules: when routing is tried, that it was tried, and giving it up."""

from datetime import datetime, timedelta

from sqlalchemy import DateTime, Row, bindparam, select, text

from activities.header import duration
from activities.registry import implements
from activities.reservations import release_open
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import AbandonRouting, Released, RoutingScheduled, ScheduleRouting
from orderloom.domain.errors import NotFound
from orderloom.domain.order import OrderMoved
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.tables.fulfillment import routing_schedules

_schedules = routing_schedules.c

_STANDING = text(
    """
    SELECT
        (SELECT COUNT(*) FROM routing_schedules WHERE order_id = :order_id) AS schedules,
        p.number, p.scheduled_at,
        (SELECT COUNT(*) FROM journal j
         WHERE j.order_id = :order_id AND j.type = 'routing.attempted' AND j.data->>'outcome' <> 'ROUTED'
             AND j.seq > COALESCE(
                 (SELECT MAX(t.seq) FROM journal t WHERE t.order_id = :order_id AND t.type = :reason), 0)) AS failed
    FROM (SELECT 1) one
    LEFT JOIN routing_schedules p ON p.order_id = :order_id AND p.status = 'scheduled'
    """
).columns(scheduled_at=DateTime(timezone=True))


@implements(actions.schedule_routing)
async def schedule_routing(unit: Unit, command: ScheduleRouting) -> RoutingScheduled:
    """
    Plan a routing attempt: at once after what asked for it, later after attempts that found nothing.

    What asked for it is the last event whose type is the reason; attempts before it do not count.
    """
    values = {"order_id": unit.order.id, "reason": command.reason}
    standing = (await unit.read(_STANDING, values)).one()
    if standing.number is not None:
        return _scheduled(standing.number, standing.scheduled_at, unit.now)
    due = unit.now + timedelta(seconds=backoff(unit.order.policy.routing, standing.failed))
    number = standing.schedules + 1
    unit.journal("routing.scheduled", {"schedule": number, "due": due.isoformat()})
    row = {"order_id": unit.order.id, "number": number, "status": "scheduled"}
    unit.enter(routing_schedules, {**row, "reason": command.reason, "scheduled_at": due})
    return _scheduled(number, due, unit.now)


def backoff(policy: RoutingPolicy, failed: int) -> float:
    """Return the seconds to wait after *failed* attempts in a row: none after none."""
    if failed == 0:
        return 0.0
    return min(policy.backoff * policy.backoff_factor ** (failed - 1), policy.backoff_limit)


def _scheduled(number: int, due: datetime, now: datetime) -> RoutingScheduled:
    left = max(0.0, (due - now).total_seconds())
    return RoutingScheduled(schedule=number, due=due, delay=duration(left))


_ONE = select(_schedules.status, _schedules.ended_at).where(
    _schedules.order_id == bindparam("of_order"), _schedules.number == bindparam("of_number")
)


async def standing_of(unit: Unit, number: int) -> Row[str, datetime | None] | None:
    """Return status and end of a routing schedule of the order, or None."""
    return (await unit.read(_ONE, {"of_order": unit.order.id, "of_number": number})).one_or_none()


async def require_planned(unit: Unit, number: int) -> None:
    """
    Check that a routing schedule is still to come.

    Raises:
        OrderMoved: it has ended, or there is none.
    """
    standing = await standing_of(unit, number)
    if standing is None or standing.status != "scheduled":
        raise OrderMoved(f"routing schedule {number} of order {unit.order.id} is not planned", schedule=number)


def end(unit: Unit, number: int, status: str, at: datetime) -> None:
    """Give a routing schedule its last status."""
    unit.change(routing_schedules, {"order_id": unit.order.id, "number": number}, {"status": status, "ended_at": at})


@implements(actions.abandon_routing)
async def abandon_routing(unit: Unit, command: AbandonRouting) -> Released:
    """Give routing up; a manual retry may come later. The policy says what becomes of the reservation."""
    standing = await standing_of(unit, command.schedule)
    if standing is None:
        raise NotFound(f"order {unit.order.id} has no routing schedule {command.schedule}", schedule=command.schedule)
    end(unit, command.schedule, "abandoned", standing.ended_at or unit.now)
    unit.journal("routing.abandoned", {"attempts": unit.routing_attempts})
    if unit.order.policy.routing.when_abandoned == "release":
        return Released(units=await release_open(unit))
    return Released(units=0)

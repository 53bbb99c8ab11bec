"""Routing schedules: when routing is tried, that it was tried, and giving it up."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import DateTime, text

from activities.awaiting import stop_waiting
from activities.header import duration
from activities.registry import implements
from activities.reservations import release_open
from activities.unit import Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import AbandonRouting, Released, RoutingScheduled, ScheduleRouting
from orderloom.domain.errors import NotFound
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.tables.fulfillment import routing_schedules

_STANDING = text(
    """
    SELECT
        (SELECT COUNT(*) FROM routing_schedules WHERE order_id = :order_id) AS schedules,
        p.number, p.scheduled_at,
        EXISTS (
            SELECT 1 FROM journal w
            WHERE w.order_id = :order_id AND w.type IN ('stock.restocked', 'order.routing.requested', 'items.cancelled')
                AND w.seq > (SELECT MAX(s.seq) FROM journal s
                             WHERE s.order_id = :order_id AND s.type = 'routing.scheduled')) AS woken,
        (SELECT COUNT(*) FROM journal j
         WHERE j.order_id = :order_id AND j.type = 'routing.attempted' AND j.data->>'outcome' <> 'ROUTED'
             AND NOT jsonb_exists(j.data, 'woken')
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

    What asked for it is the last event whose type is the reason; attempts before it do not count. A planned attempt is
    due when its date has come, or when something has happened since that may make it succeed.
    """
    values = {"order_id": unit.order.id, "reason": command.reason}
    standing = (await unit.read(_STANDING, values)).one()
    if standing.number is not None:
        due = unit.now if standing.woken else standing.scheduled_at
        return _scheduled(standing.number, due, unit.now)
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


EARLY = timedelta(seconds=1)
"""An attempt that is made so long before its time was woken."""

_PLANNED = text(
    """
    SELECT s.status, s.scheduled_at, s.ended_at,
           EXISTS (SELECT 1 FROM proposals p WHERE p.order_id = s.order_id AND p.status = 'open') AS proposed,
           EXISTS (SELECT 1 FROM stock_waits w WHERE w.order_id = s.order_id) AS waits
    FROM routing_schedules s WHERE s.order_id = :order_id AND s.number = :number
    """
).columns(scheduled_at=DateTime(timezone=True), ended_at=DateTime(timezone=True))


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A routing schedule, and what stands beside it."""

    status: str
    scheduled_at: datetime
    ended_at: datetime | None
    proposed: bool
    """Stock is held for the order until it answers."""
    waits: bool
    """The order stands in the queue for stock."""


async def planned(unit: Unit, number: int) -> Planned | None:
    """Return a routing schedule of the order, or None."""
    row = (await unit.read(_PLANNED, {"order_id": unit.order.id, "number": number})).one_or_none()
    if row is None:
        return None
    return Planned(
        status=row.status,
        scheduled_at=row.scheduled_at,
        ended_at=row.ended_at,
        proposed=row.proposed,
        waits=row.waits,
    )


async def require_planned(unit: Unit, number: int) -> Planned:
    """
    Return a routing schedule that is still to be carried out.

    Raises:
        OrderMoved: it has ended, or there is none.
    """
    found = await planned(unit, number)
    if found is None or found.status != "scheduled":
        raise OrderMoved(f"routing schedule {number} of order {unit.order.id} is not planned", schedule=number)
    return found


_IN_TIME = text(
    """
    SELECT COUNT(*) FROM journal
    WHERE order_id = :order_id AND type = 'routing.attempted' AND NOT jsonb_exists(data, 'woken')
    """
)


def note_attempt(unit: Unit, schedule: Planned, attempt: int, outcome: str) -> None:
    """Journal a routing attempt. One that something woke before its time neither counts nor lengthens the waits."""
    data: JsonObject = {"attempt": attempt, "outcome": outcome}
    woken = unit.now + EARLY < schedule.scheduled_at
    unit.journal("routing.attempted", {**data, "woken": True} if woken else data)


async def may_retry(unit: Unit) -> bool:
    """Return whether the policy allows another attempt after those in the journal and the one under way."""
    made = (await unit.read(_IN_TIME, {"order_id": unit.order.id})).scalar_one()
    now = sum(event.type == "routing.attempted" and "woken" not in event.data for event, _ in unit.buffer.events)
    return made + now < unit.order.policy.routing.max_attempts


def end(unit: Unit, number: int, status: str, at: datetime) -> None:
    """Give a routing schedule its last status."""
    unit.change(routing_schedules, {"order_id": unit.order.id, "number": number}, {"status": status, "ended_at": at})


@implements(actions.abandon_routing)
async def abandon_routing(unit: Unit, command: AbandonRouting) -> Released:
    """Give routing up; a manual retry may come later. The policy says what becomes of the reservation."""
    standing = await planned(unit, command.schedule)
    if standing is None:
        raise NotFound(f"order {unit.order.id} has no routing schedule {command.schedule}", schedule=command.schedule)
    end(unit, command.schedule, "abandoned", standing.ended_at or unit.now)
    unit.journal("routing.abandoned", {"attempts": unit.routing_attempts})
    if standing.waits or standing.proposed:
        await stop_waiting(unit)
    if unit.order.policy.routing.when_abandoned == "release":
        return Released(units=await release_open(unit))
    return Released(units=0)

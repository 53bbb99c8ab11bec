"""Routing schedules: when routing is tried, that it was tried, and giving it up."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Row, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from activities.awaiting import stop_waiting, wait_for_release
from activities.header import duration
from activities.registry import implements
from activities.reservations import release_open
from activities.unit import Fact, Unit
from orderloom.contracts import actions
from orderloom.contracts.actions import AbandonRouting, Released, RoutingScheduled, ScheduleRouting
from orderloom.contracts.messages import Event
from orderloom.domain.errors import NotFound
from orderloom.domain.model import JsonObject
from orderloom.domain.order import OrderMoved
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.waves import Answer
from orderloom.persistence.pools import PATIENCE
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.orders import journal
from orderloom.persistence.waiting import Waiting, read_waiting
from orderloom.persistence.writes import Values

_STANDING = (
    text(
        """
    SELECT
        (SELECT COUNT(*) FROM routing_schedules WHERE order_id = :order_id) AS schedules,
        p.number, p.scheduled_at, p.due_at, p.wave_by,
        (SELECT array_agg(DISTINCT w.type) FROM journal w
         WHERE w.order_id = :order_id AND w.type = ANY(:waking) AND w.seq <= :before
             AND w.seq > (SELECT MAX(s.seq) FROM journal s
                          WHERE s.order_id = :order_id AND s.type = 'routing.scheduled' AND s.seq <= :before)
        ) AS woken_by,
        (SELECT COUNT(*) FROM journal j
         WHERE j.order_id = :order_id AND j.type = 'routing.attempted' AND j.data->>'outcome' <> 'ROUTED'
             AND NOT jsonb_exists(j.data, 'woken') AND j.seq <= :before
             AND j.seq > COALESCE((SELECT MAX(t.seq) FROM journal t
                                   WHERE t.order_id = :order_id AND t.type = :reason AND t.seq <= :before), 0)
             AND j.time >= COALESCE(
                 (SELECT MAX(l.release_at) FROM order_lines l WHERE l.order_id = :order_id AND l.release_at <= :now),
                 '-infinity')) AS failed,
        EXISTS (SELECT 1 FROM order_lines l WHERE l.order_id = :order_id AND l.release_at > :now) AS preordered,
        EXISTS (SELECT 1 FROM proposals h WHERE h.order_id = :order_id AND h.status = 'open') AS proposed,
        EXISTS (SELECT 1 FROM stock_waits w WHERE w.order_id = :order_id) AS waits
    FROM (SELECT 1) one
    LEFT JOIN routing_schedules p ON p.order_id = :order_id AND p.status = 'scheduled'
    """  # of the journal up to number `before`: the rest is the transaction's own
    )
    .bindparams(bindparam("waking", type_=ARRAY(Text)), bindparam("now", type_=DateTime(timezone=True)))
    .columns(scheduled_at=DateTime(timezone=True), due_at=DateTime(timezone=True), wave_by=DateTime(timezone=True))
)
_HELD = frozenset({"stock.restocked", "routing.proposed"})
"""Something is held for the order, or a wave has found nothing for it: it answers at once."""
_CHANGED = frozenset({"order.routing.requested", "items.cancelled"})
"""Something has changed that may make an attempt succeed."""
_WAKING = sorted(_HELD | _CHANGED)


@implements(actions.schedule_routing)
async def schedule_routing(unit: Unit, command: ScheduleRouting) -> RoutingScheduled:
    """
    Plan a routing attempt: at once after what asked for it, later after attempts that found nothing.

    What asked for it is the last event whose type is the reason; attempts before it do not count. A planned attempt is
    due when its date has come, or when something has happened since that may make it succeed. In a routing pool it is
    then due for the next wave, and by itself only when that does not come. Preorders wait for their release, in the
    queue for stock.
    """
    before = unit.order.seq if not unit.events else unit.events[0].seq - 1
    values = {"order_id": unit.order.id, "reason": command.reason, "waking": _WAKING, "now": unit.now}
    standing = (await unit.read(_STANDING, {**values, "before": before}, known=[journal])).one()
    if standing.number is not None:
        woken = woken_since(standing.woken_by or (), unit.events)
        return _scheduled(standing.number, _due_again(unit, standing, woken), unit.now)
    failed = failed_since(standing.failed, unit.events, command.reason)
    due = unit.now + timedelta(seconds=backoff(unit.order.policy.routing, failed))
    waits = standing.waits
    if standing.preordered:
        waiting = await read_waiting(unit)
        due = await _released(unit, waiting, due)
        waits = (due > unit.now and wait_for_release(unit, waiting)) or waits
    number = standing.schedules + 1
    unit.journal("routing.scheduled", {"schedule": number, "due": due.isoformat()})
    row = {"order_id": unit.order.id, "number": number, "status": "scheduled", "reason": command.reason}
    pooled = in_pool(unit.order.policy.routing, due)
    unit.enter(routing_schedules, {**row, "scheduled_at": due, **pooled})
    if not (standing.proposed or waits):
        unit.remember(_JUST_PLANNED, (number, Planned(status="scheduled", scheduled_at=due)))
    return _scheduled(number, pooled["wave_by"] + PATIENCE if pooled else due, unit.now)


def in_pool(policy: RoutingPolicy, due: datetime) -> Values:
    """Return what a schedule says of its routing pool when it is due then; nothing if the order is routed by itself."""
    if policy.wave is None:
        return {}
    return {"pool": policy.wave.pool, "due_at": due, "wave_by": due + timedelta(seconds=policy.wave.interval)}


async def _released(unit: Unit, waiting: Waiting, due: datetime) -> datetime:
    """Return when an order with preorders is routed: at their release, or before if something else may be routed."""
    if waiting.held_until is None:
        return due
    return min(due, waiting.held_until) if waiting.demand and await may_retry(unit) else waiting.held_until


def failed_since(before: int, events: Sequence[Event], reason: str) -> int:
    """Return how many attempts have found nothing since the last *reason*; *before* the transaction's own *events*."""
    failed = before
    for event in events:
        if event.type == reason:
            failed = 0
        elif event.type == "routing.attempted" and event.data["outcome"] != "ROUTED" and "woken" not in event.data:
            failed += 1
    return failed


def woken_since(before: Iterable[str], events: Sequence[Event]) -> set[str]:
    """Return what has woken the order since an attempt was planned; *before* the transaction's own *events*."""
    woken = set(before)
    for event in events:
        if event.type == "routing.scheduled":
            woken.clear()
        elif event.type in _WAKING:
            woken.add(event.type)
    return woken


def _due_again(unit: Unit, standing: Row[*tuple[Any, ...]], woken: Collection[str]) -> datetime:
    """Return when a planned attempt is made; what has *woken* the order since then brings its wave forward."""
    if _HELD.intersection(woken) or (woken and standing.due_at is None):
        return unit.now
    if standing.due_at is None:
        return standing.scheduled_at
    wave_by: datetime = standing.wave_by
    if woken and unit.now < standing.due_at:
        pooled = in_pool(unit.order.policy.routing, unit.now)
        unit.change(routing_schedules, {"order_id": unit.order.id, "number": standing.number}, pooled)
        wave_by = pooled["wave_by"]
    return wave_by + PATIENCE


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
           p.id IS NOT NULL AS proposed, p.wave_id AS wave, p.answer,
           EXISTS (SELECT 1 FROM stock_waits w WHERE w.order_id = s.order_id) AS waits
    FROM routing_schedules s LEFT JOIN proposals p ON p.order_id = s.order_id AND p.status = 'open'
    WHERE s.order_id = :order_id AND s.number = :number
    """
).columns(scheduled_at=DateTime(timezone=True), ended_at=DateTime(timezone=True), answer=JSONB)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A routing schedule, and what stands beside it."""

    status: str
    scheduled_at: datetime
    ended_at: datetime | None = None
    proposed: bool = False
    """Stock is held for the order until it answers."""
    wave: int | None = None
    """The wave that holds it."""
    answer: Answer | None = None
    """What the wave found."""
    waits: bool = False
    """The order stands in the queue for stock."""


_JUST_PLANNED = Fact[tuple[int, Planned]]()
"""A schedule that the transaction has made and nothing has happened to, with its number."""


async def planned(unit: Unit, number: int) -> Planned | None:
    """Return a routing schedule of the order, or None."""
    known = unit.recall(_JUST_PLANNED)
    if known is not None and known[0] == number:
        return known[1]
    row = (await unit.read(_PLANNED, {"order_id": unit.order.id, "number": number})).one_or_none()
    if row is None:
        return None
    return Planned(
        status=row.status,
        scheduled_at=row.scheduled_at,
        ended_at=row.ended_at,
        proposed=row.proposed,
        wave=row.wave,
        answer=None if row.answer is None else Answer.model_validate(row.answer),
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
        AND time >= COALESCE(:since, '-infinity')
    """
).bindparams(bindparam("since", type_=DateTime(timezone=True)))


def note_attempt(unit: Unit, schedule: Planned, made: JsonObject) -> None:
    """Journal a routing attempt. One that something woke before its time neither counts nor lengthens the waits."""
    unit.journal("routing.attempted", {**made, "woken": True} if woken(unit, schedule) else made)


def woken(unit: Unit, schedule: Planned) -> bool:
    """Return whether the attempt of *schedule* that is made now was woken before its time."""
    return unit.now + EARLY < schedule.scheduled_at


async def may_retry(unit: Unit) -> bool:
    """
    Return whether the policy allows another attempt after those in the journal and the one under way.

    What was tried before preorders of the order were released does not count any more.
    """
    released = [line.release_at for line in await unit.lines() if line.release_at is not None]
    since = max((at for at in released if at <= unit.now), default=None)
    made = (await unit.read(_IN_TIME, {"order_id": unit.order.id, "since": since})).scalar_one()
    now = sum(event.type == "routing.attempted" and "woken" not in event.data for event, _ in unit.buffer.events)
    return made + now < unit.order.policy.routing.max_attempts


def end(unit: Unit, number: int, status: str, at: datetime) -> None:
    """Give a routing schedule its last status."""
    unit.forget(_JUST_PLANNED)
    unit.change(routing_schedules, {"order_id": unit.order.id, "number": number}, {"status": status, "ended_at": at})


@implements(actions.abandon_routing)
async def abandon_routing(unit: Unit, command: AbandonRouting) -> Released:
    """
    Give routing up; a manual retry may come later. The policy says what becomes of the reservation.

    After the last attempt that the policy allows, preorders whose release is still to come are not given up.
    """
    standing = await planned(unit, command.schedule)
    if standing is None:
        raise NotFound(f"order {unit.order.id} has no routing schedule {command.schedule}", schedule=command.schedule)
    end(unit, command.schedule, "abandoned", standing.ended_at or unit.now)
    unit.journal("routing.abandoned", {"attempts": unit.routing_attempts})
    if standing.waits or standing.proposed:
        await stop_waiting(unit)
    if unit.order.policy.routing.when_abandoned == "release":
        kept = (await read_waiting(unit)).held if standing.status == "completed" else ()
        return Released(units=await release_open(unit, but={pool.line_id for pool in kept}))
    return Released(units=0)

"""Routing attempts of an order, told in words from what was stored with them."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import Row, and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.eligibility import Fate
from orderloom.domain.model import Frozen
from orderloom.domain.parts import Routing
from orderloom.domain.routing import RoutingOutcome
from orderloom.domain.situation import Left, Situation
from orderloom.domain.why import PartTold, tell_part
from orderloom.persistence.tables.fulfillment import fulfillment_orders, routing_attempts, routing_schedules
from orderloom.persistence.tables.orders import orders

SUMMARIES = {
    RoutingOutcome.ROUTED: "All that waited goes out.",
    RoutingOutcome.PARTIALLY_ROUTED: "A part goes out, the rest waits.",
    RoutingOutcome.NO_STOCK: "Nothing goes out: there is too little stock.",
    RoutingOutcome.SPLIT_LIMIT: "Nothing goes out: it takes more locations than the policy allows.",
    RoutingOutcome.NO_ELIGIBLE_LOCATION: "Nothing goes out: no location may send it.",
    RoutingOutcome.NOT_PROVEN: "Nothing goes out: the search was given up before it found a route.",
}
"""An attempt in one sentence, by its outcome."""


class RoutingAttemptSummary(Frozen):
    """A routing attempt in one line."""

    number: int
    schedule: int
    reason: str
    """The event that asked for it."""
    outcome: RoutingOutcome
    summary: str
    policy: str
    """Name and version of the routing policy."""
    at: AwareDatetime
    wave: int | None = None
    """The wave that found it; null: the order did by itself."""


class MadeOf(Frozen):
    """A fulfillment order that an attempt led to."""

    id: str
    location: str | None


class RoutingAttemptTold(RoutingAttemptSummary):
    """A routing attempt: what is sent from where and why, what every location's fate was, what is proven."""

    order: str
    attempts: int
    """How many the order has had."""
    policy_hash: str | None
    """Of what the policy said; None of attempts that did not keep it."""
    parts: tuple[PartTold, ...]
    fulfillment_orders: tuple[MadeOf, ...]
    """What it led to."""
    next_attempt_at: AwareDatetime | None
    """When the next one is planned; only of the last attempt."""


_attempts, _schedules = routing_attempts.c, routing_schedules.c
_SUMMARY = (
    _attempts.number,
    _attempts.schedule,
    _schedules.reason,
    _attempts.outcome,
    _attempts.policy,
    _attempts.at,
    _attempts.wave_id,
)
_WITH_SCHEDULE = routing_attempts.join(
    routing_schedules,
    and_(_schedules.order_id == _attempts.order_id, _schedules.number == _attempts.schedule),
)
_FATES = TypeAdapter(tuple[tuple[Fate, ...], ...])


async def attempts_page(
    conn: AsyncConnection, order_id: str, *, before: int | None, limit: int
) -> list[RoutingAttemptSummary]:
    """Return at most *limit* attempts of an order, the latest first, from below number *before* on."""
    query = select(*_SUMMARY).select_from(_WITH_SCHEDULE).where(_attempts.order_id == order_id)
    if before is not None:
        query = query.where(_attempts.number < before)
    rows = await conn.execute(query.order_by(_attempts.number.desc()).limit(limit))
    return [RoutingAttemptSummary(**_summary(row)) for row in rows]


async def attempt_told(conn: AsyncConnection, order_id: str, number: int) -> RoutingAttemptTold | None:
    """Return one attempt of an order in words, or None; a fixed number of statements."""
    query = (
        select(
            *_SUMMARY,
            _attempts.answer,
            _attempts.seen,
            _attempts.fates,
            _attempts.policy_hash,
            orders.c.currency,
            orders.c.routing_attempts.label("attempts"),
        )
        .select_from(_WITH_SCHEDULE.join(orders, orders.c.id == _attempts.order_id))
        .where(_attempts.order_id == order_id, _attempts.number == number)
    )
    row = (await conn.execute(query)).one_or_none()
    if row is None:
        return None
    return RoutingAttemptTold(
        **_summary(row),
        order=order_id,
        attempts=row.attempts,
        policy_hash=row.policy_hash,
        parts=tuple(_parts(row)),
        fulfillment_orders=await _made(conn, order_id, number),
        next_attempt_at=await _next(conn, order_id) if number == row.attempts else None,
    )


def _summary(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    outcome = RoutingOutcome(row.outcome)
    return {
        "number": row.number,
        "schedule": row.schedule,
        "reason": row.reason,
        "outcome": outcome,
        "summary": SUMMARIES[outcome],
        "policy": row.policy,
        "at": row.at,
        "wave": row.wave_id,
    }


def _parts(row: Row[*tuple[Any, ...]]) -> list[PartTold]:
    """Tell the parts one after the other: what one takes is not there any more for the next."""
    routing = Routing.model_validate(row.answer)
    situation = None if row.seen is None else Situation.model_validate(row.seen)
    locations = () if situation is None else situation.locations
    left = Left(locations, {} if situation is None else situation.limits)
    fates = _FATES.validate_python(row.fates or [()] * len(routing.parts))
    told: list[PartTold] = []
    for part, of_part in zip(routing.parts, fates, strict=True):
        out = part in routing.carried_out
        stock = {each.id: left.stock(each.id) for each in locations}
        told.append(tell_part(part, of_part, stock, carried_out=out, currency=row.currency))
        left.take(part.plan)
    return told


async def _made(conn: AsyncConnection, order_id: str, number: int) -> tuple[MadeOf, ...]:
    made = fulfillment_orders.c
    query = select(made.id, made.location_id).where(made.order_id == order_id, made.attempt == number)
    rows = await conn.execute(query.order_by(made.number))
    return tuple(MadeOf(id=row.id, location=row.location_id) for row in rows)


async def _next(conn: AsyncConnection, order_id: str) -> datetime | None:
    query = select(_schedules.scheduled_at).where(_schedules.order_id == order_id, _schedules.status == "scheduled")
    return (await conn.execute(query)).scalar_one_or_none()

"""Routing pools and their waves, for people."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import Frozen
from orderloom.persistence.tables.fulfillment import routing_schedules
from orderloom.persistence.tables.waiting import proposals, waves


class WaveView(Frozen):
    """One pass over the due orders of a pool. What it came to is null while it is under way."""

    number: int
    at: AwareDatetime
    orders: int
    """That were due."""
    routed: int | None
    partial: int | None
    """Of which a part goes out."""
    unrouted: int | None
    left_over: int | None
    """For the next wave: they were busy, or stock had moved."""
    splits: int | None


class Answers(Frozen):
    """What became of what waves held for orders, as far as it ended lately: see ``LATELY``."""

    accepted: int = 0
    released: int = 0
    """The order had changed, or was cancelled."""
    lapsed: int = 0
    """The order did not answer in time."""


class PoolView(Frozen):
    """A routing pool."""

    pool: str
    waiting: int
    """Orders with an attempt to come."""
    due: int
    """Of these, orders that the next wave takes, and those that have not answered the last one."""
    next_wave_at: AwareDatetime | None
    """When the next wave is due."""
    proposed: int
    """Orders that something is held for until they answer."""
    answers: Answers
    """Of the last hour."""
    last_wave: WaveView | None


LATELY = timedelta(hours=1)
"""So long ago is lately."""

_schedule, _wave = routing_schedules.c, waves.c


async def pools_of(conn: AsyncConnection, now: datetime) -> list[PoolView]:
    """Return the pools in which orders wait, or have been routed, by name."""
    last = {row.pool: _view(row) for row in await conn.execute(_last())}
    proposed: dict[str, int] = {row.pool: row.proposed for row in await conn.execute(_PROPOSED)}
    answers: dict[str, dict[str, int]] = {}
    for row in await conn.execute(_answers(now)):
        answers.setdefault(row.pool, {})[row.status] = row.ended
    waiting = {row.pool: row for row in await conn.execute(_waiting(now))}
    return [
        PoolView(
            pool=pool,
            waiting=0 if (row := waiting.get(pool)) is None else row.waiting,
            due=0 if row is None else row.due,
            next_wave_at=None if row is None else row.next_wave_at,
            proposed=proposed.get(pool, 0),
            answers=Answers.model_validate(answers.get(pool, {})),
            last_wave=last.get(pool),
        )
        for pool in sorted({*last, *waiting})
    ]


async def waves_page(conn: AsyncConnection, pool: str, *, before: int | None, limit: int) -> list[WaveView]:
    """Return at most *limit* waves of a pool, the latest first, from below number *before* on."""
    query = select(waves).where(_wave.pool == pool)
    if before is not None:
        query = query.where(_wave.id < before)
    return [_view(row) for row in await conn.execute(query.order_by(_wave.id.desc()).limit(limit))]


def _last() -> Select[*tuple[Any, ...]]:
    return select(waves).ext(distinct_on(_wave.pool)).order_by(_wave.pool, _wave.id.desc())


def _waiting(now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(
            _schedule.pool,
            func.count().label("waiting"),
            func.count().filter(_schedule.due_at <= now).label("due"),
            func.min(_schedule.wave_by).label("next_wave_at"),
        )
        .where(_schedule.status == "scheduled", _schedule.pool.is_not(None))
        .group_by(_schedule.pool)
    )


def _answers(now: datetime) -> Select[*tuple[Any, ...]]:
    return (
        select(_wave.pool, proposals.c.status, func.count().label("ended"))
        .join_from(proposals, waves, _wave.id == proposals.c.wave_id)
        .where(proposals.c.ended_at > now - LATELY)
        .group_by(_wave.pool, proposals.c.status)
    )


_PROPOSED = (
    select(_wave.pool, func.count().label("proposed"))
    .join_from(proposals, waves, _wave.id == proposals.c.wave_id)
    .where(proposals.c.status == "open")
    .group_by(_wave.pool)
)


def _view(row: Any) -> WaveView:
    return WaveView(
        number=row.id,
        at=row.at,
        orders=row.orders,
        routed=row.routed,
        partial=row.partial,
        unrouted=row.unrouted,
        left_over=row.left_over,
        splits=row.splits,
    )

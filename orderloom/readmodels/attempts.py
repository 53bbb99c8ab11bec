"""Routing attempts as they were made, to be tried again with another policy."""

from collections.abc import AsyncGenerator, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.parts import Routing
from orderloom.domain.rejections import FORGOTTEN
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.shadow import PastAttempt
from orderloom.domain.situation import Situation
from orderloom.persistence.rejections import recent_rejections
from orderloom.persistence.tables.catalog import channels
from orderloom.persistence.tables.fulfillment import routing_attempts
from orderloom.persistence.tables.orders import orders

_table = routing_attempts.c


def _attempts() -> Select[*tuple[Any, ...]]:
    columns = (_table.order_id, _table.number, _table.at, _table.policy, _table.policy_hash, _table.seen, _table.answer)
    return select(*columns).where(_table.seen.is_not(None))


async def past_attempts(
    conn: AsyncConnection, channel: str, since: datetime, until: datetime, tried: Sequence[RoutingPolicy] = ()
) -> AsyncGenerator[PastAttempt]:
    """
    Yield the channel's attempts from *since* to before *until*, the oldest first; no more are held than one.

    With what locations had turned down by then, as far as it counts for the policies that are *tried* on them.
    """
    counted = max((each.rejections_half_life for each in tried if each.looks_at_rejections), default=None)
    query = (
        _attempts()
        .join(orders, orders.c.id == _table.order_id)
        .where(orders.c.channel_id == channel, _table.at >= since, _table.at < until)
        .order_by(_table.at, _table.order_id, _table.number)
    )
    async with conn.stream(query) as rows:
        async for row in rows:
            past = _attempt(row)
            yield past if counted is None else await _with_rejections(conn, past, counted)


async def attempt_of(conn: AsyncConnection, order: str, number: int) -> PastAttempt | None:
    """Return an order's attempt with that number, or None."""
    query = _attempts().where(_table.order_id == order, _table.number == number)
    row = (await conn.execute(query)).one_or_none()
    return None if row is None else _attempt(row)


async def _with_rejections(conn: AsyncConnection, past: PastAttempt, half_life: float) -> PastAttempt:
    now, locations = past.situation.now, [each.id for each in past.situation.locations]
    skus = sorted({sku for part in past.situation.parts if part.stocked for sku in part.demand})
    since = now - timedelta(seconds=FORGOTTEN * half_life)
    found = await recent_rejections(conn, locations, skus, since=since, now=now)
    return past.model_copy(update={"rejections": tuple(found)})


async def policy_of(conn: AsyncConnection, channel: str) -> RoutingPolicy | None:
    """Return the routing policy that is in force for the next orders of a channel; None: there is no such channel."""
    row = (await conn.execute(select(channels.c.policy["routing"]).where(channels.c.id == channel))).one_or_none()
    return None if row is None else RoutingPolicy.model_validate(row[0] or {})


def _attempt(row: Row[*tuple[Any, ...]]) -> PastAttempt:
    return PastAttempt(
        order=row.order_id,
        number=row.number,
        at=row.at,
        policy=row.policy,
        policy_hash=row.policy_hash,
        situation=Situation.model_validate(row.seen),
        routing=Routing.model_validate(row.answer),
    )

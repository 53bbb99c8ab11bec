"""Proposals: stock that is held for an order until its own action answers. Ending one lets go of what it holds."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import BigInteger, DateTime, Row, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.capacity import Day
from orderloom.domain.model import Frozen
from orderloom.domain.waiting import AtGroup, Waiting
from orderloom.persistence.capacity import release as release_capacity
from orderloom.persistence.stock import Change, Held, Key, change_groups, change_held, groups_of, lock_groups
from orderloom.persistence.waking import offer


class HeldLine(Frozen):
    """Units of a SKU that a proposal holds, at a location or (None) at the order's group."""

    sku: str
    location: str | None
    quantity: int
    own: int
    """Of these, units that count in the group's counter for the first time: the order had them not reserved there."""


class HeldDay(Frozen):
    """Fulfillment orders that a location's day is held for."""

    location: str
    day: date
    count: int


class Proposal(Frozen):
    """What is held for an order."""

    id: int
    order: str
    group: str
    priority: int
    lines: tuple[HeldLine, ...]
    days: tuple[HeldDay, ...] = ()
    wave: int | None = None
    """The wave that made it; None: stock has come in."""

    @property
    def capacity(self) -> dict[Day, int]:
        """Return how many fulfillment orders locations' days are held for."""
        return {(each.location, each.day): each.count for each in self.days}


class Due(Frozen):
    """An open proposal that its order has not been told of, or that has lapsed."""

    id: int
    order: str
    wave: int | None
    lapsed: bool


_HELD = """
    SELECT p.id, p.order_id AS "order", p.group_id AS "group", o.priority,
           COALESCE((SELECT jsonb_agg(jsonb_build_object('sku', l.sku, 'location', l.location_id,
                                                         'quantity', l.quantity, 'own', l.own) ORDER BY l.place, l.sku)
                     FROM proposal_lines l WHERE l.proposal_id = p.id), '[]') AS lines,
           COALESCE((SELECT jsonb_agg(jsonb_build_object('location', c.location_id, 'day', c.day, 'count', c.count))
                     FROM proposal_capacity c WHERE c.proposal_id = p.id), '[]') AS days,
           p.wave_id AS wave
    FROM {proposals} p JOIN orders o ON o.id = p.order_id
"""
_OPEN = _HELD.format(proposals="proposals") + "WHERE p.status = 'open' AND {which} FOR UPDATE OF p"
_OF_ORDER = text(_OPEN.format(which="p.order_id = :order")).columns(lines=JSONB, days=JSONB)
_BY_ID = text(_OPEN.format(which="p.id = :id")).columns(lines=JSONB, days=JSONB)
_ACCEPT = (
    text(
        f"""
    WITH ended AS (
        UPDATE proposals SET status = 'accepted', ended_at = :now, answer = NULL
        WHERE order_id = :order AND status = 'open' RETURNING id, order_id, group_id, wave_id
    ) {_HELD.format(proposals="ended")}
    """  # noqa: S608  # a constant of this module
    )
    .bindparams(bindparam("now", type_=DateTime(timezone=True)))
    .columns(lines=JSONB, days=JSONB)
)
_END = text("UPDATE proposals SET status = :status, ended_at = :now, answer = NULL WHERE id = :id").bindparams(
    bindparam("now", type_=DateTime(timezone=True))
)
_DUE = text(
    """
    SELECT id, order_id AS "order", wave_id AS wave, expires_at <= :now AS lapsed
    FROM proposals WHERE status = 'open' AND (NOT told OR expires_at <= :now)
    ORDER BY id LIMIT :limit
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)))
_TOLD = text("UPDATE proposals SET told = true WHERE id = ANY(:ids)").bindparams(
    bindparam("ids", type_=ARRAY(BigInteger))
)


async def proposal_of(conn: AsyncConnection, order: str) -> Proposal | None:
    """Return the order's open proposal, locked, or None."""
    return _proposal((await conn.execute(_OF_ORDER, {"order": order})).one_or_none())


async def accept(conn: AsyncConnection, order: str, *, now: datetime) -> Proposal | None:
    """End the order's open proposal and return it, or None; what it held is the caller's to keep or to give back."""
    return _proposal((await conn.execute(_ACCEPT, {"order": order, "now": now})).one_or_none())


async def release(conn: AsyncConnection, proposal: Proposal, *, now: datetime) -> list[str]:
    """End a locked proposal that its order has no use for; what it held goes to the orders behind it."""
    await _end(conn, proposal, "released", now)
    return await _let_go(conn, proposal, now)


async def lapse(conn: AsyncConnection, id: int, *, now: datetime) -> list[str]:
    """End a proposal that nobody answered, unless it has ended; what it held goes to the orders behind it."""
    proposal = _proposal((await conn.execute(_BY_ID, {"id": id})).one_or_none())
    if proposal is None:
        return []
    await _end(conn, proposal, "lapsed", now)
    return await _let_go(conn, proposal, now)


async def due(conn: AsyncConnection, now: datetime, limit: int = 200) -> list[Due]:
    """Return open proposals that somebody must see to, the oldest first."""
    rows = await conn.execute(_DUE, {"now": now, "limit": limit})
    return [Due.model_validate(row) for row in rows.mappings()]


async def mark_told(conn: AsyncConnection, ids: Collection[int]) -> None:
    """Note that the orders have the event of these proposals in their intake."""
    await conn.execute(_TOLD, {"ids": sorted(ids)})


async def _end(conn: AsyncConnection, proposal: Proposal, status: Literal["released", "lapsed"], now: datetime) -> None:
    await conn.execute(_END, {"id": proposal.id, "status": status, "now": now})


async def _let_go(conn: AsyncConnection, proposal: Proposal, now: datetime) -> list[str]:
    at_locations: dict[Key, Held] = {
        (line.location, line.sku): Held(reserved=-line.quantity, own=-line.own)
        for line in proposal.lines
        if line.location is not None
    }
    at_group: dict[AtGroup, int] = {
        (proposal.group, line.sku): line.quantity for line in proposal.lines if line.location is None
    }
    await change_held(conn, at_locations, own_group=proposal.group)
    await change_groups(conn, {key: Change(reserved=-quantity) for key, quantity in at_group.items()})
    await release_capacity(conn, proposal.capacity)
    groups = await groups_of(conn, {location for location, _ in at_locations}) if at_locations else {}
    freed = {(group, sku) for location, sku in at_locations for group in groups[location]} | at_group.keys()
    # What the order had reserved itself changes nothing at its group, whose counter is to be held all the same.
    await lock_groups(conn, freed)
    behind = Waiting(order=proposal.order, group=proposal.group, priority=proposal.priority, quantities={})
    return await offer(conn, freed, now=now, behind=behind)


def _proposal(row: Row[*tuple[Any, ...]] | None) -> Proposal | None:
    return None if row is None else Proposal.model_validate(row, from_attributes=True)

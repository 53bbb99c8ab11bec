"""Routing pools: which have a wave due, and what a wave sees of all their due orders at once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Boolean, DateTime, Integer, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.calendar import business_day
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.model import Frozen
from orderloom.domain.rejections import FORGOTTEN, Rejection, score
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.domain.waves import Member, Picture
from orderloom.persistence.books import BALANCES, DESTINATIONS, LINES, read_books_of
from orderloom.persistence.capacity import taken
from orderloom.persistence.ledgers import lines_and_pools
from orderloom.persistence.rejections import recent_rejections
from orderloom.persistence.situation import (
    Facts,
    Supplier,
    bare_situation,
    destinations_of,
    location_of,
    sent_by_suppliers,
    stocked_skus,
)
from orderloom.persistence.waiting import Waiting, waiting_of

PATIENCE = timedelta(seconds=120)
"""Business time that an order waits for its wave after that was due. Then it is routed by itself."""

_IN_POOL = """
    s.status = 'scheduled' AND s.pool IS NOT NULL AND s.due_at <= :now AND s.wave_by > :given_up
    AND NOT EXISTS (SELECT 1 FROM proposals p WHERE p.order_id = s.order_id AND p.status = 'open')
"""
"""The schedules that a wave may take: those who wait for their order's answer are not among them."""

_NOW = bindparam("now", type_=DateTime(timezone=True))
_GIVEN_UP = bindparam("given_up", type_=DateTime(timezone=True))
_READY = text(
    f"SELECT s.pool FROM routing_schedules s WHERE {_IN_POOL} GROUP BY s.pool HAVING MIN(s.wave_by) <= :now ORDER BY 1"  # noqa: S608  # a constant of this module
).bindparams(_NOW, _GIVEN_UP)
_DUE = (
    text(
        f"""
    SELECT o.id, o.channel_id, o.policy, o.priority, o.ship_complete
    FROM routing_schedules s JOIN orders o ON o.id = s.order_id
    WHERE s.pool = :pool AND o.closed_at IS NULL AND {_IN_POOL}
    ORDER BY o.priority DESC, length(o.id), o.id LIMIT :limit
    """  # noqa: S608  # a constant of this module
    )
    .bindparams(_NOW, _GIVEN_UP, bindparam("pool", type_=Text), bindparam("limit", type_=Integer))
    .columns(policy=JSONB)
)

_TURNED_DOWN = text(
    """
    SELECT DISTINCT f.order_id, f.location_id
    FROM fulfillment_orders f JOIN fulfillment_order_lines r ON r.fulfillment_order_id = f.id
    WHERE f.order_id = ANY(:orders) AND r.rejected_quantity > 0 AND f.location_id IS NOT NULL
    ORDER BY f.order_id, f.location_id
    """
).bindparams(bindparam("orders", type_=ARRAY(Text)))
_SUPPLIERS = text(
    "SELECT p.sku, p.supplier_id, l.active FROM products p JOIN locations l ON l.id = p.supplier_id "
    "WHERE p.sku = ANY(:skus)"
).bindparams(bindparam("skus", type_=ARRAY(Text)))
_LOCATIONS = (
    text(
        """
    SELECT m.group_id, l.id, l.kind, l.country, l.latitude, l.longitude, l.traits,
           (SELECT array_agg(o.group_id ORDER BY o.group_id) FROM location_group_members o WHERE o.location_id = l.id)
               AS groups
    FROM location_group_members m JOIN locations l ON l.id = m.location_id AND l.active
    WHERE m.group_id = ANY(:groups)
    ORDER BY m.group_id, l.id
    """
    )
    .bindparams(bindparam("groups", type_=ARRAY(Text)))
    .columns(traits=JSONB)
)
_AVAILABLE = (
    text(
        """
    SELECT false AS of_group, location_id AS place, sku, on_hand - reserved - safety AS available
    FROM stock WHERE location_id = ANY(:locations) AND sku = ANY(:skus)
    UNION ALL
    SELECT true, group_id, sku, on_hand - reserved - safety
    FROM group_stock WHERE group_id = ANY(:groups) AND sku = ANY(:skus)
    """
    )
    .bindparams(
        bindparam("locations", type_=ARRAY(Text)),
        bindparam("groups", type_=ARRAY(Text)),
        bindparam("skus", type_=ARRAY(Text)),
    )
    .columns(of_group=Boolean)
)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """The due orders of a pool, and what they are routed with."""

    members: tuple[Member, ...]
    idle: tuple["DueOrder", ...]
    """Orders of which nothing waits for a location any more."""
    picture: Picture
    days: Mapping[str, date]
    """By location with a capacity, the day that work given now belongs to."""


class DueOrder(Frozen):
    """A due order's row, as far as routing looks at it."""

    id: str
    channel_id: str
    policy: ChannelPolicy
    priority: int
    ship_complete: bool


async def ready_pools(conn: AsyncConnection, now: datetime) -> list[str]:
    """Return the pools of which an order has waited for its wave as long as its policy says."""
    return list((await conn.execute(_READY, {"now": now, "given_up": now - PATIENCE})).scalars())


async def claim(conn: AsyncConnection, pool: str, now: datetime, limit: int) -> Claimed | None:
    """
    Read at most *limit* due orders of *pool*, those of the highest priority, and all that routing them takes; or None.

    As many statements for all as for one; nothing is locked or written.
    """
    due = await _due(conn, pool, now, limit)
    if not due:
        return None
    ids = [order.id for order in due]
    books = await read_books_of(conn, ids, LINES, BALANCES, DESTINATIONS)
    ledgers = {order: lines_and_pools(of_order) for order, of_order in books.items()}
    waiting = {order.id: waiting_of(*ledgers[order.id], now, ship_complete=order.ship_complete) for order in due}
    busy = [order for order in due if waiting[order.id].demand]
    turned_down = await _turned_down(conn, ids)
    suppliers = await _suppliers(conn, waiting.values())
    situations: dict[str, Situation] = {}
    for order in busy:
        facts = Facts(order=order, now=now, lines=ledgers[order.id][0], waiting=waiting[order.id])
        situations[order.id] = bare_situation(
            facts,
            destinations_of(books[order.id].rows(DESTINATIONS)),
            _for_order(suppliers, facts.waiting, turned_down[order.id]),
        )
    picture, days = await _picture(conn, busy, situations, now)
    rejections = await _rejections(conn, busy, situations, picture, now)
    members = [
        Member(
            order=order.id,
            group=order.policy.location_group,
            policy=order.policy.routing,
            situation=situations[order.id],
            turned_down=tuple(turned_down[order.id]),
            rejections=_scores(rejections, order.policy.routing, situations[order.id]),
        )
        for order in busy
    ]
    idle = tuple(order for order in due if not waiting[order.id].demand)
    return Claimed(members=tuple(members), idle=idle, picture=picture, days=days)


async def _due(conn: AsyncConnection, pool: str, now: datetime, limit: int) -> list[DueOrder]:
    values = {"pool": pool, "now": now, "given_up": now - PATIENCE, "limit": limit}
    policies: dict[str, ChannelPolicy] = {}
    due: list[DueOrder] = []
    for row in await conn.execute(_DUE, values):
        # Orders of one channel have one policy, mostly.
        name = json.dumps(row.policy, sort_keys=True)
        if name not in policies:
            policies[name] = ChannelPolicy.model_validate(row.policy)
        due.append(
            DueOrder.model_construct(
                id=row.id,
                channel_id=row.channel_id,
                policy=policies[name],
                priority=row.priority,
                ship_complete=row.ship_complete,
            )
        )
    return due


async def _turned_down(conn: AsyncConnection, orders: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {order: [] for order in orders}
    for row in await conn.execute(_TURNED_DOWN, {"orders": list(orders)}):
        found[row.order_id].append(row.location_id)
    return found


async def _suppliers(conn: AsyncConnection, waiting: Iterable[Waiting]) -> list[Supplier]:
    skus = sorted({sku for each in waiting for sku in sent_by_suppliers(each)})
    rows = await conn.execute(_SUPPLIERS, {"skus": skus}) if skus else ()
    return [Supplier(row.sku, row.supplier_id, row.active) for row in rows]


def _for_order(suppliers: Iterable[Supplier], waiting: Waiting, turned_down: Sequence[str]) -> list[Supplier]:
    wanted = set(sent_by_suppliers(waiting))
    return [
        each._replace(available=each.available and each.supplier_id not in turned_down)
        for each in suppliers
        if each.sku in wanted
    ]


async def _picture(
    conn: AsyncConnection, orders: Iterable[DueOrder], situations: Mapping[str, Situation], now: datetime
) -> tuple[Picture, dict[str, date]]:
    """Return the locations of the orders' groups with what they have of all that the orders want."""
    skus = sorted({sku for situation in situations.values() for sku in stocked_skus(situation)})
    groups = sorted({order.policy.location_group for order in orders})
    by_group: dict[str, list[LocationFacts]] = {group: [] for group in groups}
    for row in await conn.execute(_LOCATIONS, {"groups": groups}):
        by_group[row.group_id].append(location_of(row))
    locations = {each.id: each for facts in by_group.values() for each in facts}
    others = sorted({group for each in locations.values() for group in each.groups})
    stock, promised = await _available(conn, sorted(locations), others, skus)
    limited = {id: each.traits for id, each in locations.items() if each.traits.capacity is not None}
    days = {id: business_day(traits, now) for id, traits in limited.items()}
    full = await taken(conn, days)
    room = {id: max(0, (traits.capacity or 0) - full[id]) for id, traits in limited.items()}
    found = {group: tuple(facts) for group, facts in by_group.items()}
    return Picture(locations=found, stock=stock, groups=promised, room=room), days


type _ByPlace = dict[str, dict[str, int]]


async def _available(
    conn: AsyncConnection, locations: Sequence[str], groups: Sequence[str], skus: Sequence[str]
) -> tuple[_ByPlace, _ByPlace]:
    stock: _ByPlace = {location: {} for location in locations}
    promised: _ByPlace = defaultdict(dict, {group: {} for group in groups})
    values = {"locations": list(locations), "groups": list(groups), "skus": list(skus)}
    for row in await conn.execute(_AVAILABLE, values):
        (promised if row.of_group else stock)[row.place][row.sku] = row.available
    return stock, dict(promised)


async def _rejections(
    conn: AsyncConnection,
    orders: Iterable[DueOrder],
    situations: Mapping[str, Situation],
    picture: Picture,
    now: datetime,
) -> list[Rejection]:
    """Return what locations turned down, as far back as any policy looks; nothing if none does."""
    looking = [order for order in orders if order.policy.routing.looks_at_rejections]
    if not looking:
        return []
    longest = max(order.policy.routing.rejections_half_life for order in looking)
    skus = sorted({sku for order in looking for sku in stocked_skus(situations[order.id])})
    since = now - timedelta(seconds=FORGOTTEN * longest)
    return await recent_rejections(conn, sorted(picture.stock), skus, since=since, now=now)


def _scores(rejections: Iterable[Rejection], policy: RoutingPolicy, situation: Situation) -> dict[str, float]:
    if not policy.looks_at_rejections:
        return {}
    skus = set(stocked_skus(situation))
    of: dict[str, list[Rejection]] = defaultdict(list)
    for each in rejections:
        if each.sku in skus:
            of[each.location].append(each)
    return {place: score(each, situation.now, policy.rejections_half_life) for place, each in of.items()}

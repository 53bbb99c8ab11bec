"""What a routing attempt sees: the order's parts, where they go, and the locations of the channel's group."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.geo import Position
from orderloom.domain.locations import LocationTraits
from orderloom.domain.order import Line
from orderloom.domain.parts import kind_of, parts_of
from orderloom.domain.situation import Destination, Situation, joint_limits
from orderloom.domain.units import UnitState
from orderloom.persistence.books import DESTINATIONS, Rows
from orderloom.persistence.location_work import with_work
from orderloom.persistence.waiting import Order, Reader, Waiting

_SUPPLIERS = text(
    """
    SELECT p.sku, p.supplier_id, l.active AND NOT EXISTS (
        SELECT 1 FROM fulfillment_orders f JOIN fulfillment_order_lines r ON r.fulfillment_order_id = f.id
        WHERE f.order_id = :order_id AND f.location_id = l.id AND r.rejected_quantity > 0) AS available
    FROM products p JOIN locations l ON l.id = p.supplier_id
    WHERE p.sku = ANY(:skus)
    """
).bindparams(bindparam("order_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))

_AVAILABLE = """
    SELECT s.sku, LEAST(s.on_hand - s.reserved - s.safety,
        (SELECT MIN(g.on_hand - g.reserved - g.safety)
         FROM location_group_members o JOIN group_stock g ON g.group_id = o.group_id AND g.sku = s.sku
         WHERE o.location_id = l.id AND o.group_id <> :group_id)) AS available
    FROM stock s WHERE s.location_id = l.id AND s.sku = ANY(:skus)
"""
"""What location ``l`` has: what another group of it has promised away is not available there."""

_LOCATIONS = text(
    f"""
    SELECT l.id, l.kind, l.country, l.latitude, l.longitude, l.traits,
           (SELECT array_agg(o.group_id ORDER BY o.group_id) FROM location_group_members o WHERE o.location_id = l.id)
               AS groups,
           (SELECT jsonb_object_agg(a.sku, a.available) FROM (
               {_AVAILABLE}) a
            WHERE a.available > 0) AS stock,
           EXISTS (
               SELECT 1 FROM fulfillment_orders f JOIN fulfillment_order_lines r ON r.fulfillment_order_id = f.id
               WHERE f.order_id = :order_id AND f.location_id = l.id AND r.rejected_quantity > 0) AS turned_down
    FROM location_group_members m JOIN locations l ON l.id = m.location_id AND l.active
    WHERE m.group_id = :group_id
    ORDER BY l.id
    """  # noqa: S608  # a constant of this module
).bindparams(bindparam("group_id", type_=Text), bindparam("order_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))

_AT_LOCATIONS = text(
    f"""
    SELECT l.id, a.sku, a.available
    FROM location_group_members m JOIN locations l ON l.id = m.location_id AND l.active
    CROSS JOIN LATERAL ({_AVAILABLE}) a
    WHERE m.group_id = :group_id AND a.available > 0
    """  # noqa: S608  # a constant of this module
).bindparams(bindparam("group_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))

_GROUP_FREE = text(
    """
    SELECT g.sku, g.on_hand - g.reserved - g.safety + COALESCE((
        SELECT SUM(l.own) FROM proposals p JOIN proposal_lines l ON l.proposal_id = p.id
        WHERE p.order_id = :order_id AND p.status = 'open' AND l.sku = g.sku), 0) AS free
    FROM group_stock g
    WHERE g.group_id = :group_id AND g.sku = ANY(:skus)
    """
).bindparams(bindparam("group_id", type_=Text), bindparam("order_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))

_OTHERS_LEFT = text(
    """
    SELECT g.group_id, g.sku, g.on_hand - g.reserved - g.safety AS available
    FROM group_stock g WHERE g.group_id = ANY(:groups) AND g.sku = ANY(:skus)
    """
).bindparams(bindparam("groups", type_=ARRAY(Text)), bindparam("skus", type_=ARRAY(Text)))


async def read_situation(unit: Reader, waiting: Waiting) -> Situation:
    """Return what waits as parts, and what they can be routed with; suppliers are those of now."""
    order = Facts(order=unit.order, now=unit.now, lines=await unit.lines(), waiting=waiting)
    bare = bare_situation(order, await _destinations(unit), await _suppliers(unit, waiting))
    stocked = stocked_skus(bare)
    opens = sorted({sku for counted in bare.open.values() for sku in counted})
    locations = await with_work(unit, await _locations(unit, stocked), stocked) if stocked else ()
    return bare.model_copy(
        update={
            "free": await group_free(unit, opens),
            "locations": locations,
            "limits": await _limits(unit, locations, stocked),
        }
    )


async def risen_since(unit: Reader, seen: Situation, skus: Sequence[str]) -> set[str]:
    """
    Return of which of *skus* there is more now than an attempt has seen: free at the group, at any location of it, or
    at several of them together.

    Where there is more of none, an attempt finds no more than that one did. What an order has reserved wholly was not
    looked up at the group: only its locations tell.
    """
    free = await group_free(unit, [sku for sku in skus if sku in seen.free])
    risen = {sku for sku, units in free.items() if units > seen.free[sku]}
    there = {location.id: location.stock for location in seen.locations}
    values = {"group_id": unit.order.policy.location_group, "skus": list(skus)}
    for row in await unit.read(_AT_LOCATIONS, values) if skus else ():
        if row.available > there.get(row.id, {}).get(row.sku, 0):
            risen.add(row.sku)
    for group, left in (await _others_left(unit, sorted(seen.limits), skus)).items():
        risen |= {sku for sku, units in left.items() if sku in seen.limits[group] and units > seen.limits[group][sku]}
    return risen


class Supplier(NamedTuple):
    """Who sends a SKU for us."""

    sku: str
    supplier_id: str
    available: bool
    """It is open, and has turned down nothing of the order."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """An order, and what of it waits."""

    order: Order
    now: datetime
    lines: Sequence[Line]
    waiting: Waiting


def bare_situation(facts: Facts, destinations: Mapping[str, Destination], suppliers: Sequence[Supplier]) -> Situation:
    """Return an order's situation without locations, and without what its group has free."""
    order, waiting = facts.order, facts.waiting
    pickups = {group: destination.pickup for group, destination in destinations.items()}
    parts = parts_of(waiting.products, waiting.pools, pickups, {each.sku: each.supplier_id for each in suppliers})
    return Situation(
        now=facts.now,
        channel=order.channel_id,
        priority=order.priority,
        value=sum(line.total for line in facts.lines),
        complete=order.ship_complete,
        parts=parts,
        destinations=dict(destinations),
        unavailable=tuple(sorted({each.supplier_id for each in suppliers if not each.available})),
        open={group: dict(counted) for group, counted in open_units(waiting).items()},
    )


def stocked_skus(situation: Situation) -> list[str]:
    """Return what of the order comes from stock of ours, sorted."""
    return sorted({sku for part in situation.parts if part.stocked for sku in part.demand})


async def _destinations(unit: Reader) -> dict[str, Destination]:
    return destinations_of(await unit.book(DESTINATIONS))


def destinations_of(rows: Rows) -> dict[str, Destination]:
    """Return where the delivery groups of ``DESTINATIONS`` go."""
    return {
        group: Destination(country=country, position=_position(latitude, longitude), pickup=pickup)
        for group, country, latitude, longitude, pickup in rows
    }


async def _suppliers(unit: Reader, waiting: Waiting) -> list[Supplier]:
    sent = sent_by_suppliers(waiting)
    rows = await unit.read(_SUPPLIERS, {"order_id": unit.order.id, "skus": sent}) if sent else ()
    return [Supplier(row.sku, row.supplier_id, row.available) for row in rows]


def sent_by_suppliers(waiting: Waiting) -> list[str]:
    """Return the SKUs among what waits that suppliers send, sorted."""
    lines = [waiting.products[pool.line_id] for pool in waiting.pools]
    return sorted({line.sku for line in lines if line.sku is not None and kind_of(line, None) == "dropship"})


def open_units(waiting: Waiting) -> dict[str, Counter[str]]:
    """Return by delivery group and SKU the units from stock of ours that are reserved nowhere."""
    open_: dict[str, Counter[str]] = {}
    for pool in waiting.pools:
        line = waiting.products[pool.line_id]
        if line.stocked and line.sku is not None and pool.account.state is UnitState.OPEN:
            open_.setdefault(line.delivery_group, Counter())[line.sku] += pool.quantity
    return open_


async def group_free(unit: Reader, skus: Sequence[str]) -> dict[str, int]:
    """Return by SKU what the channel's group can still promise, with what it holds for the order; at least nothing."""
    if not skus:
        return {}
    values = {"group_id": unit.order.policy.location_group, "order_id": unit.order.id, "skus": list(skus)}
    free = dict.fromkeys(skus, 0)
    for row in await unit.read(_GROUP_FREE, values):
        free[row.sku] = max(0, row.free)
    return free


async def _locations(unit: Reader, skus: Sequence[str]) -> tuple[LocationFacts, ...]:
    values = {"group_id": unit.order.policy.location_group, "order_id": unit.order.id, "skus": list(skus)}
    return tuple(
        location_of(row).model_copy(update={"stock": row.stock or {}, "turned_down": row.turned_down})
        for row in await unit.read(_LOCATIONS, values)
    )


async def _limits(unit: Reader, locations: Sequence[LocationFacts], skus: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what other groups can still give of what several of their *locations* show; mostly none is asked."""
    own = unit.order.policy.location_group
    several = Counter(group for each in locations if each.stock for group in each.groups if group != own)
    groups = sorted(group for group, count in several.items() if count > 1)
    return joint_limits(locations, await _others_left(unit, groups, skus), own)


async def _others_left(unit: Reader, groups: Sequence[str], skus: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return by group and SKU what can still be given."""
    left: dict[str, dict[str, int]] = {}
    if groups and skus:
        for row in await unit.read(_OTHERS_LEFT, {"groups": list(groups), "skus": list(skus)}):
            left.setdefault(row.group_id, {})[row.sku] = row.available
    return left


def location_of(row: Row[*tuple[Any, ...]]) -> LocationFacts:
    """Return the location of a row, without stock."""
    return LocationFacts(
        id=row.id,
        kind=row.kind,
        country=row.country,
        position=_position(row.latitude, row.longitude),
        traits=LocationTraits.model_validate(row.traits),
        groups=tuple(row.groups),
    )


def _position(latitude: float | None, longitude: float | None) -> Position | None:
    if latitude is None or longitude is None:
        return None
    return Position(latitude=latitude, longitude=longitude)

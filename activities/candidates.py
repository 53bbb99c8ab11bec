"""What routing starts from: the units that wait for a location, and the locations that may send them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from activities.reservations import sku_of
from activities.unit import Unit
from orderloom.domain.geo import Position, distance_km
from orderloom.domain.order import Line
from orderloom.domain.routing import Candidate
from orderloom.domain.units import Pool, UnitState


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The product units of an order that no location has yet."""

    products: Mapping[str, Line]
    pools: Sequence[Pool]
    """Reserved ones first, then by line: a part of an order takes what is reserved before what is not."""
    reserved: Counter[str]
    """By SKU."""
    open: Counter[str]
    """By SKU: not reserved anywhere."""

    @property
    def by_group(self) -> Counter[tuple[str, str]]:
        """Return quantities by delivery group and SKU."""
        counted: Counter[tuple[str, str]] = Counter()
        for pool in self.pools:
            line = self.products[pool.line_id]
            counted[line.delivery_group, sku_of(line)] += pool.quantity
        return counted

    @property
    def demand(self) -> dict[str, int]:
        """Return quantities by SKU, reserved or not."""
        return {sku: quantity for sku, quantity in sorted((self.reserved + self.open).items()) if quantity > 0}


async def read_waiting(unit: Unit) -> Waiting:
    """Return the order's product units that are open or reserved at the group."""
    products = {line.id: line for line in await unit.lines() if line.kind == "product"}
    pools = [
        pool
        for pool in await unit.pools(UnitState.RESERVED, UnitState.OPEN)
        if pool.line_id in products and pool.quantity > 0
    ]
    counted: dict[UnitState, Counter[str]] = {UnitState.RESERVED: Counter(), UnitState.OPEN: Counter()}
    for pool in pools:
        counted[pool.account.state][sku_of(products[pool.line_id])] += pool.quantity
    ranked = sorted(pools, key=lambda pool: (pool.account.state is UnitState.OPEN, products[pool.line_id].position))
    return Waiting(products=products, pools=ranked, reserved=counted[UnitState.RESERVED], open=counted[UnitState.OPEN])


_CANDIDATES = text(
    """
    SELECT l.id, l.latitude, l.longitude, s.sku,
           LEAST(s.on_hand - s.reserved - s.safety,
                 (SELECT MIN(g.on_hand - g.reserved - g.safety)
                  FROM location_group_members o JOIN group_stock g ON g.group_id = o.group_id AND g.sku = s.sku
                  WHERE o.location_id = l.id AND o.group_id <> :group_id)) AS available
    FROM location_group_members m
    JOIN locations l ON l.id = m.location_id AND l.active
    LEFT JOIN stock s ON s.location_id = l.id AND s.sku = ANY(:skus)
    WHERE m.group_id = :group_id AND NOT EXISTS (
        SELECT 1 FROM fulfillment_orders f JOIN fulfillment_order_lines r ON r.fulfillment_order_id = f.id
        WHERE f.order_id = :order_id AND f.location_id = l.id AND r.rejected_quantity > 0)
    ORDER BY l.id, s.sku
    """
).bindparams(bindparam("group_id", type_=Text), bindparam("order_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))

_GROUP_FREE = text(
    """
    SELECT sku, on_hand - reserved - safety AS free FROM group_stock
    WHERE group_id = :group_id AND sku = ANY(:skus)
    """
).bindparams(bindparam("group_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))


async def read_candidates(unit: Unit, skus: Sequence[str], target: Position | None) -> tuple[Candidate, ...]:
    """
    Return the active locations of the channel's group with what each has of *skus*, and how far *target* is, by id.

    A location that turned units of this order down is left out, for this order only. What another group of a location
    has promised away is not available there.
    """
    values = {"group_id": unit.order.policy.location_group, "order_id": unit.order.id, "skus": list(skus)}
    found: dict[str, Row[*tuple[Any, ...]]] = {}
    stock: dict[str, dict[str, int]] = {}
    for row in await unit.read(_CANDIDATES, values):
        found[row.id] = row
        at = stock.setdefault(row.id, {})
        if row.sku is not None and row.available > 0:
            at[row.sku] = row.available
    return tuple(
        Candidate(location=location, distance_km=_distance(_position(found[location]), target), stock=stock[location])
        for location in found
    )


async def group_free(unit: Unit, skus: Sequence[str]) -> dict[str, int]:
    """Return by SKU what the channel's group can still promise; never less than nothing."""
    values = {"group_id": unit.order.policy.location_group, "skus": list(skus)}
    free = dict.fromkeys(skus, 0)
    for row in await unit.read(_GROUP_FREE, values):
        free[row.sku] = max(0, row.free)
    return free


def _position(row: Row[*tuple[Any, ...]]) -> Position | None:
    if row.latitude is None or row.longitude is None:
        return None
    return Position(latitude=row.latitude, longitude=row.longitude)


def _distance(position: Position | None, target: Position | None) -> float | None:
    """Return the distance to where the goods go, or None when either is unknown."""
    return None if position is None or target is None else distance_km(position, target)

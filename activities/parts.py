"""What waits of an order, divided into the parts that are routed together, and the answer for each."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Row, Text, bindparam, select, text
from sqlalchemy.dialects.postgresql import ARRAY

from activities.candidates import Waiting, group_free, read_candidates
from activities.unit import Unit
from orderloom.domain.geo import Position
from orderloom.domain.parts import Part, RoutedPart, kind_of, parts_of, short_of, without_choice
from orderloom.domain.routing import Candidate, RoutingAnswer, RoutingOutcome, RoutingQuestion
from orderloom.domain.solver import find_routes
from orderloom.domain.units import UnitState
from orderloom.persistence.tables.orders import delivery_groups


@dataclass(frozen=True)
class Destination:
    """Where a delivery group goes, as far as routing needs to know."""

    pickup: str | None
    position: Position | None


_to = delivery_groups.c
_DESTINATIONS = (
    select(_to.id, _to.latitude, _to.longitude, _to.pickup_location_id)
    .where(_to.order_id == bindparam("of_order"))
    .order_by(_to.id)
)


async def read_destinations(unit: Unit) -> dict[str, Destination]:
    """Return where the order's delivery groups go, by id."""
    rows = await unit.read(_DESTINATIONS, {"of_order": unit.order.id})
    return {row.id: Destination(row.pickup_location_id, _position(row)) for row in rows}


def _position(row: Row[str, float | None, float | None, str | None]) -> Position | None:
    if row.latitude is None or row.longitude is None:
        return None
    return Position(latitude=row.latitude, longitude=row.longitude)


_SUPPLIERS = text(
    """
    SELECT p.sku, p.supplier_id, l.active AND NOT EXISTS (
        SELECT 1 FROM fulfillment_orders f JOIN fulfillment_order_lines r ON r.fulfillment_order_id = f.id
        WHERE f.order_id = :order_id AND f.location_id = l.id AND r.rejected_quantity > 0) AS available
    FROM products p JOIN locations l ON l.id = p.supplier_id
    WHERE p.sku = ANY(:skus)
    """
).bindparams(bindparam("order_id", type_=Text), bindparam("skus", type_=ARRAY(Text)))


@dataclass(frozen=True)
class Parts:
    """The parts of an order, and what they are routed with."""

    parts: tuple[Part, ...]
    destinations: dict[str, Destination]
    unavailable: frozenset[str]
    """Suppliers that are closed, or that turned units of this order down."""


async def read_parts(unit: Unit, waiting: Waiting) -> Parts:
    """Return what waits as parts; suppliers are those of now."""
    destinations = await read_destinations(unit)
    sent = sorted(
        {
            line.sku
            for line in (waiting.products[pool.line_id] for pool in waiting.pools)
            if line.sku is not None and kind_of(line, None) == "dropship"
        }
    )
    found = (await unit.read(_SUPPLIERS, {"order_id": unit.order.id, "skus": sent})).all() if sent else ()
    pickups = {group: destination.pickup for group, destination in destinations.items()}
    parts = parts_of(waiting.products, waiting.pools, pickups, {row.sku: row.supplier_id for row in found})
    return Parts(parts, destinations, frozenset(row.supplier_id for row in found if not row.available))


class Router:
    """
    Routes the parts of one order, one after the other: what one takes is gone for the next.

    The policy's split limit holds for the whole order: a split is a shipment beyond the first of a part.
    """

    def __init__(self, unit: Unit, waiting: Waiting, parts: Parts) -> None:
        """Take what waits, divided."""
        self._unit = unit
        self._parts = parts
        self._open: dict[str, Counter[str]] = {}
        for pool in waiting.pools:
            line = waiting.products[pool.line_id]
            if line.stocked and line.sku is not None and pool.account.state is UnitState.OPEN:
                self._open.setdefault(line.delivery_group, Counter())[line.sku] += pool.quantity
        self._free: dict[str, int] = {}
        self._taken: Counter[tuple[str, str]] = Counter()
        self._splits = unit.order.policy.routing.max_splits
        self._partial = unit.order.policy.routing.partial and not unit.order.ship_complete
        self.stock: dict[str, dict[str, int]] = {}
        """What was seen at each location, by SKU."""

    async def route(self) -> list[RoutedPart]:
        """Return every part with its answer."""
        if skus := sorted({sku for open_ in self._open.values() for sku in open_}):
            self._free = await group_free(self._unit, skus)
        return [await self._part(part) for part in self._parts.parts]

    async def _part(self, part: Part) -> RoutedPart:
        if not part.stocked:
            available = part.kind == "digital" or (part.place is not None and part.place not in self._parts.unavailable)
            return without_choice(part, available=available)
        destination = self._parts.destinations[part.delivery_group]
        found = await read_candidates(self._unit, list(part.demand), destination.position)
        for candidate in found:
            self.stock.setdefault(candidate.location, {}).update(candidate.stock)
        candidates = [self._left(each) for each in found if part.place in {None, each.location}]
        withheld = self._withheld(part)
        answer = self._search(part, candidates, withheld)
        routed = RoutedPart(**part.model_dump(), answer=answer, max_splits=self._splits, withheld=withheld)
        self._take(routed)
        return routed

    def _left(self, candidate: Candidate) -> Candidate:
        """Return the candidate without what parts before this one take."""
        left = {sku: there - self._taken[candidate.location, sku] for sku, there in candidate.stock.items()}
        return candidate.model_copy(update={"stock": {sku: there for sku, there in left.items() if there > 0}})

    def _withheld(self, part: Part) -> dict[str, int]:
        """Return by SKU the units of the part that are not reserved and that the group has promised to others."""
        open_ = self._open.get(part.delivery_group, Counter[str]())
        return {
            sku: quantity - self._free[sku]
            for sku, quantity in sorted(open_.items())
            if sku in part.demand and self._free[sku] < quantity
        }

    def _search(self, part: Part, candidates: Sequence[Candidate], withheld: Mapping[str, int]) -> RoutingAnswer:
        """Search for all that can be had; without partial routing that must be all there is."""
        demand = {sku: wanted - withheld.get(sku, 0) for sku, wanted in part.demand.items()}
        demand = {sku: wanted for sku, wanted in demand.items() if wanted}
        if candidates and withheld and not (self._partial and demand):
            return RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=short_of(withheld))
        answer = find_routes(
            RoutingQuestion(
                demand=demand or part.demand,
                locations=tuple(candidates),
                max_splits=self._splits,
                partial=self._partial,
            )
        )
        if not (withheld and candidates):
            return answer
        short = Counter({each.sku: each.quantity for each in answer.short}) + Counter(withheld)
        return answer.model_copy(update={"short": short_of(short)})

    def _take(self, part: RoutedPart) -> None:
        """Note what the part's route takes: stock, what the group has free, and splits."""
        sent: Counter[str] = Counter()
        for each in part.plan:
            self._taken[each.location, each.sku] += each.quantity
            sent[each.sku] += each.quantity
        for sku, quantity in self._open.get(part.delivery_group, Counter[str]()).items():
            # What is reserved goes first (``Waiting.pools``).
            self._free[sku] -= max(0, sent[sku] - (part.demand[sku] - quantity))
        if self._splits is not None and part.locations:
            self._splits -= len(part.locations) - 1

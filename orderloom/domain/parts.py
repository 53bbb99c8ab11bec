"""
Parts of an order: units that are routed together, because they go to one place in one way.

Every delivery group is routed towards its own address; within it, what is digital, what suppliers send and what comes
from stock of ours go their own ways.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import Field

from orderloom.domain.model import Frozen
from orderloom.domain.order import Line
from orderloom.domain.routing import Assignment, JointLimit, Route, RoutingAnswer, RoutingOutcome, Short
from orderloom.domain.units import Pool

FulfillmentKind = Literal["digital", "dropship", "pickup", "warehouse"]
"""How a fulfillment order is carried out: sent as data, by a supplier, fetched at a store, sent from a location."""

_ORDER: tuple[FulfillmentKind, ...] = ("digital", "dropship", "pickup", "warehouse")
"""What has no choice goes first."""


class Part(Frozen):
    """Units of one delivery group that go one way."""

    delivery_group: str
    kind: FulfillmentKind
    place: str | None = None
    """The only location that may send them: a supplier, or where they are picked up. None: any, or none at all."""
    demand: dict[str, int]
    """What waits, by SKU."""

    @property
    def stocked(self) -> bool:
        """Return whether its units come from stock of ours."""
        return self.kind in {"pickup", "warehouse"}


class RoutedPart(Part):
    """A part, and what was found for it."""

    answer: RoutingAnswer
    max_splits: int | None = None
    """How many splits the parts before it have left of the policy's limit; None is no limit."""
    withheld: dict[str, int] = {}
    """By SKU what could not be asked for: it is not reserved, and the location group has promised it to others."""
    limits: tuple[JointLimit, ...] = ()
    """What locations in other groups could send of it together, where each of them shows more."""

    @property
    def plan(self) -> tuple[Assignment, ...]:
        """Return what the best route sends; nothing when there is none."""
        return self.answer.routes[0].plan if self.answer.routes else ()

    @property
    def locations(self) -> tuple[str, ...]:
        """Return the locations of the best route."""
        return self.answer.routes[0].locations if self.answer.routes else ()

    @property
    def whole(self) -> bool:
        """Return whether all of it is routed."""
        return sum(each.quantity for each in self.plan) == sum(self.demand.values())


class Routing(Frozen):
    """What a routing attempt found for all parts of an order; stored with it."""

    outcome: RoutingOutcome
    """``ROUTED`` and ``PARTIALLY_ROUTED`` are carried out, nothing else is."""
    parts: tuple[RoutedPart, ...] = Field(min_length=1)

    @property
    def carried_out(self) -> tuple[RoutedPart, ...]:
        """Return the parts that go out, each as far as its plan says."""
        if self.outcome not in {RoutingOutcome.ROUTED, RoutingOutcome.PARTIALLY_ROUTED}:
            return ()
        return tuple(part for part in self.parts if part.plan)

    @property
    def locations(self) -> list[str]:
        """Return the locations that send something, in the order of the parts, each once."""
        return list(dict.fromkeys(location for part in self.carried_out for location in part.locations))

    @property
    def splits(self) -> int:
        """Return how many shipments there are beyond the first of each delivery group's part."""
        return sum(max(0, len(part.locations) - 1) for part in self.carried_out)


def kind_of(line: Line, pickup: str | None) -> FulfillmentKind:
    """Return the way that a product line goes, when its delivery group is picked up at *pickup*, or sent (None)."""
    if line.fulfilment != "ship":
        return line.fulfilment
    return "warehouse" if pickup is None else "pickup"


def parts_of(
    lines: Mapping[str, Line], pools: Iterable[Pool], pickups: Mapping[str, str | None], suppliers: Mapping[str, str]
) -> tuple[Part, ...]:
    """
    Divide what waits into parts: those without a choice first, then by delivery group and supplier.

    Args:
        lines: the product lines, by id.
        pools: their units that wait.
        pickups: delivery group to the location where it is picked up; those that are sent may be left out.
        suppliers: SKU to the location that sends it, for what suppliers send.
    """
    demands: dict[tuple[str, FulfillmentKind, str | None], dict[str, int]] = {}
    for pool in pools:
        line = lines[pool.line_id]
        assert line.sku is not None, "a product has a SKU"
        kind = kind_of(line, pickups.get(line.delivery_group))
        place = suppliers.get(line.sku) if kind == "dropship" else None
        if kind == "pickup":
            place = pickups[line.delivery_group]
        demand = demands.setdefault((line.delivery_group, kind, place), {})
        demand[line.sku] = demand.get(line.sku, 0) + pool.quantity
    parts = [
        Part(delivery_group=group, kind=kind, place=place, demand=dict(sorted(demand.items())))
        for (group, kind, place), demand in demands.items()
    ]
    return tuple(sorted(parts, key=lambda part: (_ORDER.index(part.kind), part.delivery_group, part.place or "")))


def without_choice(part: Part, *, available: bool) -> RoutedPart:
    """Return a digital or drop-shipped part: it goes whole, unless its supplier is not *available* for this order."""
    if not available:
        answer = RoutingAnswer(outcome=RoutingOutcome.NO_ELIGIBLE_LOCATION, short=short_of(part.demand))
        return RoutedPart(**part.model_dump(), answer=answer)
    place = part.place or ""
    plan = tuple(Assignment(location=place, sku=sku, quantity=quantity) for sku, quantity in part.demand.items())
    route = Route(rank=1, locations=() if part.place is None else (part.place,), plan=plan, average_km=None)
    count = len(route.locations)
    answer = RoutingAnswer(outcome=RoutingOutcome.ROUTED, routes=(route,), lower_bound=count, fewest_possible=count)
    return RoutedPart(**part.model_dump(), answer=answer)


def short_of(demand: Mapping[str, int]) -> tuple[Short, ...]:
    """Return all of *demand* as short."""
    return tuple(Short(sku=sku, quantity=quantity) for sku, quantity in sorted(demand.items()))


def routing_of(parts: Sequence[RoutedPart], *, complete: bool) -> Routing:
    """
    Return what an attempt comes to.

    Args:
        parts: what was found for each.
        complete: nothing goes out before all of it can.
    """
    missing = [part for part in parts if not part.whole]
    if not missing:
        outcome = RoutingOutcome.ROUTED
    elif complete or not any(part.plan for part in parts):
        outcome = next(_failures(missing), RoutingOutcome.NO_STOCK)
    else:
        outcome = RoutingOutcome.PARTIALLY_ROUTED
    return Routing(outcome=outcome, parts=tuple(parts))


def _failures(parts: Iterable[RoutedPart]) -> Iterator[RoutingOutcome]:
    """Yield why parts are not routed; one that is routed in part lacks stock."""
    return (part.answer.outcome for part in parts if part.answer.outcome is not RoutingOutcome.ROUTED)

"""What routing comes to in figures that people compare: shipments, units, kilometres, cost, carbon."""

from collections.abc import Iterable, Sequence

from orderloom.domain.eligibility import LocationFacts, fates
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.parts import RoutedPart, Routing
from orderloom.domain.routing import Assignment
from orderloom.domain.routing_policy import Eligibility, RoutingPolicy
from orderloom.domain.situation import Situation

_MEASURE = RoutingPolicy(
    name="measure", eligible=Eligibility(capacity=False), objectives=("shipping_cost", "carbon"), max_splits=None
)
"""Keeps no location out, and charges what shipments cost: figures are the same whatever a policy looks at."""


class Figures(Frozen):
    """What one routing comes to."""

    outcome: str
    locations: tuple[str, ...] = ()
    """In the order of the parts, each once."""
    shipments: int = 0
    splits: int = 0
    """Shipments beyond the first of each part."""
    units: int = 0
    """Units that go out."""
    missing: int = 0
    """Units that wait on."""
    km: float = 0.0
    """Sum over the shipments whose distance is known."""
    unknown: int = 0
    """Shipments whose distance is not known."""
    cost: int = 0
    """Shipping, in minor units, by the locations' rates; also when the policy does not look at it."""
    grams: int = 0
    """CO2 equivalent, by the locations' rates."""


def _free_for_all(_condition: str, _order: JsonObject, _location: JsonObject) -> bool:
    return True


class Change(Frozen):
    """One figure that differs, with what it was and is."""

    figure: str
    before: float
    after: float


COMPARED = ("splits", "shipments", "units", "km", "cost", "grams")
"""The figures that are compared."""


def figures(situation: Situation, routing: Routing) -> Figures:
    """Return what *routing* of *situation* comes to."""
    going = routing.carried_out
    wanted = sum(sum(part.demand.values()) for part in routing.parts)
    units = sum(each.quantity for part in going for each in part.plan)
    shipments = [one for part in going if part.stocked for one in _shipments(situation, part)]
    known = [km for km, _, _ in shipments if km is not None]
    return Figures(
        outcome=routing.outcome.value,
        locations=tuple(routing.locations),
        shipments=sum(len(part.locations) for part in going),
        splits=routing.splits,
        units=units,
        missing=wanted - units,
        km=round(sum(known), 1),
        unknown=len(shipments) - len(known),
        cost=sum(cost for _, cost, _ in shipments),
        grams=sum(grams for _, _, grams in shipments),
    )


def _shipments(situation: Situation, part: RoutedPart) -> Iterable[tuple[float | None, int, int]]:
    """Yield kilometres, minor units and grams of each location's shipment."""
    order = situation.order(part)
    locations = {each.id: each for each in situation.locations}
    for id in part.locations:
        sent = _sent(part.plan, id)
        facts = _bare(locations[id])
        (fate,) = fates(_MEASURE, order, [facts], _free_for_all)
        cost, carbon = fate.charges
        yield fate.distance_km, cost.opening + sent * cost.per_unit, carbon.opening + sent * carbon.per_unit


def _sent(plan: Sequence[Assignment], location: str) -> int:
    return sum(each.quantity for each in plan if each.location == location)


def _bare(location: LocationFacts) -> LocationFacts:
    """Return the location so that no rule keeps it out: it sends already."""
    return location.model_copy(update={"turned_down": False})


def changes(before: Figures, after: Figures) -> tuple[Change, ...]:
    """Return the figures that differ."""
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in COMPARED)
    return tuple(Change(figure=name, before=old, after=new) for name, old, new in pairs if old != new)

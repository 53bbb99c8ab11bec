"""What a routing attempt sees of an order and of the locations. It is stored with the attempt, to be tried again."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import AwareDatetime

from orderloom.domain.eligibility import LocationFacts, OrderFacts
from orderloom.domain.geo import Position
from orderloom.domain.model import Frozen
from orderloom.domain.parts import Part
from orderloom.domain.routing import Assignment, JointLimit


class Destination(Frozen):
    """Where a delivery group goes, as far as routing needs to know."""

    country: str
    position: Position | None = None
    pickup: str | None = None
    """The location where it is picked up."""


class Situation(Frozen):
    """An order that waits for locations, at one moment."""

    now: AwareDatetime
    channel: str
    value: int
    """Of the order as it was placed, in minor units, tax included."""
    priority: int = 0
    complete: bool = False
    """Nothing goes out before all of it can."""
    parts: tuple[Part, ...]
    destinations: dict[str, Destination]
    """By delivery group."""
    unavailable: tuple[str, ...] = ()
    """Suppliers that are closed, or that turned units of this order down."""
    open: dict[str, dict[str, int]] = {}
    """By delivery group and SKU, the units that are not reserved anywhere."""
    free: dict[str, int] = {}
    """By SKU, what the channel's group can still promise to such units."""
    locations: tuple[LocationFacts, ...] = ()
    """Every active location of the channel's group, by id."""
    limits: dict[str, dict[str, int]] = {}
    """By another group of several of them, and SKU: what it can still give, where that is less than they show."""

    def order(self, part: Part) -> OrderFacts:
        """Return what rules look at when *part* is routed."""
        destination = self.destinations[part.delivery_group]
        return OrderFacts(
            now=self.now,
            channel=self.channel,
            country=destination.country,
            position=destination.position,
            value=self.value,
            priority=self.priority,
            skus=tuple(part.demand),
        )


def joint_limits(
    locations: Iterable[LocationFacts], left: Mapping[str, Mapping[str, int]], own: str
) -> dict[str, dict[str, int]]:
    """
    Return by group and SKU what *left* says that a group can still give, where its *locations* show more together.

    What a location shows is at most what each of its groups has left: a limit is on two locations or more. The *own*
    group of the channel is none: what that has promised is known of the order itself.
    """
    shown: dict[str, dict[str, int]] = {}
    for location in locations:
        for group in location.groups:
            there = shown.setdefault(group, {}) if group != own else {}
            for sku, quantity in location.stock.items():
                there[sku] = there.get(sku, 0) + quantity
    limits = {
        group: {
            sku: left[group][sku]
            for sku, quantity in sorted(there.items())
            if sku in left.get(group, {}) and left[group][sku] < quantity
        }
        for group, there in sorted(shown.items())
    }
    return {group: of for group, of in limits.items() if of}


class Left:
    """What the locations of a situation still have, and groups can give, once parts of the order have been routed."""

    def __init__(self, locations: Iterable[LocationFacts], limits: Mapping[str, Mapping[str, int]]) -> None:
        """Take what there is before the first part."""
        self._locations = {each.id: each for each in locations}
        self._taken: Counter[tuple[str, str]] = Counter()
        self._limits = {group: Counter(of) for group, of in limits.items()}

    def take(self, plan: Iterable[Assignment]) -> None:
        """Take away what *plan* sends; what is of no location of ours is left alone."""
        for each in plan:
            if (location := self._locations.get(each.location)) is None:
                continue
            self._taken[each.location, each.sku] += each.quantity
            for limit in self._over(location, each.sku):
                limit[each.sku] -= each.quantity

    def stock(self, location: str) -> dict[str, int]:
        """Return by SKU what is left at *location*, and what its groups leave to it alone; only what is."""
        facts = self._locations[location]
        left = {
            sku: min([there - self._taken[location, sku], *(limit[sku] for limit in self._over(facts, sku))])
            for sku, there in facts.stock.items()
        }
        return {sku: there for sku, there in left.items() if there > 0}

    def limits(self, demand: Iterable[str], locations: Iterable[str]) -> tuple[JointLimit, ...]:
        """Return what groups can give of *demand*, where those of *locations* that are in them show more together."""
        wanted, stock = set(demand), {location: self.stock(location) for location in locations}
        found: list[JointLimit] = []
        for group, left in self._limits.items():
            inside = [location for location in stock if group in self._locations[location].groups]
            shown = {sku: sum(stock[location].get(sku, 0) for location in inside) for sku in left if sku in wanted}
            most = {sku: left[sku] for sku, quantity in shown.items() if left[sku] < quantity}
            if most:
                found.append(JointLimit(group=group, locations=tuple(inside), most=most))
        return tuple(found)

    def _over(self, location: LocationFacts, sku: str) -> list[Counter[str]]:
        limits = (self._limits[group] for group in location.groups if group in self._limits)
        return [limit for limit in limits if sku in limit]

"""What a routing attempt sees of an order and of the locations. It is stored with the attempt, to be tried again."""

from pydantic import AwareDatetime

from orderloom.domain.eligibility import LocationFacts, OrderFacts
from orderloom.domain.geo import Position
from orderloom.domain.model import Frozen
from orderloom.domain.parts import Part


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

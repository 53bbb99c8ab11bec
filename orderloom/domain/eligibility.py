"""
Which locations may send something of an order by a policy, which rule keeps the others out, and what each would cost.

Pure: facts and the time come in, and who asks says how a condition is evaluated.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from pydantic import AwareDatetime

from orderloom.domain.calendar import business_day
from orderloom.domain.geo import Position, distance_km
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.routing_policy import Eligibility, Objective, RoutingPolicy

STOCK = "stock"
"""The rule that keeps out who has nothing of what is wanted; no policy says it."""

UNKNOWN_METRES = 40_000_000
"""Stands for a distance that is not known: farther than any place on the earth from any other."""

SCARCE = 10_000
"""Cost of a unit from a location that has next to nothing of what all have together; one that has all costs 0."""

REJECTION = 1_000
"""Cost of one rejection just now."""


class LocationFacts(Frozen):
    """What is known of a location at the moment of an attempt."""

    id: str
    kind: str = "warehouse"
    country: str
    position: Position | None = None
    traits: LocationTraits = LocationTraits()
    groups: tuple[str, ...] = ()
    stock: dict[str, int] = {}
    """By SKU of what is demanded: what is available."""
    capacity_left: int | None = None
    """Fulfillment orders that it can still take on the day that work given now belongs to; None: any number."""
    rejections: float = 0.0
    """Recent rejections, decayed."""
    turned_down: bool = False
    """It rejected units of this very order."""


class OrderFacts(Frozen):
    """What rules look at of an order."""

    now: AwareDatetime
    channel: str
    country: str
    """Where the goods go."""
    position: Position | None = None
    value: int
    """Minor units, tax included."""
    priority: int = 0
    skus: tuple[str, ...]


class Charge(Frozen):
    """What choosing a location adds to one objective: once, and for every unit that it sends."""

    objective: Objective
    opening: int = 0
    per_unit: int = 0


class Fate(Frozen):
    """What became of a location in an attempt."""

    location: str
    eligible: bool
    removed_by: str | None = None
    """The rule that keeps it out, as the policy names it."""
    why: str | None = None
    """The same in words."""
    distance_km: float | None = None
    charges: tuple[Charge, ...] = ()
    """In the order of the policy's objectives."""


type Holds = Callable[[str, JsonObject, JsonObject], bool]
"""Evaluates a condition over order and location."""


def fates(policy: RoutingPolicy, order: OrderFacts, locations: Sequence[LocationFacts], holds: Holds) -> list[Fate]:
    """Return the fate of every location, in the order given."""
    whole = {sku: sum(max(0, each.stock.get(sku, 0)) for each in locations) for sku in order.skus}
    return [_fate(policy, order, each, whole, holds) for each in locations]


def _fate(
    policy: RoutingPolicy, order: OrderFacts, location: LocationFacts, whole: Mapping[str, int], holds: Holds
) -> Fate:
    removed = next(_removals(policy, order, location, holds), None)
    away = _distance(order, location)
    if removed is not None:
        return Fate(location=location.id, eligible=False, removed_by=removed[0], why=removed[1], distance_km=away)
    charges = tuple(_charge(objective, location, away, whole) for objective in policy.objectives)
    return Fate(location=location.id, eligible=True, distance_km=away, charges=charges)


def _removals(
    policy: RoutingPolicy, order: OrderFacts, location: LocationFacts, holds: Holds
) -> Iterator[tuple[str, str]]:
    """Yield the rules that keep a location out, and why; the first one is told."""
    rules = policy.eligible
    if location.turned_down:
        yield "rejected", "it turned down units of this order"
    yield from _kind(rules, location)
    yield from _country(rules, order, location)
    yield from _time(rules, order, location)
    if not any(location.stock.get(sku, 0) > 0 for sku in order.skus):
        yield STOCK, "it has nothing of what is wanted"
    if rules.when is not None and not holds(rules.when, as_order(order), as_location(location)):
        yield "when", f"it does not meet {rules.when}"


def _kind(rules: Eligibility, location: LocationFacts) -> Iterator[tuple[str, str]]:
    if rules.types is not None and location.kind not in rules.types:
        yield "types", f"it is a {location.kind}, and only {_listed(rules.types)} may send"
    if rules.groups is not None and not set(rules.groups) & set(location.groups):
        yield "groups", f"it is in none of the groups {_listed(rules.groups)}"
    if location.id in rules.exclude:
        yield "exclude", "the policy excludes it"


def _country(rules: Eligibility, order: OrderFacts, location: LocationFacts) -> Iterator[tuple[str, str]]:
    if rules.countries == "destination":
        if location.country != order.country:
            yield "countries", f"it is in {location.country}, and the goods go to {order.country}"
    elif rules.countries is not None and location.country not in rules.countries:
        yield "countries", f"it is in {location.country}, and only {_listed(rules.countries)} may send"
    only = rules.ship_from.get(order.country)
    if only is not None and location.id not in only:
        yield "ship_from", f"only {_listed(only)} may send to {order.country}"


def _time(rules: Eligibility, order: OrderFacts, location: LocationFacts) -> Iterator[tuple[str, str]]:
    traits = location.traits
    today = traits.today(order.now)
    if rules.holidays and not traits.works_on(today):
        yield "holidays", f"it does not work on {today.isoformat()}"
    if rules.cut_off and traits.works_on(today) and business_day(traits, order.now) != today:
        yield "cut_off", f"its cut-off at {traits.cut_off} has passed"
    if rules.capacity and location.capacity_left is not None and location.capacity_left < 1:
        day = business_day(traits, order.now)
        yield "capacity", f"it can take no more fulfillment orders on {day.isoformat()}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def as_order(order: OrderFacts) -> JsonObject:
    """Return what conditions see as ``order``."""
    return {
        "channel": order.channel,
        "country": order.country,
        "value": order.value,
        "priority": order.priority,
        "skus": list(order.skus),
    }


def as_location(location: LocationFacts) -> JsonObject:
    """Return what conditions see as ``location``; ``units`` is all that it has of what is wanted."""
    return {
        "id": location.id,
        "kind": location.kind,
        "country": location.country,
        "groups": list(location.groups),
        "priority": location.traits.priority,
        "pickup": location.traits.pickup,
        "rejections": location.rejections,
        "units": sum(max(0, there) for there in location.stock.values()),
    }


def _distance(order: OrderFacts, location: LocationFacts) -> float | None:
    if order.position is None or location.position is None:
        return None
    return distance_km(location.position, order.position)


def _charge(objective: Objective, location: LocationFacts, away: float | None, whole: Mapping[str, int]) -> Charge:
    """Return what a location adds to *objective*, in whole numbers: metres, minor units, grams, ranks."""
    traits, km = location.traits, UNKNOWN_METRES / 1000 if away is None else away
    opening = per_unit = 0
    match objective:
        case "fewest_splits":
            opening = 1
        case "distance":
            opening = UNKNOWN_METRES if away is None else round(away * 1000)
        case "shipping_cost":
            opening = traits.shipping.fixed + round(traits.shipping.per_km * km)
            per_unit = traits.shipping.per_unit
        case "carbon":
            per_unit = round(traits.carbon.grams_per_unit_km * km)
        case "stock_balance":
            per_unit = _scarcity(location, whole)
        case "priority":
            per_unit = traits.priority
        case "rejections":
            opening = round(REJECTION * location.rejections)
    return Charge(objective=objective, opening=opening, per_unit=per_unit)


def _scarcity(location: LocationFacts, whole: Mapping[str, int]) -> int:
    """Return how little of what is wanted is here, from 0 (all that there is) to ``SCARCE`` (nothing)."""
    there = sum(whole.values())
    here = sum(max(0, location.stock.get(sku, 0)) for sku in whole)
    return SCARCE - (SCARCE * here // there if there else 0)

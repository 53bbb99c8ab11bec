"""Words for quantities, values of objectives, and routes, as people read them."""

from collections.abc import Iterable, Mapping, Sequence

from orderloom.domain.eligibility import UNKNOWN_METRES
from orderloom.domain.money import format_amount
from orderloom.domain.routing import Objective, Route

NAMED = 5
"""How many SKUs or locations are named before the rest is counted."""

OBJECTIVES = {
    "fewest_splits": "number of locations",
    "distance": "distance",
    "shipping_cost": "shipping cost",
    "carbon": "carbon",
    "stock_balance": "stock balance",
    "priority": "priority",
    "rejections": "recent rejections",
}
"""What objectives are called in a sentence."""


def objective_name(name: str) -> str:
    """Return what an objective is called in a sentence."""
    return OBJECTIVES.get(name, name)


def value_of(objective: Objective, currency: str) -> str:
    """Return the value that an objective has, with its unit."""
    value = objective.value
    match objective.name:
        case "fewest_splits":
            return counted(value, "location")
        case "distance":
            return "a distance that is not known" if value >= UNKNOWN_METRES else kilometres(value / 1000)
        case "shipping_cost":
            return format_amount(value, currency)
        case "carbon":
            return f"{value} g" if value < 1000 else f"{value / 1000:,.1f} kg"
        case "rejections":
            return f"{value / 1000:.1f}"
        case _:
            return f"{value:,} points"


def kilometres(km: float) -> str:
    """Return a distance: one decimal, whole ones from 100 km on."""
    return f"{km:,.0f} km" if km >= 100 else f"{km:.1f} km"


def counted(number: int, what: str) -> str:
    """Return ``1 location`` or ``2 locations``."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def units(quantities: Mapping[str, int]) -> str:
    """Return ``3 X, 2 Y``; of many SKUs the first by name, and how many more there are."""
    named = [f"{quantity:,} {sku}" for sku, quantity in sorted(quantities.items())]
    if len(named) <= NAMED + 1:
        return ", ".join(named)
    return f"{', '.join(named[:NAMED])} and {len(named) - NAMED} more SKUs"


def missing(quantities: Mapping[str, int]) -> str:
    """Return ``3 X, 2 Y are missing``."""
    return f"{units(quantities)} {'is' if sum(quantities.values()) == 1 else 'are'} missing"


def listed(names: Iterable[str]) -> str:
    """Return ``A``, ``A and B`` or ``A, B and C``."""
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def named(names: Sequence[str]) -> str:
    """Return ``A, B and C``; of many the first ones, and how many more there are."""
    more = len(names) - NAMED
    return listed(names) if more <= 1 else listed([*names[:NAMED], f"{more} more"])


def lost_at(route: Route, best: Route, currency: str) -> str:
    """Say at which objective *route* loses against *best*, or what decides where all are equal."""
    for its, other in zip(route.objectives, best.objectives, strict=False):
        if its.value != other.value:
            name = objective_name(its.name)
            return f"loses at {name}: {value_of(its, currency)} against {value_of(other, currency)}"
    if route.average_km != best.average_km:
        if route.average_km is None or best.average_km is None:
            return "equal at every objective, but not every distance is known"
        far, near = kilometres(route.average_km), kilometres(best.average_km)
        return f"equal at every objective, but farther on average: {far} against {near}"
    return "equal in everything, and later by name"


def won_at(best: Route, other: Route, currency: str) -> str:
    """Say at which objective *best* wins over *other*, or what decides where all are equal."""
    over = " + ".join(other.locations)
    for its, lost in zip(best.objectives, other.objectives, strict=False):
        if its.value != lost.value:
            name = objective_name(its.name)
            return f"It wins over {over} at {name}: {value_of(its, currency)} against {value_of(lost, currency)}."
    if best.average_km != other.average_km:
        if best.average_km is None or other.average_km is None:
            return f"{over} is as good at every objective, but not every distance is known."
        near, far = kilometres(best.average_km), kilometres(other.average_km)
        return f"{over} is as good at every objective, but farther on average: {far} against {near}."
    return f"{over} is as good in everything; this one comes first by name."

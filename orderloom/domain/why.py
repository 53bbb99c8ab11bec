"""
Why a routing attempt came to what it came to, in words: what is sent from where, what won, and each location's fate.

Everything is told from what was stored with the attempt, so that it stays what it was when stock and policy move on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from orderloom.domain.eligibility import Fate
from orderloom.domain.lacking import together
from orderloom.domain.model import Frozen
from orderloom.domain.parts import FulfillmentKind, RoutedPart
from orderloom.domain.routing import Assignment, Route, RoutingOutcome, RoutingQuestion
from orderloom.domain.telling import counted, listed, lost_at, missing, named, units, won_at

ALTERNATIVES: int = RoutingQuestion.model_fields["alternatives"].default
"""How many routes an attempt keeps."""


class Rank(Frozen):
    """Where a location stands by one objective among those that may send."""

    objective: str
    rank: int
    """From 1; equal costs share a rank."""
    opening: int
    """What choosing it adds to the objective once: metres, minor units, grams, ranks."""
    per_unit: int
    """What each unit that it sends adds."""


class LocationTold(Frozen):
    """A location in an attempt: what was there, what it sends, and why that or nothing."""

    location: str
    eligible: bool
    removed_by: str | None
    """The rule of the policy that keeps it out."""
    distance_km: float | None
    stock: dict[str, int]
    """What was available of what is wanted."""
    sends: dict[str, int]
    ranks: tuple[Rank, ...]
    words: str


class PartTold(Frozen):
    """A part of the order in an attempt."""

    delivery_group: str
    kind: FulfillmentKind
    outcome: RoutingOutcome
    demand: dict[str, int]
    sends: dict[str, int]
    short: dict[str, int]
    heading: str
    """What it is: who gets how many of what."""
    verdict: str
    """What becomes of it."""
    reasons: tuple[str, ...]
    """Why: what won at which objective, what is short, what is proven."""
    locations: tuple[LocationTold, ...]
    """Those that send first, then those that could, then those that may not; each by distance and id."""


def tell_part(
    part: RoutedPart,
    fates: Sequence[Fate],
    stock: Mapping[str, Mapping[str, int]],
    *,
    carried_out: bool,
    currency: str,
) -> PartTold:
    """
    Tell of one part.

    Args:
        part: what was found for it.
        fates: of every location that was looked at for it.
        stock: what was available, by location and SKU.
        carried_out: whether the attempt lets its routes go out.
        currency: of the order.
    """
    seen = {fate.location: _wanted(part, stock.get(fate.location, {})) for fate in fates}
    return PartTold(
        delivery_group=part.delivery_group,
        kind=part.kind,
        outcome=part.answer.outcome,
        demand=part.demand,
        sends=dict(_sent(part.plan)) if carried_out else {},
        short={short.sku: short.quantity for short in part.answer.short},
        heading=_heading(part),
        verdict=_verdict(part, carried_out=carried_out),
        reasons=tuple(_reasons(part, seen, {fate.location for fate in fates if fate.eligible}, currency)),
        locations=tuple(_locations(part, fates, seen, currency)),
    )


def _wanted(part: RoutedPart, stock: Mapping[str, int]) -> dict[str, int]:
    return {sku: there for sku, there in stock.items() if sku in part.demand and there > 0}


def _sent(plan: Iterable[Assignment]) -> Counter[str]:
    sent: Counter[str] = Counter()
    for each in plan:
        sent[each.sku] += each.quantity
    return sent


def _heading(part: RoutedPart) -> str:
    way = {
        "digital": "delivered as data",
        "dropship": f"sent by supplier {part.place}" if part.place else "to be sent by a supplier",
        "pickup": f"picked up at {part.place}",
        "warehouse": "sent from stock",
    }
    return f"Delivery group {part.delivery_group}, {way[part.kind]}: {units(part.demand)}"


def _verdict(part: RoutedPart, *, carried_out: bool) -> str:
    if not part.plan:
        return _nothing(part)
    found = _from(part)
    if not carried_out:
        return f"Could go {found}, but nothing does: the order ships complete, and another part cannot."
    if part.whole:
        return f"Goes {found}."
    return f"Goes in part, {found}; {missing({it.sku: it.quantity for it in part.answer.short})} and will wait."


def _from(part: RoutedPart) -> str:
    if part.kind == "digital":
        return "out without stock or location"
    each = [
        f"{location} ({units(_sent(one for one in part.plan if one.location == location))})"
        for location in part.locations
    ]
    return f"from {listed(each)}"


def _nothing(part: RoutedPart) -> str:
    answer, limit = part.answer, part.max_splits
    match answer.outcome:
        case RoutingOutcome.NO_STOCK:
            return f"Nothing goes out: {missing({it.sku: it.quantity for it in answer.short})}."
        case RoutingOutcome.SPLIT_LIMIT:
            fewest = counted(answer.lower_bound or 0, "location")
            allowed = "fewer" if limit is None else f"{limit + 1} ({counted(limit, 'split')})"
            return f"Nothing goes out: it takes at least {fewest}, and the policy allows {allowed}."
        case RoutingOutcome.NO_ELIGIBLE_LOCATION if part.kind == "dropship":
            return "Nothing goes out: its supplier is closed, or has turned this order down."
        case RoutingOutcome.NO_ELIGIBLE_LOCATION:
            return "Nothing goes out: no location may send it."
        case _:
            return "Nothing goes out: the search was given up before a route was found or ruled out."


def _reasons(
    part: RoutedPart, stock: Mapping[str, Mapping[str, int]], eligible: set[str], currency: str
) -> Iterator[str]:
    if not part.stocked or part.answer.outcome is RoutingOutcome.NO_ELIGIBLE_LOCATION:
        return
    yield from _shortages(part, {location: stock[location] for location in eligible})
    if part.answer.short or part.answer.fewest_without_limits is not None:
        yield from _shared(part, stock)
    best, *others = part.answer.routes or (None,)
    if best is None:
        yield from _bounds(part)
        return
    yield from _fewest(part, best)
    if others:
        yield won_at(best, others[0], currency)
    elif part.answer.complete and part.place is None:
        yield f"{_others(len(best.locations))} can send {'it all' if part.whole else 'as much'}."
    if not part.answer.proven:
        yield f"The search was given up after {part.answer.nodes:,} steps: a better route may have been missed."


def _shortages(part: RoutedPart, stock: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Say of what is short how much there is, and why not all of it can be had."""
    for short in part.answer.short:
        wanted = part.demand[short.sku]
        there = sum(at.get(short.sku, 0) for at in stock.values())
        to_have = wanted - part.withheld.get(short.sku, 0)
        jointly, _ = together(short.sku, wanted, stock, part.limits)
        if there < wanted:
            yield f"{short.sku}: all locations that may send have {there:,} of {wanted:,}."
        if promised := max(0, min(there, wanted) - to_have):
            verb = "is" if promised == 1 else "are"
            yield f"{short.sku}: {promised:,} of {wanted:,} {verb} promised to other orders."
        if jointly < min(there, wanted):
            yield f"{short.sku}: {there:,} are shown, but no more than {jointly:,} of {wanted:,} can be sent together."
        if there >= wanted and short.quantity > wanted - min(to_have, jointly):
            allowed = counted((part.max_splits or 0) + 1, "location")
            yield f"{short.sku}: {there:,} are there, but {allowed} at most may send."


def _shared(part: RoutedPart, stock: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Say which locations share what a group of theirs can give, and how many would do if they did not."""
    fewest, told = part.answer.fewest_without_limits, {short.sku for short in part.answer.short}
    if fewest is not None:
        told = set(part.demand)
    for limit in part.limits:
        most = {sku: it for sku, it in limit.most.items() if sku in told and it < part.demand[sku]}
        shown = {sku: sum(stock[location].get(sku, 0) for location in limit.locations) for sku in most}
        if most:
            names = named(limit.locations)
            yield f"{names} show {units(shown)}, but group {limit.group} can give {units(most)} of that."
    if fewest is not None:
        yield f"If they could send all that they show, {counted(fewest, 'location')} would do."


def _fewest(part: RoutedPart, best: Route) -> Iterator[str]:
    size, bound = len(best.locations), part.answer.lower_bound or 1
    if size == 1 or not part.whole:
        return
    if bound == size:
        fewer = "No single location" if size == 2 else f"No {counted(size - 1, 'location')}"
        yield f"{fewer} can send it all: {size} are proven to be the fewest."
    elif size > bound and part.answer.fewest_possible == size:
        yield f"At least {counted(bound, 'location')} are needed; whether fewer than {size} would do is not settled."


def _others(size: int) -> str:
    return "No other location alone" if size == 1 else f"No other {counted(size, 'location')}"


def _bounds(part: RoutedPart) -> Iterator[str]:
    answer = part.answer
    if answer.fewest_possible is None or answer.lower_bound is None:
        return
    proven = answer.fewest_possible == answer.lower_bound
    sure = "which is proven to be the fewest" if proven else f"and at least {answer.lower_bound} are needed"
    yield f"{counted(answer.fewest_possible, 'location')} would do, {sure}."


def _locations(
    part: RoutedPart, fates: Sequence[Fate], stock: Mapping[str, Mapping[str, int]], currency: str
) -> list[LocationTold]:
    sends = {
        location: dict(_sent(each for each in part.plan if each.location == location)) for location in part.locations
    }
    ranks = _ranks([fate for fate in fates if fate.eligible])
    told = [
        LocationTold(
            location=fate.location,
            eligible=fate.eligible,
            removed_by=fate.removed_by,
            distance_km=fate.distance_km,
            stock=dict(stock[fate.location]),
            sends=sends.get(fate.location, {}),
            ranks=tuple(ranks.get(fate.location, ())),
            words=_fate(part, fate, sends.get(fate.location), stock[fate.location], currency),
        )
        for fate in fates
    ]

    def order(it: LocationTold) -> tuple[bool, bool, bool, float, str]:
        return not it.sends, not it.eligible, it.distance_km is None, it.distance_km or 0.0, it.location

    return sorted(told, key=order)


def _ranks(eligible: Sequence[Fate]) -> dict[str, list[Rank]]:
    found: dict[str, list[Rank]] = {fate.location: [] for fate in eligible}
    for index, charge in enumerate(eligible[0].charges if eligible else ()):
        costs = {fate.location: fate.charges[index].opening + fate.charges[index].per_unit for fate in eligible}
        for fate in eligible:
            rank = 1 + sum(cost < costs[fate.location] for cost in costs.values())
            its = fate.charges[index]
            found[fate.location].append(
                Rank(objective=charge.objective, rank=rank, opening=its.opening, per_unit=its.per_unit)
            )
    return found


def _fate(
    part: RoutedPart, fate: Fate, sends: Mapping[str, int] | None, stock: Mapping[str, int], currency: str
) -> str:
    if not fate.eligible:
        return f"may not send: {fate.why}"
    if sends:
        return f"sends {units(sends)}"
    if not part.answer.routes:
        return f"could send {units(_useful(part, stock))}"
    return _not_chosen(part, fate.location, stock, currency)


def _useful(part: RoutedPart, stock: Mapping[str, int]) -> dict[str, int]:
    return {sku: min(stock[sku], wanted) for sku, wanted in part.demand.items() if stock.get(sku, 0) > 0}


def _not_chosen(part: RoutedPart, location: str, stock: Mapping[str, int], currency: str) -> str:
    best, *others = part.answer.routes
    route = next((route for route in others if location in route.locations), None)
    if route is not None:
        beside = [name for name in route.locations if name != location]
        would = f"would do with {listed(beside)}" if beside else "would do alone"
        return f"{would}: {lost_at(route, best, currency)}"
    all_listed = part.answer.complete and len(part.answer.routes) < ALTERNATIVES
    if all_listed and len(best.locations) == 1:
        little = "has too little alone" if part.whole else "could send less"
        return f"{little}: {units(_useful(part, stock))}"
    if all_listed:
        much = "it all" if part.whole else "as much"
        return f"no {counted(len(best.locations), 'location')} with it can send {much}"
    if part.answer.complete:
        return "every route with it is worse than those that were compared"
    return "not every route with it was looked at"

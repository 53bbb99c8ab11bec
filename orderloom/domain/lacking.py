"""What all locations of a routing question have together, and what they share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from orderloom.domain.limits import Limit, Offer, most
from orderloom.domain.masks import mask
from orderloom.domain.routing import JointLimit, RoutingQuestion


class Lacking(NamedTuple):
    """What there is too little of."""

    quantities: dict[str, int]
    """By SKU; none is 0."""
    certain: bool
    """There is no more of any."""


def lacking(question: RoutingQuestion) -> Lacking:
    """Return by SKU what all locations of *question* together have too little of."""
    stock = {candidate.location: candidate.stock for candidate in question.locations}
    found: dict[str, int] = {}
    sure = True
    for sku, need in sorted(question.demand.items()):
        there, certain = together(sku, need, stock, question.limits)
        if there < need:
            found[sku] = need - there
            sure = sure and certain
    return Lacking(found, sure)


def together(
    sku: str, need: int, stock: Mapping[str, Mapping[str, int]], limits: Sequence[JointLimit]
) -> tuple[int, bool]:
    """Return how much of *need* all locations of *stock* (by location and SKU) can give, and whether it is certain."""
    if not any(sku in limit.most for limit in limits):
        return min(need, sum(max(0, there.get(sku, 0)) for there in stock.values())), True
    locations = list(stock)
    offers = [Offer(at, max(0, min(need, stock[location].get(sku, 0)))) for at, location in enumerate(locations)]
    (shared,) = limits_of(limits, locations, [sku])
    return most(need, offers, shared)


def limits_of(
    limits: Iterable[JointLimit], locations: Sequence[str], skus: Sequence[str]
) -> tuple[tuple[Limit, ...], ...]:
    """Return by SKU what the locations, by their places, give of it together."""
    places = {location: at for at, location in enumerate(locations)}
    sets = [(limit, mask(places[location] for location in limit.locations if location in places)) for limit in limits]
    return tuple(tuple(Limit(sources, it.most[sku]) for it, sources in sets if sku in it.most) for sku in skus)

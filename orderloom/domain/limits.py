"""
What sources give together when they share limits: of a good, some of them give no more than so much in all.

Limits that do not cross (of two, one holds the other, or they share no source) are met best by taking as much as can be
had of whoever comes first: that is the most, and the cheapest (the greedy algorithm on polymatroids; Edmonds 1970).
A source where limits cross is tried with every quantity.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orderloom.domain.masks import members

STEPS = 2_000
"""Quantities that are tried at crossings, for one good and one set of sources."""
WEIGHED = 5
"""Limits of which all sets are weighed for a bound."""


@dataclass(frozen=True)
class Limit:
    """What some sources give of a good together, at most."""

    sources: int
    most: int


class Offer(NamedTuple):
    """What a source has of a good, and what a unit of it costs."""

    source: int
    have: int
    price: int = 0


class Given(NamedTuple):
    """How much comes from whom."""

    quantities: dict[int, int]
    """By source; none is 0."""
    certain: bool
    """It is as much as can be had, for as little."""


def give(need: int, offers: Sequence[Offer], limits: Iterable[Limit]) -> Given:
    """
    Return who gives what: as much of *need* as can be had, for as little as that can be had for.

    Of several such answers it is that in which the first gives most, then the second, and so on.

    Args:
        need: how much is wanted.
        offers: the cheapest first.
        limits: what they share.
    """
    giving = _Giving(need, offers, limits)
    giving.go_on(0, need, 0)
    return Given({offers[at].source: quantity for at, quantity in giving.best if quantity}, giving.certain)


def most(need: int, offers: Iterable[Offer], limits: Iterable[Limit]) -> tuple[int, bool]:
    """Return how much of *need* can be had, and whether that is certain; what shares all limits counts as one."""
    offered, limits = list(offers), list(limits)
    alike: dict[int, int] = {}
    for offer in offered:
        shared = sum(1 << at for at, limit in enumerate(limits) if limit.sources >> offer.source & 1)
        alike[shared] = alike.get(shared, 0) + offer.have
    merged = [Offer(at, have) for at, have in enumerate(alike.values())]
    sources = [
        Limit(sum(1 << at for at, shared in enumerate(alike) if shared >> index & 1), limit.most)
        for index, limit in enumerate(limits)
    ]
    found = give(need, merged, sources)
    return sum(found.quantities.values()), found.certain


class _Giving:
    """One search for who gives what. ``best`` holds places in the list of offers, with quantities."""

    def __init__(self, need: int, offers: Sequence[Offer], limits: Iterable[Limit]) -> None:
        self._offers = offers
        self._limits = binding(offers, limits)
        self._room = [limit.most for limit in self._limits]
        self._of = [[at for at, limit in enumerate(self._limits) if limit.sources >> it.source & 1] for it in offers]
        self._crossed = [self._crosses(of) for of in self._of]
        self._taken: list[tuple[int, int]] = []
        self._steps = 0
        self._units, self._cost = -1, 0
        self.best: list[tuple[int, int]] = []
        self.certain = True
        # Only where limits cross is there something to try, and to bound.
        if any(self._crossed):
            self._covers = self._subsets()
            self._rest = self._suffixes()
            self._most = min(need, self._reach(0))
            self._least = self._price_of(self._most)

    def _crosses(self, of: Sequence[int]) -> bool:
        sources = [self._limits[at].sources for at in of]
        return any(one & ~other and other & ~one for one in sources for other in sources)

    def _subsets(self) -> list[list[int]]:
        """Return sets of limits, by place: all sets of the few that are tightest."""
        order = sorted(range(len(self._limits)), key=lambda at: (self._limits[at].most, at))[:WEIGHED]
        return [[at for bit, at in enumerate(order) if chosen >> bit & 1] for chosen in range(1 << len(order))]

    def _suffixes(self) -> list[list[int]]:
        """Return, by place, what those from there on have outside of each set of limits."""
        rest = [[0] * len(self._covers)]
        for offer, of in zip(reversed(self._offers), reversed(self._of), strict=True):
            under = [any(at in cover for at in of) for cover in self._covers]
            rest.append([have + (0 if inside else offer.have) for have, inside in zip(rest[-1], under, strict=True)])
        return rest[::-1]

    def _reach(self, at: int) -> int:
        """Return what those from *at* on can give at most: what some limits leave, and all that is outside of them."""
        rooms = (sum(self._room[index] for index in cover) for cover in self._covers)
        return min(room + have for room, have in zip(rooms, self._rest[at], strict=True))

    def _price_of(self, units: int) -> int:
        """Return what so many units cost when there is no limit."""
        cost = 0
        for offer in self._offers:
            taken = min(units, offer.have)
            cost, units = cost + taken * offer.price, units - taken
        return cost

    def go_on(self, at: int, left: int, cost: int) -> None:
        """Take as much as can be had of each from *at* on; where limits cross, also less."""
        depth = len(self._taken)
        while at < len(self._offers) and left:
            quantity = min(left, self._offers[at].have, *(self._room[index] for index in self._of[at]))
            if quantity and self._crossed[at]:
                self._try_each(at, left, cost, quantity)
                break
            self._take(at, quantity)
            left, cost, at = left - quantity, cost + quantity * self._offers[at].price, at + 1
        else:
            self._keep(cost)
        while len(self._taken) > depth:
            self._give_back()

    def _try_each(self, at: int, left: int, cost: int, most: int) -> None:
        for quantity in range(most, -1, -1):
            self._steps += 1
            if self._steps > STEPS:
                self.certain = False
                return
            self._take(at, quantity)
            now = cost + quantity * self._offers[at].price
            if self._promises(at + 1, left - quantity, now):
                self.go_on(at + 1, left - quantity, now)
            self._give_back()
            if (self._units, self._cost) == (self._most, self._least):
                return

    def _promises(self, at: int, left: int, cost: int) -> bool:
        """Return whether what is taken may become better than the best known."""
        more = min(left, self._reach(at))
        units = sum(quantity for _, quantity in self._taken) + more
        if units != self._units:
            return units > self._units
        return cost + (more * self._offers[at].price if more else 0) < self._cost

    def _keep(self, cost: int) -> None:
        units = sum(quantity for _, quantity in self._taken)
        if units > self._units or (units == self._units and cost < self._cost):
            self._units, self._cost, self.best = units, cost, list(self._taken)

    def _take(self, at: int, quantity: int) -> None:
        self._taken.append((at, quantity))
        for index in self._of[at]:
            self._room[index] -= quantity

    def _give_back(self) -> None:
        at, quantity = self._taken.pop()
        for index in self._of[at]:
            self._room[index] += quantity


def binding(offers: Sequence[Offer], limits: Iterable[Limit]) -> list[Limit]:
    """Return the limits that keep something back of *offers*, each over those that it holds of them; no set twice."""
    have = {offer.source: offer.have for offer in offers if offer.have}
    everyone = sum(1 << source for source in have)
    tightest: dict[int, int] = {}
    for limit in limits:
        sources = limit.sources & everyone
        if sum(have[source] for source in members(sources)) > limit.most:
            tightest[sources] = min(limit.most, tightest.get(sources, limit.most))
    return [Limit(sources, most) for sources, most in tightest.items()]


def disjoint(limits: Sequence[Limit]) -> list[int]:
    """Return places of limits that share no source, those over most sources first."""
    found: list[int] = []
    covered = 0
    for at in sorted(range(len(limits)), key=lambda at: (-limits[at].sources.bit_count(), limits[at].most, at)):
        if not limits[at].sources & covered:
            covered |= limits[at].sources
            found.append(at)
    return found

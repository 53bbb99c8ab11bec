"""What sets of sources give towards a demand when some of them share limits."""

from collections.abc import Sequence

from orderloom.domain.limits import Limit, Offer, binding, disjoint, give, most
from orderloom.domain.masks import members


class Shared:
    """The limits on a demand: what sets of sources give towards it together."""

    def __init__(self, demand: Sequence[int], rows: Sequence[Sequence[int]], limits: Sequence[Sequence[Limit]]) -> None:
        """Take the demand and, by source, what it can give alone; and *limits* by good, whether they bind or not."""
        self._demand = demand
        self._rows = rows
        self._limits: dict[int, list[Limit]] = {}
        self._apart: dict[int, list[Limit]] = {}
        for good, need in enumerate(demand):
            offers = [Offer(source, row[good]) for source, row in enumerate(rows)]
            binds = binding(offers, (each for each in limits[good] if each.most < need))
            if binds:
                self._limits[good] = binds
                self._apart[good] = [binds[at] for at in disjoint(binds)]
        self._known: dict[tuple[int, int], int] = {}
        self.certain = True
        """Nothing was given up so far."""

    @property
    def bind(self) -> bool:
        """Return whether any limit keeps something back."""
        return bool(self._limits)

    def limits(self, good: int) -> Sequence[Limit]:
        """Return the limits that keep something of *good* back."""
        return self._limits.get(good, ())

    def given(self, good: int, sources: int) -> int:
        """Return what *sources* give of a good that has limits."""
        if (good, sources) not in self._known:
            offers = [Offer(source, self._rows[source][good]) for source in members(sources)]
            self._known[good, sources], certain = most(self._demand[good], offers, self._limits[good])
            self.certain = self.certain and certain
        return self._known[good, sources]

    def gifts(self, good: int, offers: Sequence[Offer]) -> dict[int, int]:
        """Return by source what it gives of a good that has limits; the cheapest come first."""
        found = give(self._demand[good], offers, self._limits[good])
        self.certain = self.certain and found.certain
        return found.quantities

    def corrected(self, missing: Sequence[tuple[int, int]], sources: int) -> list[tuple[int, int]]:
        """Return what *sources* leave missing, when *missing* is what they would leave without limits."""
        plain = dict(missing)
        for good in self._limits:
            plain[good] = self._demand[good] - self.given(good, sources)
        return sorted((good, need) for good, need in plain.items() if need)

    def rooms(self, good: int, chosen: int) -> list[tuple[int, int]]:
        """Return sets of sources that share none, and what each can give at most beyond what the *chosen* give."""
        return [(each.sources, self._room(good, each, chosen)) for each in self._apart.get(good, ())]

    def _room(self, good: int, limit: Limit, chosen: int) -> int:
        return max(0, limit.most - self._sum(good, chosen & limit.sources))

    def unable(self, good: int, quantity: int, chosen: int) -> int:
        """
        Return sources that cannot bring *quantity* of *good* any more, once the *chosen* have given.

        What the chosen leave of a limit bounds what a source brings. Limits that share no source bound it one by one:
        what several sources bring together is then no more than what each brings, so one of them brings the average.
        """
        if good not in self._limits:
            return 0
        rooms = self.rooms(good, chosen)
        outside = chosen & ~sum(sources for sources, _ in rooms)
        apart = sum(limit.most for limit in self._apart[good]) - sum(room for _, room in rooms)
        if min(self._demand[good], apart + self._sum(good, outside)) != self.given(good, chosen):
            # Other limits keep more back: what is missing is not what those that share no source leave.
            return 0
        return sum(sources for sources, room in rooms if room < quantity)

    def _sum(self, good: int, sources: int) -> int:
        return sum(self._rows[source][good] for source in members(sources))

    def gains(self, good: int) -> list[int]:
        """Return what one source after the other brings of *good* at most, those that have most of it first."""
        outside = (1 << len(self._rows)) - 1
        gains: list[int] = []
        for limit in self._apart.get(good, ()):
            outside &= ~limit.sources
            left = limit.most
            for have in sorted((self._rows[source][good] for source in members(limit.sources)), reverse=True):
                gains.append(min(have, left))
                left -= gains[-1]
        gains.extend(self._rows[source][good] for source in members(outside))
        return gains

    def freer(self, source: int) -> int:
        """Return the sources under a limit, on a good that *source* has, that *source* is not under."""
        found = 0
        for good, limits in self._limits.items():
            for limit in limits:
                if self._rows[source][good] and not limit.sources >> source & 1:
                    found |= limit.sources
        return found

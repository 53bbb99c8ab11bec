"""
What covers a demand: sources, how much each has of each good, and the tests that a search asks all the time.

Sets of sources are bit masks. What is missing is a list of (good, quantity), without what is
covered: it gets shorter as a search goes down.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from orderloom.domain.joint import Shared
from orderloom.domain.limits import Limit
from orderloom.domain.masks import mask, members

type Missing = list[tuple[int, int]]
"""Goods and how much of each is still missing; only what is."""


type Spend = Callable[[], None]
"""What a search calls at each node; raises ``GaveUp``."""


class GaveUp(Exception):
    """A search has used up what it was given."""


class Budget:
    """What all searches for one answer may take together: so many nodes, and so many seconds by a clock of others."""

    LOOKS = 16
    """Nodes between two looks at the clock."""

    def __init__(self, max_nodes: int, seconds: float, elapsed: Callable[[], float]) -> None:
        """Take how much may be used, and what tells the seconds used so far."""
        self._max_nodes = max_nodes
        self._seconds = seconds
        self.elapsed = elapsed
        """Tells the seconds used."""
        self.nodes = 0
        """Used so far."""

    def until(self, share: float, further: int | None = None) -> Spend:
        """
        Return what a search calls at each node; it raises ``GaveUp`` once this *share* of the whole is used.

        Args:
            share: of nodes and of seconds.
            further: nodes from now on, when that is less.
        """
        nodes, seconds = int(self._max_nodes * share), self._seconds * share
        if further is not None:
            nodes = min(nodes, self.nodes + further)

        def spend() -> None:
            self.nodes += 1
            if self.nodes > nodes or (self.nodes % self.LOOKS == 0 and self.elapsed() > seconds):
                raise GaveUp

        return spend


class Supplies:
    """A demand and what each source can give towards it."""

    def __init__(
        self, demand: Sequence[int], supply: Sequence[Sequence[int]], limits: Sequence[Sequence[Limit]] = ()
    ) -> None:
        """Take the demand by good, by source what it has of each good, and by good what sources give together."""
        self.demand = list(demand)
        self.stock = _alone(supply, limits) if any(limits) else supply
        """By source and good, useful or not: what it can give alone."""
        self.rows = [[max(0, min(have, need)) for have, need in zip(row, demand, strict=True)] for row in self.stock]
        """By source and good, at most the demand."""
        shared = Shared(self.demand, self.rows, limits) if any(limits) else None
        self.shared = shared if shared is not None and shared.bind else None
        """What limits keep back of several sources together; None: nothing."""
        self.count = len(self.rows)
        self.everything: Missing = [(good, need) for good, need in enumerate(self.demand) if need]
        self.useful = sum(1 << source for source, row in enumerate(self.rows) if any(row))
        self._levels: list[list[int]] = []
        self._masks: list[list[int]] = []
        for good in range(len(self.demand)):
            holders: dict[int, int] = {}
            for source, row in enumerate(self.rows):
                if row[good]:
                    holders[row[good]] = holders.get(row[good], 0) | 1 << source
            levels, masks, above = sorted(holders), [0], 0
            for level in reversed(levels):
                above |= holders[level]
                masks.append(above)
            self._levels.append(levels)
            self._masks.append(masks[::-1])

    @property
    def certain(self) -> bool:
        """Return whether what sources give together was always found exactly."""
        return self.shared is None or self.shared.certain

    def split(self, prices: Sequence[int]) -> "Supplies":
        """
        Return what must be met so that every good comes from the cheapest sources, by *prices* of a unit.

        Each good becomes as many as there are prices up to that of its last unit: at each all sources with that price
        must give all they have, and at the last price what is left.
        """
        demand: list[int] = []
        columns: list[list[int]] = []
        for good, need in self.everything:
            missing = need
            for price in sorted(set(prices)):
                column = [row[good] if each == price else 0 for row, each in zip(self.rows, prices, strict=True)]
                if missing and (there := sum(column)):
                    demand.append(min(there, missing))
                    columns.append(column)
                    missing -= demand[-1]
        return Supplies(demand, [list(row) for row in zip(*columns, strict=True)])

    def at_least(self, good: int, quantity: int) -> int:
        """Return the sources that have *quantity* of *good*, or more."""
        return self._masks[good][bisect_left(self._levels[good], quantity)]

    def after(self, missing: Missing, chosen: Sequence[int], source: int) -> Missing:
        """Return what is missing once *source* gives, too; *missing* is what the *chosen* leave."""
        if self.shared is not None:
            return self.missing([*chosen, source])
        row = self.rows[source]
        return [(good, need - row[good]) for good, need in missing if need > row[good]]

    def missing(self, sources: Sequence[int]) -> Missing:
        """Return what *sources* together leave missing."""
        missing = self.everything
        for source in sources:
            row = self.rows[source]
            missing = [(good, need - row[good]) for good, need in missing if need > row[good]]
        return missing if self.shared is None else self.shared.corrected(missing, mask(sources))

    def finishing(self, missing: Missing, sources: int, chosen: Sequence[int]) -> int:
        """
        Return those of *sources* that have all that is *missing* once the *chosen* have given.

        Where limits are shared, some of them may still not do; one that is left out never does.
        """
        bringing = self._bringing(chosen)
        for good, need in missing:
            sources &= bringing(good, need)
            if not sources:
                break
        return sources

    def branches(self, missing: Missing, sources: int, left: int, chosen: Sequence[int]) -> int:
        """
        Return a set of *sources* of which every cover with *left* more than the *chosen* holds one; none: no cover.

        One of the sources to come brings at least the average of every good: the good with the fewest such decides.
        """
        best, fewest = 0, self.count + 1
        bringing = self._bringing(chosen)
        for good, need in missing:
            able = sources & bringing(good, -(-need // left))
            count = able.bit_count()
            if count < fewest:
                if not count:
                    return 0
                best, fewest = able, count
        return best

    def _bringing(self, chosen: Sequence[int]) -> Callable[[int, int], int]:
        """Return what tells the sources that may bring so much of a good once the *chosen* have given."""
        shared = self.shared
        if shared is None:
            return self.at_least
        given = mask(chosen)
        return lambda good, quantity: self.at_least(good, quantity) & ~shared.unable(good, quantity, given)

    def fewest(self) -> int:
        """Return how many sources any one good takes at least."""
        bound = 1
        for good, need in self.everything:
            count, so_far = 0, 0
            gains = (row[good] for row in self.rows) if self.shared is None else self.shared.gains(good)
            for have in sorted(gains, reverse=True):
                if so_far >= need:
                    break
                so_far += have
                count += 1
            bound = max(bound, count)
        return bound

    def greedy(self) -> list[int]:
        """Return a cover that no source can be left out of: always what helps most, then what turned out needless."""
        missing, chosen, left = self.everything, list[int](), set(range(self.count))
        while missing and left:
            brings = self._brings(missing, chosen)
            source = max(left, key=lambda each: (brings(each), -each))
            left.remove(source)
            missing = self.after(missing, chosen, source)
            chosen.append(source)
        for source in list(chosen):
            others = [each for each in chosen if each != source]
            if not self.missing(others):
                chosen = others
        return sorted(chosen)

    def _brings(self, missing: Missing, chosen: Sequence[int]) -> Callable[[int], float]:
        """Return what tells how much of all that is missing a source brings."""
        if self.shared is None:
            return lambda source: self._share(source, missing)
        rooms = [self.shared.rooms(good, mask(chosen)) for good, _ in missing]

        def brings(source: int) -> float:
            reached = [
                (good, min([need, *(room for sources, room in limited if sources >> source & 1)]))
                for (good, need), limited in zip(missing, rooms, strict=True)
            ]
            return self._share(source, reached)

        return brings

    def _share(self, source: int, missing: Missing) -> float:
        row = self.rows[source]
        return sum(min(row[good], need) / self.demand[good] for good, need in missing)

    def dominated(self, better: Callable[[int, int], bool]) -> list[int]:
        """
        Return, by source, those that it can replace: they have no more of anything, have its limits, and it is better.

        Some best cover holds a source only together with all that could replace it, so a search for *one* cover need
        not try them once the better source is left out. *better* is a strict order.
        """
        weaker = [0] * self.count
        for source, row in enumerate(self.rows):
            stronger = (1 << self.count) - 1
            for good, have in enumerate(row):
                if have:
                    stronger &= self.at_least(good, have)
            if self.shared is not None:
                stronger &= ~self.shared.freer(source)
            stronger &= ~(1 << source)
            while stronger:
                bit = stronger & -stronger
                stronger ^= bit
                other = bit.bit_length() - 1
                if better(other, source):
                    weaker[other] |= 1 << source
        return weaker


def _alone(supply: Sequence[Sequence[int]], limits: Sequence[Sequence[Limit]]) -> list[list[int]]:
    """Return by source and good what it has and its limits leave to it alone."""
    rows = [list(row) for row in supply]
    for good, of_good in enumerate(limits):
        for limit in of_good:
            for source in members(limit.sources):
                rows[source][good] = min(rows[source][good], limit.most)
    return rows

"""
What covers a demand: sources, how much each has of each good, and the tests that a search asks all the time.

Sets of sources are bit masks: bit *i* is source *i*. What is missing is a list of (good, quantity), without what is
covered: it gets shorter as a search goes down.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

type Missing = list[tuple[int, int]]
"""Goods and how much of each is still missing; only what is."""


def members(sources: int) -> Iterator[int]:
    """Yield the members of a set of sources, ascending."""
    while sources:
        bit = sources & -sources
        sources ^= bit
        yield bit.bit_length() - 1


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

    def __init__(self, demand: Sequence[int], supply: Sequence[Sequence[int]]) -> None:
        """Take the demand by good, and by source what it has of each good."""
        self.demand = list(demand)
        self.stock = supply
        """By source and good, useful or not."""
        self.rows = [[max(0, min(have, need)) for have, need in zip(row, demand, strict=True)] for row in supply]
        """By source and good, at most the demand."""
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

    def ordered(self, order: Sequence[int]) -> "Supplies":
        """Return the same with source ``order[i]`` as source *i*."""
        return Supplies(self.demand, [self.rows[source] for source in order])

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

    def without(self, missing: Missing, source: int) -> Missing:
        """Return what is missing once *source* gives all that it has."""
        row = self.rows[source]
        return [(good, need - row[good]) for good, need in missing if need > row[good]]

    def missing(self, sources: Sequence[int]) -> Missing:
        """Return what *sources* together leave missing."""
        missing = self.everything
        for source in sources:
            missing = self.without(missing, source)
        return missing

    def finishing(self, missing: Missing, sources: int) -> int:
        """Return those of *sources* that have all that is missing."""
        for good, need in missing:
            sources &= self.at_least(good, need)
            if not sources:
                break
        return sources

    def branches(self, missing: Missing, sources: int, left: int) -> int:
        """
        Return a set of *sources* of which every cover with *left* more holds one; none when there is no such cover.

        One of the sources to come has at least the average of every good: the good with the fewest such decides.
        """
        best, fewest = 0, self.count + 1
        for good, need in missing:
            able = sources & self.at_least(good, -(-need // left))
            count = able.bit_count()
            if count < fewest:
                if not count:
                    return 0
                best, fewest = able, count
        return best

    def fewest(self) -> int:
        """Return how many sources any one good takes at least."""
        bound = 1
        for good, need in self.everything:
            count, so_far = 0, 0
            for have in sorted((row[good] for row in self.rows), reverse=True):
                if so_far >= need:
                    break
                so_far += have
                count += 1
            bound = max(bound, count)
        return bound

    def greedy(self) -> list[int]:
        """Return a cover that no source can be left out of: always what helps most, then what turned out needless."""
        missing, chosen, left = self.everything, list[int](), set(range(self.count))
        while missing:
            source = max(left, key=lambda each: (self._help(each, missing), -each))
            left.remove(source)
            chosen.append(source)
            missing = self.without(missing, source)
        for source in list(chosen):
            others = [each for each in chosen if each != source]
            if not self.missing(others):
                chosen = others
        return sorted(chosen)

    def _help(self, source: int, missing: Missing) -> float:
        row = self.rows[source]
        return sum(min(row[good], need) / self.demand[good] for good, need in missing)

    def dominated(self, better: Callable[[int, int], bool]) -> list[int]:
        """
        Return, by source, those that it can replace: they have no more of anything, and it is *better* than they are.

        Some best cover holds a source only together with all that could replace it, so a search for *one* cover need
        not try them once the better source is left out. *better* is a strict order.
        """
        weaker = [0] * self.count
        for source, row in enumerate(self.rows):
            stronger = (1 << self.count) - 1
            for good, have in enumerate(row):
                if have:
                    stronger &= self.at_least(good, have)
            stronger ^= 1 << source
            while stronger:
                bit = stronger & -stronger
                stronger ^= bit
                other = bit.bit_length() - 1
                if better(other, source):
                    weaker[other] |= 1 << source
        return weaker

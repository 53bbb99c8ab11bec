"""
Smallest covers: the fewest sources whose supplies together meet a demand of several goods. Exact, by branch and bound.

Sets of sources are bit masks: bit *i* is source *i*. For every good the sources are sorted by supply once, so that
"all sources with at least this much" is one lookup.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


class _GaveUp(Exception):
    """The search has used up its nodes."""


@dataclass(frozen=True)
class Covers:
    """What a search found."""

    covers: list[list[int]]
    """Sets of sources within the limit, each sorted; all of the same, smallest known size."""
    fewest: int
    """The smallest size known to do."""
    lower_bound: int
    """No cover is smaller. Equal to ``fewest`` when that is proven."""
    complete: bool
    """There is no other cover of that size."""
    nodes: int


class Covering:
    """One demand and its sources. All of them together must cover it."""

    def __init__(self, demand: Sequence[int], supply: Sequence[Sequence[int]], max_nodes: int) -> None:
        """Take the demand by good and each source's supply by good; *max_nodes* bounds the search."""
        self._demand = list(demand)
        useful = [[max(0, min(s, d)) for s, d in zip(row, demand, strict=True)] for row in supply]
        helps = [sum(have / need for have, need in zip(row, demand, strict=True)) for row in useful]
        self._order = sorted(range(len(useful)), key=lambda source: -helps[source])
        self._supply = [useful[source] for source in self._order]
        self._max_nodes = max_nodes
        self._nodes = 0
        self._covers: list[list[int]] = []
        self._wanted = 1
        self._levels, self._at_least = self._index()
        self._weaker = self._dominated()
        self._skip = self._weaker

    def _index(self) -> tuple[list[list[int]], list[list[int]]]:
        """Return, for every good, the distinct supplies ascending, and the sources that have at least each."""
        levels: list[list[int]] = []
        masks: list[list[int]] = []
        for good in range(len(self._demand)):
            of_good = sorted({row[good] for row in self._supply if row[good] > 0})
            level_masks = [
                sum(1 << source for source, row in enumerate(self._supply) if row[good] >= level) for level in of_good
            ]
            levels.append(of_good)
            masks.append([*level_masks, 0])
        return levels, masks

    def smallest(self, limit: int, wanted: int) -> Covers:
        """
        Return the smallest covers.

        Args:
            limit: larger covers are not returned, only counted.
            wanted: no more covers than this are collected.
        """
        greedy = self._greedy()
        size = self._lower_bound()
        try:
            while size < len(greedy) and not self._collect(self._weaker, size, 1):
                size += 1
        except _GaveUp:
            covers = [greedy] if len(greedy) <= limit else []
            return Covers(self._given(covers), len(greedy), size, complete=False, nodes=self._nodes)
        if size > limit:
            return Covers([], size, size, complete=True, nodes=self._nodes)
        known = self._covers or [greedy]
        try:
            complete = self._collect([0] * len(self._supply), size, wanted) < wanted
        except _GaveUp:
            complete = False
        return Covers(self._given(self._covers or known), size, size, complete=complete, nodes=self._nodes)

    def _given(self, covers: list[list[int]]) -> list[list[int]]:
        """Return *covers* in the numbers under which the sources were given."""
        return sorted(sorted(self._order[source] for source in cover) for cover in covers)

    def _collect(self, skip: list[int], size: int, wanted: int) -> int:
        """
        Collect up to *wanted* covers of *size* and return how many there are.

        Args:
            skip: by source, those that need not be tried in a cover without it.
        """
        self._covers, self._wanted, self._skip = [], wanted, skip
        useful = sum(1 << source for source, row in enumerate(self._supply) if any(row))
        self._search(self._demand, useful, size, [])
        return len(self._covers)

    def _search(self, missing: list[int], sources: int, left: int, chosen: list[int]) -> None:
        """
        Collect every set of *left* of the *sources* that, with those *chosen*, covers what is *missing*.

        One of the sources to come must hold at least the average of every good; the good with the fewest such
        sources decides the branches. Each branch excludes the sources of those before it, so no set comes twice.
        """
        self._nodes += 1
        if self._nodes > self._max_nodes:
            raise _GaveUp
        if left == 1:
            self._finish(missing, sources, chosen)
            return
        branches = self._branches(missing, sources, left)
        while branches and len(self._covers) < self._wanted:
            bit = branches & -branches
            source = bit.bit_length() - 1
            sources ^= bit
            row = self._supply[source]
            rest = [need - have if need > have else 0 for need, have in zip(missing, row, strict=True)]
            self._search(rest, sources, left - 1, [*chosen, source])
            sources &= ~self._skip[source]
            branches &= sources

    def _branches(self, missing: list[int], sources: int, left: int) -> int:
        best, fewest = 0, sources.bit_count() + 1
        for good, need in enumerate(missing):
            if need:
                share = -(-need // left)
                able = sources & self._at_least[good][bisect_left(self._levels[good], share)]
                count = able.bit_count()
                if count < fewest:
                    if not count:
                        return 0
                    best, fewest = able, count
        return best

    def _finish(self, missing: list[int], sources: int, chosen: list[int]) -> None:
        for good, need in enumerate(missing):
            if need:
                sources &= self._at_least[good][bisect_left(self._levels[good], need)]
        while sources and len(self._covers) < self._wanted:
            bit = sources & -sources
            sources ^= bit
            self._covers.append(sorted([*chosen, bit.bit_length() - 1]))

    def _greedy(self) -> list[int]:
        """Return a cover that no source can be left out of: always what helps most, then what turned out needless."""
        missing = list(self._demand)
        chosen: list[int] = []
        while any(missing):
            left = [source for source in range(len(self._supply)) if source not in chosen]
            source = max(left, key=lambda each: (self._help(each, missing), -each))
            chosen.append(source)
            missing = [max(0, need - have) for need, have in zip(missing, self._supply[source], strict=True)]
        for source in list(chosen):
            others = [each for each in chosen if each != source]
            if self._cover(others):
                chosen = others
        return sorted(chosen)

    def _help(self, source: int, missing: list[int]) -> float:
        goods = zip(self._supply[source], missing, self._demand, strict=True)
        return sum(min(have, need) / whole for have, need, whole in goods)

    def _cover(self, sources: list[int]) -> bool:
        return all(
            sum(self._supply[source][good] for source in sources) >= need for good, need in enumerate(self._demand)
        )

    def _dominated(self) -> list[int]:
        """
        Return, by source, those that it can replace because they have no more of anything; of equals the later ones.

        Some smallest cover holds a source only together with all that could replace it, so a search for *one* cover
        need not try them once the better source is left out.
        """
        weaker = [0] * len(self._supply)
        for source, row in enumerate(self._supply):
            better = (1 << len(self._supply)) - 1
            for good, have in enumerate(row):
                if have:
                    better &= self._at_least[good][bisect_left(self._levels[good], have)]
            for other, stronger in enumerate(self._supply):
                if better >> other & 1 and other != source and (stronger != row or other < source):
                    weaker[other] |= 1 << source
        return weaker

    def _lower_bound(self) -> int:
        """Return how many sources any one good takes at least."""
        bound = 1
        for good, need in enumerate(self._demand):
            count, sum_so_far = 0, 0
            for supply in sorted((row[good] for row in self._supply), reverse=True):
                if sum_so_far >= need:
                    break
                sum_so_far += supply
                count += 1
            bound = max(bound, count)
        return bound

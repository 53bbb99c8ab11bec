"""
The best choices of sources, exactly: depth first, with bounds that leave out what cannot be among them.

A node has chosen some sources and excluded others. Its branches are the sources of which one must still come; each
branch excludes those before it, so no choice comes twice.
"""

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orderloom.domain.bounds import Bound
from orderloom.domain.costs import Choice, Costs
from orderloom.domain.covering import GaveUp, Missing, Supplies


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which choices are looked for."""

    fewest: int
    """Sources, at least; it is known that fewer cannot do."""
    most: int
    keep: int = 1
    """How many of the best."""
    partly: bool = False
    """The demand need not be met."""


class Choosing:
    """One search. ``found`` holds the best so far, best first."""

    def __init__(
        self,
        supplies: Supplies,
        costs: Costs,
        wanted: Wanted,
        spend: Callable[[], None],
        *,
        guard: Bound,
        goals: Sequence[Bound] = (),
        weaker: Sequence[int] | None = None,
    ) -> None:
        """
        Take what is looked for and what shortens the search.

        Args:
            supplies: the demand, and what there is.
            costs: what makes a choice better.
            wanted: which choices.
            spend: called at every node; raises ``GaveUp`` when enough is used.
            guard: no choice that covers is above 0.
            goals: bounds on the values of a choice, in their order; none when any choice will do.
            weaker: by source, those that need not be tried in a choice without it.
        """
        self._supplies = supplies
        self._costs = costs
        self._wanted = wanted
        self._spend = spend
        self._guard = guard
        self._goals = goals
        self._weaker = weaker or [0] * supplies.count
        self._rank = {source: rank for rank, source in enumerate((goals[0] if goals else guard).order)}
        self.found: list[Choice] = []

    def offer(self, sources: Sequence[int]) -> None:
        """Keep *sources*, which cover, if they are among the best so far and each of them is needed."""
        if self._full() and not self._wanted.partly and self._costs.least(sources) >= self.found[-1].key:
            return
        choice = self._costs.choice(sources)
        if choice is None or (self._full() and choice.key >= self.found[-1].key) or choice in self.found:
            return
        insort(self.found, choice, key=lambda each: each.key)
        del self.found[self._wanted.keep :]

    def improve(self) -> None:
        """Offer what comes of the best choice by one source for another, as long as that makes it better."""
        best = None
        while self.found and self.found[0] is not best:
            best = self.found[0]
            others = self._supplies.useful & ~sum(1 << source for source in best.sources)
            for leaving in best.sources:
                staying = [source for source in best.sources if source != leaving]
                for source in _members(self._supplies.finishing(self._supplies.missing(staying), others)):
                    self.offer([*staying, source])

    def run(self) -> bool:
        """Search; return whether ``found`` is certain to hold the best, and all that are to be kept."""
        spent = (self._guard.base, *(goal.base for goal in self._goals))
        try:
            self._descend(self._supplies.everything, self._supplies.useful, [], spent)
        except GaveUp:
            return False
        return True

    def _full(self) -> bool:
        return len(self.found) >= self._wanted.keep

    def _descend(self, missing: Missing, sources: int, chosen: list[int], spent: tuple[int, ...]) -> None:
        self._spend()
        partly = self._wanted.partly
        if len(chosen) >= self._wanted.fewest and (partly or not missing):
            self.offer(chosen)
        left = self._wanted.most - len(chosen)
        if not left:
            return
        sources = self._promising(sources, spent, len(chosen))
        if not sources:
            return
        if partly or not missing:
            branches = sources
        elif left == 1:
            for source in _members(self._supplies.finishing(missing, sources)):
                self.offer([*chosen, source])
            return
        else:
            branches = self._supplies.branches(missing, sources, left)
        for source in sorted(_members(branches), key=self._rank.__getitem__):
            if not branches >> source & 1:
                continue
            sources ^= 1 << source
            added = (self._guard.reduced[source], *(goal.reduced[source] for goal in self._goals))
            self._descend(
                self._supplies.without(missing, source),
                sources,
                [*chosen, source],
                tuple(map(int.__add__, spent, added)),
            )
            sources &= ~self._weaker[source]
            branches &= sources

    def _promising(self, sources: int, spent: tuple[int, ...], chosen: int) -> int:
        """Return those of *sources* with which a choice may still cover and be better than the worst that is kept."""
        at_least, at_most = max(1, self._wanted.fewest - chosen), self._wanted.most - chosen
        if not self._wanted.partly:
            sources = _affordable(self._guard, sources, -spent[0], at_least, at_most)
        if not sources or not self._full():
            return sources
        for goal, so_far, worst in zip(self._goals, spent[1:], self.found[-1].values, strict=False):
            floor = -(-(so_far + goal.least(sources, at_least, at_most)) // goal.scale)
            if floor > worst:
                return 0
            sources = _affordable(goal, sources, worst * goal.scale - so_far, at_least, at_most)
            if floor < worst:
                return sources
        return 0


def _affordable(bound: Bound, sources: int, limit: int, at_least: int, at_most: int) -> int:
    """Return those of *sources* that leave the sum of reduced costs at *limit* or below; none when no sum does."""
    sources &= bound.within(limit - bound.least(sources, at_least - 1, at_most - 1))
    return sources if sources.bit_count() >= at_least else 0


def _members(sources: int) -> Iterator[int]:
    while sources:
        bit = sources & -sources
        sources ^= bit
        yield bit.bit_length() - 1

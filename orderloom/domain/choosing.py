"""
The best choices of sources, exactly: depth first, with bounds that leave out what cannot be among them.

A node has chosen some sources and excluded others. Its branches are the sources of which one must still come; each
branch excludes those before it, so no choice comes twice. Bounds are dearer than nodes: good ones are made only once a
search turns out long, and made anew for what is left at a node only once it turns out to have many below it.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from orderloom.domain.bounds import Bound, Costing
from orderloom.domain.costs import Choice, Costs
from orderloom.domain.covering import GaveUp, Missing, Spend, Supplies
from orderloom.domain.masks import members

LONG = 400
"""Nodes after which a search begins again with better bounds."""
MANY = 400
"""Nodes below a node, after which its bounds are made anew; and again after three times as many."""
THOROUGH, ANEW = 40, 4
"""Steps that prices climb for these."""


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


class Turned(Exception):
    """A search has turned out long."""


@dataclass
class Guide:
    """A bound on one value of choices; it gets better when that is needed."""

    bound: Bound
    costing: Costing | None = None
    """None when a better bound is not worth while."""

    def sharpen(self, target: int) -> None:
        """Let the prices climb further, once."""
        if self.costing is not None and not self._sharp:
            self.bound = self.costing.tuned(target, THOROUGH, self.bound)
            self._sharp = True

    _sharp: bool = False


@dataclass
class Node:
    """Where a search is."""

    chosen: list[int]
    missing: Missing
    """Once the chosen have given all that they have."""
    sources: int
    """Of which more may be chosen."""
    bounds: list[Bound]
    spent: list[int]
    """By bound, what is certain: its base, and the reduced costs of sources chosen since it was made."""


class Choosing:
    """One search. ``found`` holds the best so far, best first."""

    def __init__(
        self,
        supplies: Supplies,
        costs: Costs,
        wanted: Wanted,
        spend: Spend,
        guides: Sequence[Guide],
        *,
        weaker: Sequence[int] | None = None,
    ) -> None:
        """
        Take what is looked for and what shortens the search.

        Args:
            supplies: the demand, and what there is.
            costs: what makes a choice better.
            wanted: which choices.
            spend: called at every node; raises ``GaveUp`` when enough is used.
            guides: to the number of sources, and then to the values of a choice, in their order; none of these when
                any choice will do.
            weaker: by source, those that need not be tried in a choice without it.
        """
        self._supplies = supplies
        self._costs = costs
        self._wanted = wanted
        self._spend = spend
        self._guides = guides
        self._weaker = weaker or [0] * supplies.count
        self._rank: dict[int, int] = {}
        self._nodes = 0
        self._long = inf
        self.found: list[Choice] = []

    def offer(self, sources: Sequence[int]) -> None:
        """Keep *sources* if they cover, are among the best so far, and each of them is needed."""
        if self._full() and not self._wanted.partly and self._costs.key(sources) >= self.found[-1].key:
            return
        choice = self._costs.choice(sources)
        if choice is None or (self._full() and choice.key >= self.found[-1].key) or choice in self.found:
            return
        insort(self.found, choice, key=lambda each: each.key)
        del self.found[self._wanted.keep :]

    def _improve(self) -> None:
        """
        Offer what comes of the best choice by one source for another, as long as that makes it better.

        Raises:
            GaveUp: enough is used.
        """
        best = None
        while self.found and self.found[0] is not best:
            best = self.found[0]
            others = self._supplies.useful & ~sum(1 << source for source in best.sources)
            for leaving in best.sources:
                staying = [source for source in best.sources if source != leaving]
                for source in members(self._supplies.finishing(self._supplies.missing(staying), others, staying)):
                    self._spend()
                    self.offer([*staying, source])

    def run(self) -> bool:
        """Search; return whether ``found`` is certain to hold the best, and all that are to be kept."""
        try:
            self._improve()
            try:
                self._from_the_top(LONG)
            except Turned:
                for guide, target in zip(self._guides, self._targets(), strict=False):
                    guide.sharpen(target)
                self._from_the_top(inf)
        except GaveUp:
            return False
        return self._supplies.certain

    def _from_the_top(self, long: float) -> None:
        self._nodes, self._long = 0, long
        bounds = [guide.bound for guide in self._guides]
        leading = bounds[min(1, len(bounds) - 1)]
        self._rank = dict.fromkeys(range(self._supplies.count), self._supplies.count)
        self._rank |= {source: rank for rank, source in enumerate(leading.order)}
        spent = [bound.base for bound in bounds]
        self._descend(Node([], self._supplies.everything, self._supplies.useful, bounds, spent))

    def _targets(self) -> list[int]:
        """Return, by guide, what a choice must not be above to be of use, as far as that is known."""
        return [self._wanted.most, *(self.found[-1].values if self._full() else ())]

    def _full(self) -> bool:
        return len(self.found) >= self._wanted.keep

    def _descend(self, node: Node) -> None:
        self._spend()
        self._nodes += 1
        if self._nodes > self._long:
            raise Turned
        wanted, missing, size = self._wanted, node.missing, len(node.chosen)
        if size >= wanted.fewest and (wanted.partly or not missing):
            self.offer(node.chosen)
        if size == wanted.most:
            return
        node.sources = self._promising(node)
        if not node.sources:
            return
        if wanted.partly or not missing:
            self._branch(node, node.sources)
        elif size == wanted.most - 1:
            for source in members(self._supplies.finishing(missing, node.sources, node.chosen)):
                self.offer([*node.chosen, source])
        else:
            self._branch(node, self._supplies.branches(missing, node.sources, wanted.most - size, node.chosen))

    def _branch(self, node: Node, branches: int) -> None:
        """Go down each of the *branches*, which are excluded one after the other."""
        renewed = self._nodes + MANY
        for source in sorted(members(branches), key=self._rank.__getitem__):
            if not branches >> source & 1:
                continue
            if self._nodes > renewed:
                self._renew(node)
                node.sources = self._promising(node)
                renewed = self._nodes + 3 * MANY
                branches &= node.sources
                if not branches >> source & 1:
                    continue
            node.sources ^= 1 << source
            self._descend(
                Node(
                    [*node.chosen, source],
                    self._supplies.after(node.missing, node.chosen, source),
                    node.sources,
                    node.bounds,
                    [spent + bound.reduced[source] for spent, bound in zip(node.spent, node.bounds, strict=True)],
                )
            )
            node.sources &= ~self._weaker[source]
            branches &= node.sources

    def _renew(self, node: Node) -> None:
        """Make the bounds anew for what is left at *node*."""
        node.bounds, node.spent = list(node.bounds), list(node.spent)
        for index, (guide, target) in enumerate(zip(self._guides, self._targets(), strict=False)):
            if guide.costing is not None:
                costing = guide.costing.after(node.chosen, node.missing, node.sources)
                node.bounds[index] = bound = costing.tuned(target, ANEW, node.bounds[index])
                node.spent[index] = bound.base

    def _promising(self, node: Node) -> int:
        """Return the sources with which a choice may still cover and be better than the worst that is kept."""
        wanted, size, sources = self._wanted, len(node.chosen), node.sources
        at_least, at_most = max(1, wanted.fewest - size), wanted.most - size
        if not wanted.partly:
            bound = node.bounds[0]
            sources = _affordable(bound, sources, wanted.most * bound.scale - node.spent[0], at_least, at_most)
        if not sources or not self._full():
            return sources
        bounds, values = zip(node.bounds[1:], node.spent[1:], strict=True), self.found[-1].values
        for (bound, so_far), worst in zip(bounds, values, strict=False):
            floor = -(-(so_far + bound.least(sources, at_least, at_most)) // bound.scale)
            if floor > worst:
                return 0
            sources = _affordable(bound, sources, worst * bound.scale - so_far, at_least, at_most)
            if floor < worst:
                return sources
        return 0


def _affordable(bound: Bound, sources: int, limit: int, at_least: int, at_most: int) -> int:
    """Return those of *sources* that leave the sum of reduced costs at *limit* or below; none when no sum does."""
    sources &= bound.within(limit - bound.least(sources, at_least - 1, at_most - 1))
    return sources if sources.bit_count() >= at_least else 0

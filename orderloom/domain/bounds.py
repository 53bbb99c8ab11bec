"""
Bounds from prices: what a choice of sources costs at least, without knowing which.

Give every good a price. Whoever must buy the demand at these prices, and may sell what a source has at them, pays no
more than the true cost: prices relax "the demand is met" (Lagrangian relaxation; Geoffrion 1974). A source then counts
alone, with its *reduced* cost: what it costs less what it earns. All numbers are whole, in units of ``1 / SCALE``, so
that no bound is ever wrong by rounding.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import mul

SCALE = 1024
"""Units of a bound for each unit of cost."""
PATIENCE = 4
"""Steps without a better bound, after which they become half as long."""
SMALL = 1e-6


class Bound:
    """A bound on one cost of every choice of sources."""

    def __init__(self, base: int, reduced: Sequence[int], scale: int = SCALE) -> None:
        """Take what the demand costs at the prices, and by source its reduced cost."""
        self.base = base
        self.reduced = list(reduced)
        self.scale = scale
        self.order = sorted(range(len(self.reduced)), key=lambda source: (self.reduced[source], source))
        self._ranked = [self.reduced[source] for source in self.order]
        self._bits = [1 << source for source in self.order]
        self._cheapest = [0]
        for bit in self._bits:
            self._cheapest.append(self._cheapest[-1] | bit)

    def least(self, sources: int, at_least: int, at_most: int) -> int:
        """Return the smallest sum of reduced costs of so many of *sources*."""
        total = 0
        for bit, cost in zip(self._bits, self._ranked, strict=True):
            if at_most == 0 or (cost >= 0 and at_least <= 0):
                break
            if sources & bit:
                total += cost
                at_least -= 1
                at_most -= 1
        return total

    def floor(self, at_least: int, at_most: int) -> int:
        """Return the least cost of a choice of so many sources."""
        return -(-(self.base + self.least(self._cheapest[-1], at_least, at_most)) // self.scale)

    def within(self, limit: int) -> int:
        """Return the sources whose reduced cost is at most *limit*."""
        return self._cheapest[bisect_right(self._ranked, limit)]


@dataclass(frozen=True, kw_only=True)
class Costing:
    """A demand, who has it, and what they cost: that which a bound is about."""

    demand: Sequence[int]
    """By good."""
    rows: Sequence[Sequence[int]]
    """By source, what it has of each good; at most the demand."""
    opening: Sequence[int]
    """By source, what choosing it costs."""
    per_unit: Sequence[int]
    """By source, what each unit that it gives costs."""
    fewest: int
    """Sources that a choice has, at least."""
    most: int

    def bound(self, prices: Sequence[float]) -> Bound:
        """Return the bound of *prices*, by good; none is negative."""
        whole = [round(price * SCALE) for price in prices]
        base = sum(map(mul, whole, self.demand))
        reduced: list[int] = []
        for row, once, each in zip(self.rows, self.opening, self.per_unit, strict=True):
            unit = each * SCALE
            worth = [price - unit if price > unit else 0 for price in whole] if unit else whole
            reduced.append(once * SCALE - sum(map(mul, worth, row)))
        return Bound(base, reduced)

    def tuned(self, target: float, rounds: int) -> Bound:
        """
        Return a good bound: prices climb against what the best sources leave short (subgradient steps; Held and Karp).

        Args:
            target: the cost of a choice that is known, above which no bound can be.
            rounds: how many steps at most.
        """
        prices = self._marginal()
        best, floor = prices, self._floor(prices)[0]
        share = max(0.0, target - floor) / sum(self.demand)
        prices = [price + share for price in prices]
        step, stale = 1.5, 0
        for _ in range(rounds):
            value, lacking = self._floor(prices)
            if value > floor:
                best, floor, stale = prices, value, 0
            else:
                stale += 1
                if stale == PATIENCE:
                    prices, step, stale = best, step / 2, 0
            length = sum(map(mul, lacking, lacking))
            if not length or floor > target - SMALL:
                break
            along = step * max(target - value, SMALL) / length
            prices = [max(0.0, price + along * short) for price, short in zip(prices, lacking, strict=True)]
        return self.bound(best)

    def _marginal(self) -> list[float]:
        """Return by good what its last unit costs when the cheapest sources give first and choosing is free."""
        order = sorted(range(len(self.rows)), key=self.per_unit.__getitem__)
        found: list[float] = []
        for good, need in enumerate(self.demand):
            missing, last = need, 0
            for source in order:
                if missing <= 0:
                    break
                if have := self.rows[source][good]:
                    missing, last = missing - have, self.per_unit[source]
            found.append(float(last))
        return found

    def _floor(self, prices: Sequence[float]) -> tuple[float, list[float]]:
        """Return the bound of *prices*, and how much of each good the sources that it counts on leave short."""
        reduced: list[tuple[float, int]] = []
        for source, (row, once, each) in enumerate(zip(self.rows, self.opening, self.per_unit, strict=True)):
            worth = [price - each if price > each else 0.0 for price in prices] if each else prices
            reduced.append((once - sum(map(mul, worth, row)), source))
        reduced.sort()
        value = sum(map(mul, prices, self.demand))
        lacking = [float(need) for need in self.demand]
        for count, (cost, source) in enumerate(reduced):
            if count == self.most or (cost >= 0 and count >= self.fewest):
                break
            value += cost
            each, row = self.per_unit[source], self.rows[source]
            lacking = [
                short - have if price > each else short for short, have, price in zip(lacking, row, prices, strict=True)
            ]
        return value, lacking

"""
Bounds from prices: what a choice of sources costs at least, without knowing which.

Give every good a price. Whoever must buy the demand at these prices, and may sell what a source has at them, pays no
more than the true cost: prices relax "the demand is met" (Lagrangian relaxation; Geoffrion 1974). A source then counts
alone, with its *reduced* cost: what it costs less what it earns. All numbers are whole, in units of ``1 / SCALE``, so
that no bound is ever wrong by rounding.
"""

from bisect import bisect_right
from collections.abc import Sequence

SCALE = 1024
"""Units of a bound for each unit of cost."""


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

    def within(self, limit: int) -> int:
        """Return the sources whose reduced cost is at most *limit*."""
        return self._cheapest[bisect_right(self._ranked, limit)]


def priced(
    prices: Sequence[int],
    demand: Sequence[int],
    rows: Sequence[Sequence[int]],
    opening: Sequence[int],
    per_unit: Sequence[int],
) -> Bound:
    """
    Return the bound of *prices*, by good, in units of ``1 / SCALE``.

    Args:
        prices: none is negative.
        demand: by good.
        rows: by source, what it has of each good, at most the demand.
        opening: by source, what choosing it costs.
        per_unit: by source, what each unit that it gives costs.
    """
    base = sum(price * need for price, need in zip(prices, demand, strict=True))
    reduced: list[int] = []
    for row, once, each in zip(rows, opening, per_unit, strict=True):
        unit = each * SCALE
        earned = sum((price - unit) * have for price, have in zip(prices, row, strict=True) if price > unit)
        reduced.append(once * SCALE - earned)
    return Bound(base, reduced)

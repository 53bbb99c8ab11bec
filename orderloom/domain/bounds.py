"""
Bounds from prices: what a choice of sources costs at least, without knowing which.

Give every good a price. Whoever must buy the demand at these prices, and may sell what a source has at them, pays no
more than the true cost: prices relax "the demand is met" (Lagrangian relaxation; Geoffrion 1974). A source then counts
alone, with its *reduced* cost: what it costs less what it earns. All numbers of a bound are whole, in units of
``1 / SCALE``, so that none is ever wrong by rounding; prices are found in floating point, since any prices will do.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from operator import mul

from orderloom.domain.covering import Missing, Supplies
from orderloom.domain.masks import members

SCALE = 1024
"""Units of a bound for each unit of cost."""
EFFORT = 1_500_000
"""Prices times sources times steps: with more of the first two there are fewer steps."""
PATIENCE = 4
"""Steps without a better bound, after which they become half as long."""
SMALL = 1e-6


class Bound:
    """A bound on one cost of every choice among some sources."""

    def __init__(
        self,
        base: int,
        reduced: Sequence[int],
        sources: Iterable[int],
        *,
        scale: int = SCALE,
        prices: Mapping[int, float] | None = None,
    ) -> None:
        """Take what is certain, by source its reduced cost, and the prices; others than *sources* are not chosen."""
        self.prices = prices
        self.base = base
        self.reduced = reduced
        self.scale = scale
        self.order = sorted(sources, key=lambda source: (reduced[source], source))
        self._ranked = [reduced[source] for source in self.order]
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
    """What is still missing, who may give it, and what they cost."""

    supplies: Supplies
    opening: Sequence[int]
    """By source, what choosing it costs."""
    per_unit: Sequence[int]
    """By source, what each unit that it gives costs."""
    fewest: int
    """Sources still to choose, at least."""
    most: int
    chosen: tuple[int, ...] = ()
    missing: Missing
    """Once the chosen have given all that they have."""
    sources: int
    """Of which others may be chosen."""

    def after(self, chosen: Sequence[int], missing: Missing, sources: int) -> "Costing":
        """Return the same once *chosen* are chosen, and others than *sources* are excluded."""
        size = len(chosen) - len(self.chosen)
        return replace(
            self,
            chosen=tuple(chosen),
            missing=missing,
            sources=sources,
            fewest=max(0, self.fewest - size),
            most=self.most - size,
        )

    def tuned(self, target: int, rounds: int, start: Bound | None = None) -> Bound:
        """
        Return a bound whose prices have climbed so many *rounds*, or fewer where there is very much of everything.

        Args:
            target: the cost of a choice that is known; there is no need for a bound above it.
            rounds: how many steps, along what the best sources leave short (subgradients; Held and Karp 1971).
            start: a bound of the same cost with more sources and more that is missing, whose prices are near.
        """
        return Prices(self).climbed(target, rounds, start.prices if start else None)


class Prices:
    """A search for good prices. A position is a place in the list of sources that may be chosen."""

    def __init__(self, costing: Costing) -> None:
        """Take what is to be bounded."""
        supplies, self._costing = costing.supplies, costing
        self._by_unit = any(costing.per_unit)
        # With costs by unit the chosen may give less than they have: what they leave missing is not known.
        demand = supplies.everything if self._by_unit else costing.missing
        forced = list(costing.chosen) if self._by_unit else []
        self._goods = [good for good, _ in demand]
        self._demand = [need for _, need in demand]
        self._sources = [*forced, *members(costing.sources)]
        self._forced = len(forced)
        rows = (supplies.rows[source] for source in self._sources)
        self._rows = [[min(row[good], need) for good, need in demand] for row in rows]
        self._opening = [costing.opening[source] for source in self._sources]
        self._per_unit = [costing.per_unit[source] for source in self._sources]
        self._certain = 0 if self._by_unit else sum(costing.opening[source] for source in costing.chosen)

    def climbed(self, target: int, rounds: int, start: Mapping[int, float] | None) -> Bound:
        """Return the bound of the best prices met."""
        if start is None:
            best = self._marginal()
            floor, _ = self._value(best)
            share = max(0.0, target - floor) / max(1, sum(self._demand))
            prices = [price + share for price in best]
        else:
            best = prices = [start[good] for good in self._goods]
            floor = -inf
        step, stale = 1.5, 0
        for _ in range(min(rounds, EFFORT // max(1, len(self._rows) * len(self._goods)))):
            value, lacking = self._value(prices)
            if value > floor:
                best, floor, stale = prices, value, 0
            else:
                stale += 1
                if stale == PATIENCE:
                    prices, step, stale = best, step / 2, 0
                    continue
            length = sum(map(mul, lacking, lacking))
            if not length or floor > target:
                break
            along = step * max(target - value, SMALL) / length
            prices = [max(0.0, price + along * short) for price, short in zip(prices, lacking, strict=True)]
        return self._bound(best)

    def _marginal(self) -> list[float]:
        """Return by good what its last unit costs when the cheapest sources give first and choosing is free."""
        if not self._by_unit:
            return [0.0] * len(self._demand)
        order = sorted(range(len(self._rows)), key=self._per_unit.__getitem__)
        found: list[float] = []
        for good, need in enumerate(self._demand):
            missing, last = need, 0
            for position in order:
                if missing <= 0:
                    break
                if have := self._rows[position][good]:
                    missing, last = missing - have, self._per_unit[position]
            found.append(float(last))
        return found

    def _value(self, prices: Sequence[float]) -> tuple[float, list[float]]:
        """Return the bound of *prices*, and how much of each good the sources that it counts on leave short."""
        reduced: list[tuple[float, int]] = []
        for position, (row, once, each) in enumerate(zip(self._rows, self._opening, self._per_unit, strict=True)):
            worth = [price - each if price > each else 0.0 for price in prices] if each else prices
            reduced.append((once - sum(map(mul, worth, row)), position))
        free = sorted(reduced[self._forced :])
        fewest, most = self._costing.fewest, self._costing.most
        counted = reduced[: self._forced]
        counted += (pair for count, pair in enumerate(free[:most]) if pair[0] < 0 or count < fewest)
        value = self._certain + sum(map(mul, prices, self._demand)) + sum(cost for cost, _ in counted)
        lacking: list[float] = [*self._demand]
        for _, position in counted:
            each, row = self._per_unit[position], self._rows[position]
            if each:
                row = [have if price > each else 0 for have, price in zip(row, prices, strict=True)]
            lacking = [short - have for short, have in zip(lacking, row, strict=True)]
        return value, lacking

    def _bound(self, prices: Sequence[float]) -> Bound:
        whole = [round(price * SCALE) for price in prices]
        base = self._certain * SCALE + sum(map(mul, whole, self._demand))
        reduced = [0] * self._costing.supplies.count
        for position, source in enumerate(self._sources):
            unit = self._per_unit[position] * SCALE
            worth = [price - unit if price > unit else 0 for price in whole] if unit else whole
            reduced[source] = self._opening[position] * SCALE - sum(map(mul, worth, self._rows[position]))
        return Bound(
            base + sum(reduced[source] for source in self._sources[: self._forced]),
            reduced,
            self._sources[self._forced :],
            prices=dict(zip(self._goods, prices, strict=True)),
        )

"""
What a choice of sources costs, by several objectives of which an earlier one outweighs all that come after it.

The objectives are one whole number, the *key*: each is worth more than all later ones together can come to. Last in
it comes which sources they are, so that no two choices have the same key and every tie is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orderloom.domain.covering import Supplies
from orderloom.domain.limits import Offer


class Gift(NamedTuple):
    """A quantity of a good from a source."""

    good: int
    source: int
    quantity: int


@dataclass(frozen=True)
class Choice:
    """Sources, and what they cost."""

    key: int
    """The smaller, the better."""
    values: tuple[int, ...]
    """By objective; the first is the units that are short where that is one."""
    sources: tuple[int, ...]
    """Ascending."""


class Costs:
    """What sources cost: each when it is chosen, and for each unit that it gives."""

    def __init__(
        self,
        supplies: Supplies,
        opening: Sequence[Sequence[int]],
        per_unit: Sequence[Sequence[int]],
        nearness: Sequence[int],
        *,
        partly: bool = False,
    ) -> None:
        """
        Take the costs by objective and source; none is negative.

        Args:
            supplies: the demand, and what there is.
            opening: by objective and source.
            per_unit: by objective and source.
            nearness: by source, its rank when all else is equal.
            partly: the demand need not be met; the units that are short are an objective before all others.
        """
        self._supplies = supplies
        self._nearness = nearness
        self._partly = partly
        count, units = supplies.count, sum(supplies.demand)
        self._units = units
        # Of two sets of the same size, the first by its sorted numbers is the one with the larger sum of these.
        themselves = [-(1 << count - 1 - source) for source in range(count)]
        self.opening = [*(list(costs) for costs in opening), themselves]
        """By objective and source; the last objective is which sources they are."""
        self.per_unit = [*(list(costs) for costs in per_unit), [0] * count]
        """By objective and source."""
        weights, weight = [1], 1 << count
        for once, each in zip(reversed(opening), reversed(per_unit), strict=True):
            weights.insert(0, weight)
            weight *= sum(once) + max(each) * units + 1
        self._short = weight
        self.once = [
            sum(weight * costs[source] for weight, costs in zip(weights, self.opening, strict=True))
            for source in range(count)
        ]
        """By source, what choosing it adds to the key."""
        self.each = [
            sum(weight * costs[source] for weight, costs in zip(weights, self.per_unit, strict=True))
            for source in range(count)
        ]
        """By source, what a unit of it adds to the key."""
        self.by_unit = any(self.each)
        """Which source gives how much matters."""

    def gifts(self, sources: Sequence[int]) -> list[Gift]:
        """
        Return who gives what: the cheapest first, then who has most (reference 6a), then by nearness.

        Where limits are shared it is the cheapest of what meets the demand; what else is equal goes in that order.
        """
        stock, each, nearness, shared = self._supplies.stock, self.each, self._nearness, self._supplies.shared
        given: list[Gift] = []
        for good, need in self._supplies.everything:
            ranked = sorted((each[s], -stock[s][good], nearness[s], s) for s in sources)
            if shared is not None and shared.limits(good):
                found = shared.gifts(good, [Offer(s, max(0, -have), price) for price, have, _, s in ranked])
                given += (Gift(good, source, quantity) for source, quantity in found.items())
                continue
            missing = need
            for _, have, _, source in ranked:
                taken = min(missing, -have)
                if taken > 0:
                    given.append(Gift(good, source, taken))
                    missing -= taken
        return given

    def value(self, objective: int, sources: Sequence[int]) -> int:
        """Return what *sources* cost by one objective."""
        opening, per_unit = self.opening[objective], self.per_unit[objective]
        total = sum(opening[source] for source in sources)
        return total + sum(per_unit[source] * quantity for _, source, quantity in self.gifts(sources))

    def key(self, sources: Sequence[int]) -> int:
        """Return the key of *sources*, which cover; where limits are shared it may be more than this."""
        key = sum(self.once[source] for source in sources)
        if not self.by_unit:
            return key
        # Who gives of several that cost the same makes no difference here.
        ranked = sorted(sources, key=self.each.__getitem__)
        rows = [(self.each[source], self._supplies.rows[source]) for source in ranked]
        for good, need in self._supplies.everything:
            missing = need
            for each, row in rows:
                have = row[good]
                if have >= missing:
                    key += each * missing
                    break
                key += each * have
                missing -= have
        return key

    def choice(self, sources: Sequence[int]) -> Choice | None:
        """Return what *sources* cost when each of them is needed; None when one is idle, or they do not cover."""
        gifts = self.gifts(sources)
        units = dict.fromkeys(sources, 0)
        for _, source, quantity in gifts:
            units[source] += quantity
        short = self._units - sum(units.values())
        if not all(units.values()) or (short and not self._partly):
            return None
        key = sum(self.once[source] + self.each[source] * given for source, given in units.items())
        values = [
            sum(once[source] + each[source] * given for source, given in units.items())
            for once, each in zip(self.opening, self.per_unit, strict=True)
        ]
        if self._partly:
            key, values = key + short * self._short, [short, *values]
        return Choice(key, tuple(values), tuple(sorted(sources)))

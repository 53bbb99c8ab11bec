"""Who gets stock that has come in: orders that wait for it, by priority and then by age."""

from collections.abc import Iterable, Mapping

from orderloom.domain.model import Frozen

type AtGroup = tuple[str, str]
"""A location group and a SKU."""


class Waiting(Frozen):
    """An order that waits for stock at its location group."""

    order: str
    group: str
    priority: int
    quantities: dict[str, int]
    """All that it waits for, by SKU: units that are reserved nowhere. Zero where a reservation needs another place."""
    partial: bool = False
    """It takes what can be had."""

    @property
    def rank(self) -> tuple[int, int, str]:
        """Return what the queue is sorted by: the higher priority first, then the lower number."""
        return -self.priority, len(self.order), self.order


def served(queue: Iterable[Waiting], free: Mapping[AtGroup, int]) -> list[Waiting]:
    """
    Return the orders that get what they wait for, in their turn, with what each gets.

    One that cannot have all of it gets nothing and holds up nobody, for units held for an order that cannot go out
    serve none; unless it goes out in parts. What several groups have free may be the same units, so what one group
    gives is taken off all of them.

    Args:
        queue: in any order.
        free: what is available at each group.
    """
    left = dict(free)
    served: list[Waiting] = []
    for each in sorted(queue, key=lambda one: one.rank):
        got = {sku: min(quantity, max(0, left.get((each.group, sku), 0))) for sku, quantity in each.quantities.items()}
        some = any(got.values()) or not any(each.quantities.values())
        if got == each.quantities or (each.partial and some):
            served.append(each.model_copy(update={"quantities": got}))
            for (group, sku), there in left.items():
                left[group, sku] = there - got.get(sku, 0)
    return served

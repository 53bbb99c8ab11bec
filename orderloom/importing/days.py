"""Cuts what a file holds into days of business: everything is ordered, cancelled and then shipped day by day."""

from collections.abc import Iterable, Iterator
from datetime import date

from orderloom.domain.model import Frozen
from orderloom.importing.classify import Cancellation, Item, Refused, Sale


class Day(Frozen):
    """One day, in the order of the file."""

    day: date
    items: tuple[Sale | Cancellation, ...]

    @property
    def placed(self) -> int:
        """Return how many orders are placed in it."""
        return sum(isinstance(item, Sale) for item in self.items)

    def by_customer(self) -> list[list[Sale | Cancellation]]:
        """Return what concerns each customer together, in the order of the file; what names no one stands alone."""
        found: dict[str, list[Sale | Cancellation]] = {}
        for item in self.items:
            found.setdefault(item.customer or f"nobody {item.invoice}", []).append(item)
        return list(found.values())


def days(items: Iterable[Item]) -> Iterator[Day | Refused]:
    """Yield the refused rows as they come, and each day when it is complete. The file is in the order of time."""
    kept: list[Sale | Cancellation] = []
    for item in items:
        if isinstance(item, Refused):
            yield item
            continue
        if kept and item.at.date() != kept[0].at.date():
            yield _day(kept)
            kept = []
        kept.append(item)
    if kept:
        yield _day(kept)


def _day(items: list[Sale | Cancellation]) -> Day:
    return Day(day=items[0].at.date(), items=tuple(items))

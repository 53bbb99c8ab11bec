"""Cuts what a file holds into days of business: everything is ordered, cancelled and then shipped day by day."""

from collections.abc import Iterable, Iterator
from datetime import date

from orderloom.domain.model import Frozen
from orderloom.importing.classify import Cancellation, Item, Refused, Sale


class Day(Frozen):
    """One day, in the order of the file."""

    day: date
    sales: tuple[Sale, ...]
    cancellations: tuple[Cancellation, ...]


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
    return Day(
        day=items[0].at.date(),
        sales=tuple(item for item in items if isinstance(item, Sale)),
        cancellations=tuple(item for item in items if isinstance(item, Cancellation)),
    )


def by_customer[Of: Sale | Cancellation](items: Iterable[Of]) -> list[list[Of]]:
    """Return what concerns each customer together, in the order of the file; what names no customer stands alone."""
    found: dict[str, list[Of]] = {}
    for item in items:
        found.setdefault(item.customer or f"nobody {item.invoice}", []).append(item)
    return list(found.values())

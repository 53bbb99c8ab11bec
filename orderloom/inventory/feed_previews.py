"""Previews of feeds of stock: what one would change, while nothing is changed."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.model import Frozen
from orderloom.inventory.feed_lines import BadRow, FeedOptions
from orderloom.inventory.feed_progress import refused_row
from orderloom.inventory.whole_feeds import beyond, stage_whole
from orderloom.persistence.staged_preview import TOLD, Preview, What, compare
from orderloom.persistence.staged_stock import find_unnamed, staging


class ShelfChange(Frozen):
    """What would become of a shelf."""

    sku: str
    what: What
    on_hand: int
    """Now."""
    becomes: int
    safety: int
    """Now."""
    safety_becomes: int


class LocationChanges(Frozen):
    """How many shelves of a location a feed would change, and how."""

    location: str
    new: int
    """Shelves of SKUs that the location never had."""
    changed: int
    zeroed: int
    """Stocked shelves that a full feed does not name."""
    unchanged: int
    """Named, and as the feed says."""
    too_much: bool
    """Whether a larger share of its stocked shelves would be set to zero than may be: the feed would be refused."""
    first: tuple[ShelfChange, ...]
    """The first five by SKU of each that is new, changed or zeroed."""


class FeedPreview(Frozen):
    """What a feed would change."""

    lines: int
    """Lines read."""
    kept: int = 0
    """Shelves that it does not name, and that would be left, for lines that may name them cannot be read."""
    locations: tuple[LocationChanges, ...] = ()
    refused: tuple[BadRow, ...] = ()
    """The first thousand lines that would not be merged, with the reason."""


async def preview_feed(
    engine: AsyncEngine, options: FeedOptions, lines: AsyncIterator[bytes], now: datetime
) -> FeedPreview:
    """
    Read a feed to its end and say what it would change now, as if it had not been sent before.

    Raises:
        FeedUnreadable: the header of a CSV feed lacks a column.
    """
    bad: list[BadRow] = []

    def told(_: int, rows: Sequence[BadRow]) -> None:
        bad.extend(rows[: TOLD - len(bad)])

    async with staging(engine) as conn:
        whole = await stage_whole(conn, options, lines, told)
        async with conn.begin():
            found = await find_unnamed(conn, now) if options.mode == "full" else []
            compared = await compare(conn, options.mode, unnamed=not whole.unread)
    refused = [] if whole.unread else beyond(found, options.zero_at_most)
    bad += [refused_row(line, code) for line, code in compared.refused]
    return FeedPreview(
        lines=whole.lines,
        kept=sum(each.unnamed for each in found) if whole.unread else 0,
        locations=_by_location(compared, {each.location for each in refused}),
        refused=tuple(sorted(bad, key=lambda row: row.line)[:TOLD]),
    )


def _by_location(compared: Preview, too_much: set[str]) -> tuple[LocationChanges, ...]:
    first: dict[str, list[ShelfChange]] = {each.location: [] for each in compared.locations}
    for shelf in compared.shelves:
        values = shelf._asdict()
        first[values.pop("location")].append(ShelfChange(**values))
    return tuple(
        LocationChanges(**each._asdict(), too_much=each.location in too_much, first=tuple(first[each.location]))
        for each in compared.locations
    )

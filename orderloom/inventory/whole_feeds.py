"""Full feeds of stock: read to their end, then merged, and what they do not name of a location is set to zero."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import OrderloomError
from orderloom.inventory import feed_reading
from orderloom.inventory.feed_lines import BadRow, FeedOptions, Lines
from orderloom.inventory.feed_progress import Done, FeedChanged, FeedProgress, Tell, advance, refused_row
from orderloom.inventory.feed_reading import one_ahead, parts
from orderloom.persistence.conflicts import tried
from orderloom.persistence.staged_stock import (
    StagedRow,
    Unnamed,
    find_unnamed,
    merge_lines,
    merge_unnamed,
    stage,
    staging,
)

_UNDER_WAY = "under way "
"""Before the digest of a full feed until all of it is merged: sent again after that, nothing is set to zero anew."""


class FeedZeroesTooMuch(OrderloomError):
    """A full feed does not name many of a location's stocked shelves, and would set them to zero.

    Look at them with a preview of the feed. If they are empty indeed, send it again and allow a larger share of them;
    else send all of what is on hand, or a delta. Nothing was changed.
    """

    code = "feed.zeroes_too_much"
    status = 422


class Whole(NamedTuple):
    """What was read of a feed."""

    lines: int
    digest: str
    unread: bool
    """Whether there was a line of which nobody knows which shelf it names."""


async def load_whole(
    engine: AsyncEngine,
    options: FeedOptions,
    lines: AsyncIterator[bytes],
    now: Callable[[], datetime],
    *,
    tell: Tell,
    done: Done,
) -> FeedProgress:
    """
    Stage a full feed, refuse it or merge it, and set to zero what it does not name; return the sums.

    Raises:
        FeedUnreadable, FeedChanged, FeedBusy, FeedZeroesTooMuch: as ``load_feed`` says.
    """
    progress = FeedProgress(id=options.id, lines=done.lines, skipped=done.lines)
    async with staging(engine) as conn:

        def told(read: int, bad: Sequence[BadRow]) -> None:
            nonlocal progress
            anew = [row for row in bad if row.line > done.lines]
            progress = progress.model_copy(update={"read": read, "refused": progress.refused + len(anew)})
            tell(progress, anew)

        whole = await stage_whole(conn, options, lines, told)
        if done.lines and done.digest not in (whole.digest, _UNDER_WAY + whole.digest):
            raise FeedChanged(f"feed {options.id} had other contents before", feed=options.id)
        if done.digest == whole.digest:
            return progress
        return await _Merging(conn, options, whole, now, tell).run(progress, done)


async def stage_whole(
    conn: AsyncConnection,
    options: FeedOptions,
    lines: AsyncIterator[bytes],
    told: Callable[[int, Sequence[BadRow]], None],
) -> Whole:
    """Stage all lines; *told* hears after each chunk how many were read, and which of it are wrong."""
    whole = Whole(0, "", unread=False)
    async with aclosing(one_ahead(parts(options, lines))) as each:
        async for part in each:
            async with conn.begin():
                await stage(conn, _staged(part.lines))
            whole = Whole(part.last, part.digest, whole.unread or part.lines.unread)
            told(part.last, part.lines.bad)
    return whole


def _staged(lines: Lines) -> list[StagedRow]:
    rows = [StagedRow(row.line, row.location, row.sku, row.quantity, row.at, row.safety) for row in lines.rows]
    return rows + [StagedRow(number, location, sku, None) for number, location, sku in lines.named]


class _Merging:
    """Merges what is staged, chunk by chunk."""

    def __init__(
        self, conn: AsyncConnection, options: FeedOptions, whole: Whole, now: Callable[[], datetime], tell: Tell
    ) -> None:
        self._conn = conn
        self._options = options
        self._whole = whole
        self._now = now
        self._tell = tell
        self._cause = f"feed:{options.id}"

    async def run(self, progress: FeedProgress, done: Done) -> FeedProgress:
        async with self._conn.begin():
            found = await find_unnamed(self._conn, done.since)
        unnamed = sum(each.unnamed for each in found)
        if self._whole.unread:
            progress, unnamed = progress.model_copy(update={"kept": unnamed}), 0
        elif not done.lines:
            _refuse(found, self._options.zero_at_most)
        for first in range(done.lines, self._whole.lines, feed_reading.CHUNK):
            progress, bad = await tried(partial(self._merge_lines, first, progress))
            self._tell(progress, bad)
        for first in range(0, unnamed, feed_reading.CHUNK):
            zeroed = await tried(partial(self._merge_unnamed, first))
            progress = progress.model_copy(update={"zeroed": progress.zeroed + zeroed})
            self._tell(progress, ())
        async with self._conn.begin():
            await advance(self._conn, self._options.id, progress.lines, progress.lines, self._whole.digest)
        return progress

    async def _merge_lines(self, first: int, progress: FeedProgress) -> tuple[FeedProgress, list[BadRow]]:
        last = min(first + feed_reading.CHUNK, self._whole.lines)
        async with self._conn.begin():
            merged = await merge_lines(self._conn, (first, last), self._cause, self._now())
            await advance(self._conn, self._options.id, first, last, _UNDER_WAY + self._whole.digest)
        bad = [refused_row(line, code) for line, code in merged.refused]
        counts = {"changed": progress.changed + merged.changed, "refused": progress.refused + len(bad)}
        return progress.model_copy(update={"lines": last, **counts}), bad

    async def _merge_unnamed(self, first: int) -> int:
        async with self._conn.begin():
            within = (first, first + feed_reading.CHUNK)
            return await merge_unnamed(self._conn, within, self._cause, self._now())


def beyond(found: Sequence[Unnamed], zero_at_most: float) -> list[Unnamed]:
    """Return the locations of which a larger share than *zero_at_most* would be set to zero."""
    return [each for each in found if each.unnamed > zero_at_most * each.stocked]


def _refuse(found: Sequence[Unnamed], zero_at_most: float) -> None:
    if refused := beyond(found, zero_at_most):
        worst = max(refused, key=lambda each: each.unnamed / each.stocked)
        raise FeedZeroesTooMuch(
            f"it does not name {worst.unnamed} of the {worst.stocked} stocked shelves at {worst.location}, "
            f"more than {zero_at_most:.0%} of them",
            location=worst.location,
            unnamed=worst.unnamed,
            stocked=worst.stocked,
            locations=len(refused),
        )

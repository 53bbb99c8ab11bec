"""
Feeds of stock: files of any length as CSV or NDJSON, read as a stream and merged in chunks, each its own transaction.

How far a feed has come is kept with it under its id, with a digest of what was read: sent again it goes on where it
stopped, and what was merged is not merged twice. A delta is merged as it is read; a full feed is read to its end first,
for what it does not name is set to zero.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.inventory.feed_lines import BadRow, FeedOptions
from orderloom.inventory.feed_progress import Done, FeedProgress, Tell, advance, begin, refused_row
from orderloom.inventory.feed_reading import Part, one_ahead, parts
from orderloom.inventory.whole_feeds import load_whole
from orderloom.persistence.conflicts import tried
from orderloom.persistence.stock_merge import merge_stock
from orderloom.persistence.transactions import Transaction


async def load_feed(
    engine: AsyncEngine, options: FeedOptions, lines: AsyncIterator[bytes], now: Callable[[], datetime], tell: Tell
) -> FeedProgress:
    """
    Merge a feed, in constant memory; return the sums.

    The next chunk is read while one is merged.

    Raises:
        FeedUnreadable: the header of a CSV feed lacks a column.
        FeedChanged: a feed of this id was sent before with other contents, as far as that one was merged.
        FeedBusy: another one merges it.
        FeedZeroesTooMuch: a full feed does not name more of a location's stocked shelves than *options* allow.
    """
    done = await begin(engine, options.id, now())
    if options.mode == "full":
        return await load_whole(engine, options, lines, now, tell=tell, done=done)
    return await _load_changes(engine, options, lines, now, tell=tell, done=done)


async def _load_changes(
    engine: AsyncEngine,
    options: FeedOptions,
    lines: AsyncIterator[bytes],
    now: Callable[[], datetime],
    *,
    tell: Tell,
    done: Done,
) -> FeedProgress:
    progress = FeedProgress(id=options.id, read=done.lines, lines=done.lines, skipped=done.lines)
    async with aclosing(one_ahead(parts(options, lines, done))) as each:
        async for part in each:
            progress, bad = await tried(partial(_merge, engine, part, progress, now()))
            tell(progress, bad)
    return progress


async def _merge(
    engine: AsyncEngine, part: Part, progress: FeedProgress, now: datetime
) -> tuple[FeedProgress, list[BadRow]]:
    async with Transaction(engine) as conn:
        merged = await merge_stock(conn, part.lines.rows, "delta", now)
        bad = [*part.lines.bad, *(refused_row(line, code) for line, code in merged.refused)]
        counts = {"changed": progress.changed + merged.changed, "refused": progress.refused + len(bad)}
        moved = progress.model_copy(update={"read": part.last, "lines": part.last, **counts})
        await advance(conn, progress.id, progress.lines, part.last, part.digest)
    return moved, sorted(bad, key=lambda row: row.line)

"""
Feeds of stock: files of any length as CSV or NDJSON, read as a stream and merged in chunks, each its own transaction.

How far a feed has come is kept with it under its id, with a digest of what was read: sent again it goes on where it
stopped, and what was merged is not merged twice.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen
from orderloom.inventory.feed_lines import REFUSED, BadRow, FeedOptions, Reader
from orderloom.persistence.conflicts import tried
from orderloom.persistence.stock_merge import StockRow, merge_stock
from orderloom.persistence.tables.inventory import inventory_feeds

CHUNK = 10_000
"""Lines that are merged in one transaction."""
_feed = inventory_feeds.c


class FeedChanged(OrderloomError):
    """A feed with this id was sent before with other contents.

    Give each feed an id of its own; send one that was interrupted again exactly as it was.
    """

    code = "feed.changed"
    status = 422


class FeedBusy(OrderloomError):
    """This feed is being merged by somebody else.

    Wait for that one; then send it again if it did not end.
    """

    code = "feed.busy"
    status = 409


class FeedProgress(Frozen):
    """How far a feed has come."""

    id: str
    lines: int = 0
    """Lines read, the header and empty ones among them."""
    changed: int = 0
    """Shelves whose on hand was changed, by chunk."""
    refused: int = 0
    """Lines that were not merged."""
    skipped: int = 0
    """Lines that an earlier run of the same feed had merged."""


type Tell = Callable[[FeedProgress, Sequence[BadRow]], None]
"""Is told after each chunk how far the feed has come, and which lines of the chunk were not merged."""


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
    """
    done = await _begin(engine, options, now())
    progress = FeedProgress(id=options.id, lines=done.lines, skipped=done.lines)
    async with aclosing(_one_ahead(_parts(options, lines, done))) as parts:
        async for part in parts:
            progress, bad = await tried(partial(_merge, engine, options, part, progress, now()))
            tell(progress, bad)
    return progress


async def _merge(
    engine: AsyncEngine, options: FeedOptions, part: "_Part", progress: FeedProgress, now: datetime
) -> tuple[FeedProgress, list[BadRow]]:
    async with engine.begin() as conn:
        merged = await merge_stock(conn, part.rows, options.mode, now)
        bad = [*part.bad, *(_refused(line, code) for line, code in merged.refused)]
        counts = {"changed": progress.changed + merged.changed, "refused": progress.refused + len(bad)}
        moved = progress.model_copy(update={"lines": part.last, **counts})
        await _advance(conn, progress.lines, moved, part.digest)
    return moved, sorted(bad, key=lambda row: row.line)


class _Done(Frozen):
    lines: int
    digest: str


async def _begin(engine: AsyncEngine, options: FeedOptions, now: datetime) -> _Done:
    async with engine.begin() as conn:
        row = {"id": options.id, "lines": 0, "digest": "", "at": now}
        await conn.execute(insert(inventory_feeds).values(row).on_conflict_do_nothing())
        found = (await conn.execute(select(_feed.lines, _feed.digest).where(_feed.id == options.id))).one()
    return _Done(lines=found.lines, digest=found.digest)


async def merged_lines(engine: AsyncEngine, id: str) -> int:
    """Return how many lines of a feed are merged."""
    async with engine.connect() as conn:
        return (await conn.execute(select(_feed.lines).where(_feed.id == id))).scalar_one_or_none() or 0


async def _advance(conn: AsyncConnection, first: int, progress: FeedProgress, digest: str) -> None:
    """Note how far the feed has come, unless somebody else has meanwhile taken it further."""
    statement = update(inventory_feeds).where(_feed.id == progress.id, _feed.lines == first)
    moved = await conn.execute(statement.values(lines=progress.lines, digest=digest))
    if not moved.rowcount:
        raise FeedBusy(f"feed {progress.id} is being merged elsewhere", feed=progress.id)


def _refused(line: int, code: str) -> BadRow:
    field, detail = REFUSED[code]
    return BadRow(line=line, field=field, code=code, detail=detail)


class _Part(NamedTuple):
    """Some lines of a feed, up to the one numbered *last*."""

    last: int
    digest: str
    """Of everything up to here."""
    rows: list[StockRow]
    bad: list[BadRow]


async def _parts(options: FeedOptions, lines: AsyncIterator[bytes], done: _Done) -> AsyncGenerator[_Part]:
    """
    Read what is not done yet.

    Raises:
        FeedUnreadable, FeedChanged: as ``load_feed`` says.
    """
    reader, last = Reader(options), 0
    seen = hashlib.sha256(f"{options.mode} {options.format} {options.location or ''}\n".encode())
    async for chunk in _chunks(lines, done.lines):
        for line in chunk:
            seen.update(line)
        first, last = last, last + len(chunk)
        if last > done.lines:
            # In a thread: statements of the merge that is under way are answered meanwhile.
            rows, bad = await asyncio.to_thread(reader.rows, chunk, first)
            yield _Part(last, seen.hexdigest(), rows, bad)
            continue
        reader.pass_over(chunk)
        if last == done.lines and seen.hexdigest() != done.digest:
            raise FeedChanged(f"feed {options.id} had other contents before", feed=options.id)
    if last < done.lines:
        raise FeedChanged(f"feed {options.id} had more lines before", feed=options.id)


async def _one_ahead[T](items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Get each item while the caller is busy with the one before it."""
    following = asyncio.create_task(anext(items, None))
    try:
        while (item := await following) is not None:
            following = asyncio.create_task(anext(items, None))
            yield item
    finally:
        following.cancel()
        await asyncio.wait([following])
        await items.aclose()


async def _chunks(lines: AsyncIterator[bytes], done: int) -> AsyncIterator[list[bytes]]:
    """Gather lines; what an earlier run has *done* ends a chunk, wherever that run was stopped."""
    chunk: list[bytes] = []
    read = 0
    async for line in lines:
        chunk.append(line)
        read += 1
        if len(chunk) == CHUNK or read == done:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

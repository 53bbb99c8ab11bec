"""Reads feeds of stock as streams: in chunks of lines, the next one while the one before is merged."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

from orderloom.inventory.feed_lines import FeedOptions, Lines, Reader
from orderloom.inventory.feed_progress import Done, FeedChanged

CHUNK = 10_000
"""Lines that are merged in one transaction."""


class Part(NamedTuple):
    """Some lines of a feed, up to the one numbered *last*."""

    last: int
    digest: str
    """Of everything up to here."""
    lines: Lines


async def parts(options: FeedOptions, lines: AsyncIterator[bytes], done: Done | None = None) -> AsyncGenerator[Part]:
    """
    Read all of a feed, or what is not *done* yet.

    Raises:
        FeedUnreadable: the header of a CSV feed lacks a column.
        FeedChanged: a feed of this id was sent before with other contents, as far as that one was merged.
    """
    reader, last, passed = Reader(options), 0, 0 if done is None else done.lines
    seen = hashlib.sha256(f"{options.mode} {options.format} {options.location or ''}\n".encode())
    async for chunk in _chunks(lines, passed):
        for line in chunk:
            seen.update(line)
        first, last = last, last + len(chunk)
        if last > passed:
            # In a thread: statements of the merge that is under way are answered meanwhile.
            yield Part(last, seen.hexdigest(), await asyncio.to_thread(reader.read, chunk, first))
            continue
        reader.pass_over(chunk)
        if done is not None and last == passed and seen.hexdigest() != done.digest:
            raise FeedChanged(f"feed {options.id} had other contents before", feed=options.id)
    if last < passed:
        raise FeedChanged(f"feed {options.id} had more lines before", feed=options.id)


async def one_ahead[T](items: AsyncGenerator[T]) -> AsyncGenerator[T]:
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

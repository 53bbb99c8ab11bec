"""
Feeds of stock: files of any length as CSV or NDJSON, read as a stream and merged in chunks, each its own transaction.

How far a feed has come is kept with it under its id, with a digest of what was read: sent again it goes on where it
stopped, and what was merged is not merged twice.
"""

import csv
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen
from orderloom.persistence.stock_merge import Mode, StockRow, merge_stock
from orderloom.persistence.tables.inventory import inventory_feeds

type Format = Literal["csv", "ndjson"]

CHUNK = 10_000
"""Lines that are merged in one transaction."""
_LARGEST = 2_147_483_647
_MAX_NAME = 100
_feed = inventory_feeds.c


class FeedUnreadable(OrderloomError):
    """The feed cannot be read.

    Send CSV whose first line names ``sku``, ``quantity``, ``location`` and, if wanted, ``at``; or one JSON object with
    these names on each line. The location may be given once for the whole feed instead.
    """

    code = "feed.unreadable"
    status = 422


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


class FeedOptions(Frozen):
    """What a feed is."""

    id: str
    """Sent again with the same id it goes on where it stopped."""
    mode: Mode
    """``full``: quantities are what is on hand; ``delta``: what it changes by. What is not named stays as it is."""
    format: Format
    location: str | None = None
    """Of rows that name none."""


class BadRow(Frozen):
    """A line that was not merged."""

    line: int
    reason: str


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

    Raises:
        FeedUnreadable: the header of a CSV feed lacks a column.
        FeedChanged: a feed of this id was sent before with other contents, as far as that one was merged.
        FeedBusy: another one merges it.
    """
    done = await _begin(engine, options, now())
    progress = FeedProgress(id=options.id, skipped=done.lines)
    reader = _Reader(options)
    seen = hashlib.sha256(f"{options.mode} {options.format} {options.location or ''}\n".encode())
    async for chunk in _chunks(lines, done.lines):
        for line in chunk:
            seen.update(line)
        first = progress.lines
        progress = progress.model_copy(update={"lines": first + len(chunk)})
        digest = seen.hexdigest()
        if progress.lines <= done.lines:
            reader.pass_over(chunk)
            if progress.lines == done.lines and digest != done.digest:
                raise FeedChanged(f"feed {options.id} had other contents before", feed=options.id)
            continue
        rows, bad = reader.rows(chunk, first)
        async with engine.begin() as conn:
            merged = await merge_stock(conn, rows, options.mode, now())
            bad += [BadRow(line=line, reason=code) for line, code in merged.refused]
            progress = progress.model_copy(
                update={"changed": progress.changed + merged.changed, "refused": progress.refused + len(bad)}
            )
            await _advance(conn, first, progress, digest)
        tell(progress, sorted(bad, key=lambda row: row.line))
    if progress.lines < done.lines:
        raise FeedChanged(f"feed {options.id} had more lines before", feed=options.id)
    return progress


class _Done(Frozen):
    lines: int
    digest: str


async def _begin(engine: AsyncEngine, options: FeedOptions, now: datetime) -> _Done:
    async with engine.begin() as conn:
        row = {"id": options.id, "lines": 0, "digest": "", "at": now}
        await conn.execute(insert(inventory_feeds).values(row).on_conflict_do_nothing())
        found = (await conn.execute(select(_feed.lines, _feed.digest).where(_feed.id == options.id))).one()
    return _Done(lines=found.lines, digest=found.digest)


async def _advance(conn: AsyncConnection, first: int, progress: FeedProgress, digest: str) -> None:
    """Note how far the feed has come, unless somebody else has meanwhile taken it further."""
    statement = update(inventory_feeds).where(_feed.id == progress.id, _feed.lines == first)
    moved = await conn.execute(statement.values(lines=progress.lines, digest=digest))
    if not moved.rowcount:
        raise FeedBusy(f"feed {progress.id} is being merged elsewhere", feed=progress.id)


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


class _Reader:
    """Turns lines into rows; what is wrong with a line is told, and stops no other."""

    def __init__(self, options: FeedOptions) -> None:
        self._options = options
        self._cause = f"feed:{options.id}"
        self._columns: list[str] | None = None

    def pass_over(self, chunk: Sequence[bytes]) -> None:
        """Take the header from a chunk whose rows were merged before."""
        if self._options.format == "csv" and self._columns is None:
            self._header(chunk[0])

    def rows(self, chunk: Sequence[bytes], first: int) -> tuple[list[StockRow], list[BadRow]]:
        """Return the rows of a chunk that stands behind *first* lines, and what is wrong with the others."""
        rows: list[StockRow] = []
        bad: list[BadRow] = []
        csv_header = self._options.format == "csv" and self._columns is None
        if csv_header:
            self._header(chunk[0])
        for number, line in enumerate(chunk[1:] if csv_header else chunk, start=first + 1 + csv_header):
            try:
                row = self._row(number, line)
            except (ValueError, KeyError, TypeError) as error:
                bad.append(BadRow(line=number, reason=str(error) if type(error) is ValueError else "not readable"))
            else:
                if row is not None:
                    rows.append(row)
        return rows, bad

    def _header(self, line: bytes) -> None:
        try:
            (columns,) = csv.reader([line.decode("utf-8-sig").strip()])
        except (ValueError, csv.Error):
            columns = list[str]()
        self._columns = [column.strip().lower() for column in columns]
        needed = ["quantity", "sku"] if self._options.location else ["location", "quantity", "sku"]
        if missing := ", ".join(name for name in needed if name not in self._columns):
            raise FeedUnreadable(f"the first line does not name {missing}", missing=missing)

    def _row(self, number: int, line: bytes) -> StockRow | None:
        text = line.decode("utf-8").strip()
        if not text:
            return None
        given = self._from_csv(text) if self._options.format == "csv" else self._from_json(text)
        quantity = _whole(given.get("quantity"))
        if self._options.mode == "full" and quantity < 0:
            raise ValueError("quantity is below zero")
        return StockRow(
            number,
            _name("location", given.get("location") or self._options.location),
            _name("sku", given.get("sku")),
            quantity,
            _instant(given.get("at")),
            self._cause,
        )

    def _from_csv(self, text: str) -> dict[str, Any]:
        assert self._columns is not None, "the header was read"
        # A line without quotes needs no parser: that is nearly every line of a feed.
        values = text.split(",") if '"' not in text else next(csv.reader([text]))
        if len(values) != len(self._columns):
            raise ValueError(f"{len(values)} values for {len(self._columns)} columns")
        return dict(zip(self._columns, values, strict=True))

    def _from_json(self, text: str) -> dict[str, Any]:
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError("not JSON") from None
        if isinstance(given, dict):
            return cast("dict[str, Any]", given)
        raise ValueError("not a JSON object")


def _whole(value: Any) -> int:
    try:
        quantity = int(value) if isinstance(value, str) else value
    except ValueError:
        quantity = None
    if type(quantity) is not int or not -_LARGEST <= quantity <= _LARGEST:
        raise ValueError("quantity is not a whole number")
    return quantity


def _name(what: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _MAX_NAME or "\0" in value:
        raise ValueError(f"{what} is missing or too long")
    return value.strip()


def _instant(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("at is no point in time") from None
    if at.tzinfo is None:
        raise ValueError("at has no time zone")
    return at

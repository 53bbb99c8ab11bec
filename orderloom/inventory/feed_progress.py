"""How far a feed of stock has come: kept under its id, so that it goes on where it stopped when it is sent again."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen
from orderloom.inventory.feed_lines import REFUSED, BadRow
from orderloom.persistence.tables.inventory import inventory_feeds
from orderloom.persistence.transactions import Transaction

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
    read: int = 0
    """Lines read, the header and empty ones among them. A full feed is read to its end before anything changes."""
    lines: int = 0
    """Lines merged or refused, the header and empty ones among them."""
    changed: int = 0
    """Shelves whose on hand or safety stock was changed by a line, by chunk."""
    zeroed: int = 0
    """Shelves that a full feed does not name, and that were set to zero."""
    kept: int = 0
    """Shelves that a full feed does not name, and that were left, for lines that may name them cannot be read."""
    refused: int = 0
    """Lines that were not merged."""
    skipped: int = 0
    """Lines that an earlier run of the same feed had merged."""


type Tell = Callable[[FeedProgress, Sequence[BadRow]], None]
"""Is told after each chunk how far the feed has come, and which lines of the chunk were not merged."""


class Done(Frozen):
    """What an earlier run of a feed has merged."""

    lines: int = 0
    digest: str = ""
    since: datetime
    """When the feed was sent first."""


async def begin(engine: AsyncEngine, id: str, now: datetime) -> Done:
    """Enter a feed, and return what is done of it."""
    async with Transaction(engine) as conn:
        row = {"id": id, "lines": 0, "digest": "", "at": now}
        await conn.execute(insert(inventory_feeds).values(row).on_conflict_do_nothing())
        found = (await conn.execute(select(_feed.lines, _feed.digest, _feed.at).where(_feed.id == id))).one()
    return Done(lines=found.lines, digest=found.digest, since=found.at)


async def merged_lines(engine: AsyncEngine, id: str) -> int:
    """Return how many lines of a feed are merged."""
    async with engine.connect() as conn:
        return (await conn.execute(select(_feed.lines).where(_feed.id == id))).scalar_one_or_none() or 0


async def advance(conn: AsyncConnection, id: str, first: int, last: int, digest: str) -> None:
    """
    Note that a feed has come from line *first* to *last*.

    Raises:
        FeedBusy: somebody else has meanwhile taken it further.
    """
    statement = update(inventory_feeds).where(_feed.id == id, _feed.lines == first)
    moved = await conn.execute(statement.values(lines=last, digest=digest))
    if not moved.rowcount:
        raise FeedBusy(f"feed {id} is being merged elsewhere", feed=id)


def refused_row(line: int, code: str) -> BadRow:
    """Return what is said of a line that the merge refused."""
    field, detail = REFUSED[code]
    return BadRow(line=line, field=field, code=code, detail=detail)

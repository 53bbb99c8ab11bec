"""`orderloom inventory`: feeds of stock from files, streamed into the database, and how much is kept back."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Annotated, BinaryIO

from cyclopts import App, Parameter
from rich.console import Console
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.bootstrap.clock import Clock
from orderloom.cli.calling_api import Api, AsJson, Key, client, command
from orderloom.cli.feed_telling import Teller, tell_preview
from orderloom.cli.flows.store import store
from orderloom.cli.running import run
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.inventory.feed_lines import REFUSED, FeedOptions, Format, lines_of
from orderloom.inventory.feed_previews import FeedPreview, preview_feed
from orderloom.inventory.feed_progress import FeedProgress, merged_lines
from orderloom.inventory.feeds import load_feed
from orderloom.settings import Settings

inventory_app = App(name="inventory", help="Stock: feeds from files, and how much is kept back.")

AT_ONCE = 65_536
"""Bytes that are read at once, if so many are there."""


class FeedNotNamed(OrderloomError):
    """A delta from standard input has no id.

    Give it one with `--id`: sent again, what was merged before is then passed over.
    """

    code = "feed.not_named"
    status = 422


class ShareInvalid(OrderloomError):
    """The share of shelves that may be set to zero is none.

    Give a number from 0, none of them, to 1, all of them, as `--zero-at-most 0.5`.
    """

    code = "feed.share_invalid"
    status = 422


class FeedFileUnreadable(OrderloomError):
    """The file of the feed cannot be read.

    Check its path and that you may read it; `-` is standard input.
    """

    code = "feed.file_unreadable"
    status = 422


@inventory_app.command
def load(
    file: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    delta: Annotated[
        bool, Parameter(negative="--full", help="Quantities are changes; else what is on hand. [default: --full]")
    ] = False,
    location: Annotated[str | None, Parameter(help="Of rows that name none.")] = None,
    format: Annotated[Format | None, Parameter(help="[default: by the file's name, else csv]")] = None,
    id: Annotated[str | None, Parameter(help="Of the feed. [default: a digest of the file]")] = None,
    zero_at_most: Annotated[
        float, Parameter(help="The share of a location's stocked shelves that a full feed may set to zero, 0 to 1.")
    ] = 0.2,
    preview: Annotated[
        bool, Parameter(help="Say what the feed would change, and change nothing.", negative=())
    ] = False,
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Merge a feed of stock; what is reserved stays reserved.

    A full feed says all of what is on hand at the locations that it names: it is read to its end, and shelves that it
    does not name are set to zero. It is refused before anything changes if that were too many of a location's. A delta
    leaves what it does not name as it is.

    Interrupted or repeated, it goes on where it stopped. A line that cannot be merged is told on stdout, with the
    reason, and stops no other; progress goes to stderr. The exit status is 1 when there was such a line.

    Parameters
    ----------
    file: str
        CSV with a header that names sku, quantity, location and perhaps at and safety_stock, or NDJSON with these
        names; - is stdin.
    """
    if file != "-" and not os.access(file, os.R_OK):
        raise FeedFileUnreadable(f"{file} is not there, or not to be read by you.", file=file)
    if not 0 <= zero_at_most <= 1:
        raise ShareInvalid(f"{zero_at_most} is no share.", zero_at_most=zero_at_most)
    options = FeedOptions(
        id=id or ("preview" if preview else _digest(file, delta=delta)),
        mode="delta" if delta else "full",
        format=format or ("ndjson" if file.endswith((".ndjson", ".jsonl")) else "csv"),
        location=location,
        zero_at_most=zero_at_most,
    )
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    (_preview if preview else _load)(settings, file, options)


def _load(settings: Settings, file: str, options: FeedOptions) -> None:
    teller = Teller(options.mode)

    async def work(engine: AsyncEngine, lines: AsyncIterator[bytes]) -> FeedProgress:
        try:
            return await load_feed(engine, options, lines, Clock().now, teller.tell)
        except asyncio.CancelledError:
            teller.stopped(await merged_lines(engine, options.id))
            raise

    progress = _read_in(settings, file, work)
    if progress is None:
        sys.exit(1)
    teller.end(progress)
    sys.exit(1 if progress.refused else 0)


def _preview(settings: Settings, file: str, options: FeedOptions) -> None:
    async def work(engine: AsyncEngine, lines: AsyncIterator[bytes]) -> FeedPreview:
        return await preview_feed(engine, options, lines, Clock().now())

    preview = _read_in(settings, file, work)
    if preview is None:
        sys.stderr.write("stopped; nothing was changed\n")
        sys.exit(1)
    tell_preview(preview, options.zero_at_most)
    sys.exit(1 if preview.refused or any(each.too_much for each in preview.locations) else 0)


def _read_in[R](
    settings: Settings, file: str, work: Callable[[AsyncEngine, AsyncIterator[bytes]], Awaitable[R]]
) -> R | None:
    """Run *work* on the database and on the lines of *file*; return None if somebody stopped it."""
    found: list[R] = []

    async def reading() -> None:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:  # noqa: ASYNC230  # nothing else runs
            async with store(settings) as engine:
                found.append(await work(engine, lines_of(_parts(stream))))

    run(settings, reading)
    return found[0] if found else None


@inventory_app.command(name="safety-stock")
def safety_stock(
    location: str,
    sku: str,
    quantity: Annotated[int, Parameter(allow_leading_hyphen=True)],
    *,
    reason: Annotated[str | None, Parameter(help="Why, for the changes of stock.")] = None,
    key: Key = None,
    api: Api = None,
    as_json: AsJson = False,
) -> None:
    """
    Keep units of a SKU back at a location from now on: they are never promised.

    What is reserved stays reserved; what becomes free goes to orders that wait for it.

    Parameters
    ----------
    quantity: int
        How many; 0 keeps nothing back.
    """
    body: JsonObject = {"records": [{"location": location, "sku": sku, "quantity": quantity}]}
    if reason is not None:
        body["reason"] = reason
    with client(api) as http:
        answer = command(http, "/v1/stock/safety-stock", body, key)
    if as_json:
        Console().print_json(data=answer)
    refused = answer["results"][0]["code"]
    if refused is not None:
        sys.stderr.write(f"refused: {refused}: {REFUSED[refused][1]}\n")
        sys.exit(1)
    if not as_json:
        sys.stdout.write(f"{quantity} of {sku} are kept back at {location}\n")


async def _parts(stream: BinaryIO) -> AsyncIterator[bytes]:
    while part := await _read(stream.fileno()):
        yield part


async def _read(descriptor: int) -> bytes:
    """Read what comes next. Nothing can end a read that waits for it: its thread ends with the process instead."""
    read = Future[bytes]()

    def wait() -> None:
        try:
            part = os.read(descriptor, AT_ONCE)
        except OSError as error:
            read.set_exception(error)
        else:
            read.set_result(part)

    read.set_running_or_notify_cancel()
    Thread(target=wait, daemon=True).start()
    return await asyncio.wrap_future(read)


def _digest(file: str, *, delta: bool) -> str:
    """Return the id of a feed that was given none: the same file is the same feed."""
    if file != "-":
        with Path(file).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    if delta:
        raise FeedNotNamed("the feed comes from standard input.")
    return f"stdin@{Clock().now().isoformat()}"

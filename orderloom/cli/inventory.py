"""`orderloom inventory`: feeds of stock from files, streamed into the database, and how much is kept back."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Annotated, BinaryIO

from cyclopts import App, Parameter
from rich.console import Console

from orderloom.bootstrap.clock import Clock
from orderloom.cli.calling_api import Api, AsJson, Key, client, command
from orderloom.cli.flows.store import store
from orderloom.cli.running import run
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.inventory.feed_lines import REFUSED, BadRow, FeedOptions, Format, lines_of
from orderloom.inventory.feeds import FeedProgress, load_feed, merged_lines
from orderloom.settings import Settings

inventory_app = App(name="inventory", help="Stock: feeds from files, and how much is kept back.")

TOLD_EVERY = 1.0
"""Seconds between two lines of progress."""
AT_ONCE = 65_536
"""Bytes that are read at once, if so many are there."""


class FeedNotNamed(OrderloomError):
    """A delta from standard input has no id.

    Give it one with `--id`: sent again, what was merged before is then passed over.
    """

    code = "feed.not_named"
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
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Merge a feed of stock; what is reserved stays reserved, and what is not named stays as it is.

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
    options = FeedOptions(
        id=id or _digest(file, delta=delta),
        mode="delta" if delta else "full",
        format=format or ("ndjson" if file.endswith((".ndjson", ".jsonl")) else "csv"),
        location=location,
    )
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    found: list[FeedProgress] = []
    teller = _Teller()

    async def work() -> None:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:  # noqa: ASYNC230  # nothing else runs
            async with store(settings) as engine:
                try:
                    lines = lines_of(_parts(stream))
                    found.append(await load_feed(engine, options, lines, Clock().now, teller.tell))
                except asyncio.CancelledError:
                    teller.stopped(await merged_lines(engine, options.id))
                    raise

    run(settings, work)
    if not found:
        sys.exit(1)
    teller.end(found[0])
    sys.exit(1 if found[0].refused else 0)


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


class _Teller:
    """Tells how far a feed has come."""

    def __init__(self) -> None:
        self._began = self._told = monotonic()

    def tell(self, progress: FeedProgress, bad: Sequence[BadRow]) -> None:
        """Write the lines that were not merged, and from time to time how many were."""
        for row in bad:
            sys.stdout.write(f"line {row.line}: {row.code}: {f'{row.field}: ' if row.field else ''}{row.detail}\n")
        now = monotonic()
        if now - self._told >= TOLD_EVERY:
            self._told = now
            self._say(progress)

    def _say(self, progress: FeedProgress) -> None:
        rate = (progress.lines - progress.skipped) / max(monotonic() - self._began, 0.001)
        sys.stderr.write(
            f"{progress.lines:,} lines, {progress.changed:,} shelves changed, {progress.refused:,} lines refused, "
            f"{rate:,.0f} lines/s\n"
        )

    def stopped(self, lines: int) -> None:
        """Say how many lines were merged before somebody stopped it, and how to go on."""
        merged = f"{lines:,} lines of it are" if lines else "nothing of it is"
        sys.stderr.write(f"stopped; {merged} merged; run the same command again to go on\n")

    def end(self, progress: FeedProgress) -> None:
        """Write the sums."""
        self._say(progress)

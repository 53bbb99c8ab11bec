"""The lines of a feed of stock: what each says, or what is wrong with it and how to mend it."""

import csv
import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import Field

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen, within_reach
from orderloom.persistence.stock_merge import Mode, StockRow

type Format = Literal["csv", "ndjson"]

_LARGEST = 2_147_483_647
_MAX_NAME = 100


class FeedUnreadable(OrderloomError):
    """The feed cannot be read.

    Send CSV whose first line names ``sku``, ``quantity``, ``location`` and, if wanted, ``at`` and ``safety_stock``; or
    one JSON object with these names on each line. The location may be given once for the whole feed instead.
    """

    code = "feed.unreadable"
    status = 422


class FeedOptions(Frozen):
    """What a feed is."""

    id: str
    """Sent again with the same id it goes on where it stopped."""
    mode: Mode
    """
    ``full``: quantities are what is on hand, and what is not named of the locations that are is not there; ``delta``:
    what it changes by.
    """
    format: Format
    location: str | None = None
    """Of rows that name none."""
    zero_at_most: Annotated[float, Field(ge=0, le=1)] = 0.2
    """The share of a location's stocked shelves that a full feed may set to zero by not naming them."""


class BadRow(Frozen):
    """A line that was not merged."""

    line: int
    field: str | None = None
    """The column that is wrong; None: the line as a whole."""
    code: str
    detail: str
    """What is wrong, and what to do."""


class _Wrong(ValueError):
    def __init__(self, field: str | None, code: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.code = code


LONGEST = 65_536
"""Bytes of a line; a longer one ends the feed."""


async def lines_of(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    Return the lines of a text that comes in parts, wherever they are cut.

    Raises:
        FeedUnreadable: a line is too long.
    """
    rest = b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > LONGEST:
            raise FeedUnreadable(f"a line has more than {LONGEST} bytes")
    if rest:
        yield rest


REFUSED = {
    "location.unknown": ("location", "there is no such location: load it first, or correct its id"),
    "sku.unknown": ("sku", "there is no such product: load it first, or correct its SKU"),
    "stock.out_of_range": ("quantity", "what would be on hand is below zero or too large: count the shelf again"),
    "count.superseded": ("at", "a later count of this shelf was taken before: nothing is to be done"),
}
"""What a merge refuses, by its code: the column, and the reason with its remedy."""


class Lines(NamedTuple):
    """What some lines of a feed say."""

    rows: list[StockRow]
    bad: list[BadRow]
    named: list[tuple[int, str, str]]
    """Number, location and SKU of lines that name a shelf and are wrong otherwise."""
    unread: bool
    """Whether there is a line of which nobody knows which shelf it names."""


class Reader:
    """Turns lines into rows; what is wrong with a line is told, and stops no other."""

    def __init__(self, options: FeedOptions) -> None:
        self._options = options
        self._cause = f"feed:{options.id}"
        self._columns: list[str] | None = None

    def pass_over(self, chunk: Sequence[bytes]) -> None:
        """Take the header from a chunk whose rows were merged before."""
        if self._options.format == "csv" and self._columns is None:
            self._header(chunk[0])

    def read(self, chunk: Sequence[bytes], first: int) -> Lines:
        """Return what the lines of a chunk say that stands behind *first* lines, and what is wrong with them."""
        rows: list[StockRow] = []
        bad: list[BadRow] = []
        named: list[tuple[int, str, str]] = []
        csv_header = self._options.format == "csv" and self._columns is None
        if csv_header:
            self._header(chunk[0])
        for number, line in enumerate(chunk[1:] if csv_header else chunk, start=first + 1 + csv_header):
            shelf: tuple[str, str] | None = None
            try:
                given = self._values(line)
                if given is None:
                    continue
                shelf = (
                    _name("location", given.get("location") or self._options.location),
                    _name("sku", given.get("sku")),
                )
                rows.append(self._row(number, *shelf, given))
            except _Wrong as wrong:
                bad.append(BadRow(line=number, field=wrong.field, code=wrong.code, detail=str(wrong)))
            except (ValueError, csv.Error):
                bad.append(BadRow(line=number, code="line.unreadable", detail="it is not UTF-8 text: write it as such"))
            else:
                continue
            if shelf is not None:
                named.append((number, *shelf))
        return Lines(rows, bad, named, unread=len(bad) > len(named))

    def _header(self, line: bytes) -> None:
        try:
            (columns,) = csv.reader([line.decode("utf-8-sig").strip()])
        except (ValueError, csv.Error):
            columns = list[str]()
        self._columns = [column.strip().lower() for column in columns]
        needed = ["quantity", "sku"] if self._options.location else ["location", "quantity", "sku"]
        if missing := ", ".join(name for name in needed if name not in self._columns):
            raise FeedUnreadable(f"the first line does not name {missing}", missing=missing)

    def _values(self, line: bytes) -> dict[str, Any] | None:
        text = line.decode("utf-8").strip()
        if not text:
            return None
        return self._from_csv(text) if self._options.format == "csv" else self._from_json(text)

    def _row(self, number: int, location: str, sku: str, given: dict[str, Any]) -> StockRow:
        quantity = _whole(given.get("quantity"))
        if self._options.mode == "full" and quantity < 0:
            raise _Wrong("quantity", "quantity.negative", "it is below zero: a full feed says what is on hand")
        return StockRow(
            number,
            location,
            sku,
            quantity,
            _instant(given.get("at")),
            self._cause,
            _kept_back(given.get("safety_stock")),
        )

    def _from_csv(self, text: str) -> dict[str, Any]:
        assert self._columns is not None, "the header was read"
        # A line without quotes needs no parser: that is nearly every line of a feed.
        values = text.split(",") if '"' not in text else next(csv.reader([text]))
        if len(values) != len(self._columns):
            detail = f"it has {len(values)} values for {len(self._columns)} columns: put commas of values in quotes"
            raise _Wrong(None, "line.unreadable", detail)
        return dict(zip(self._columns, values, strict=True))

    def _from_json(self, text: str) -> dict[str, Any]:
        try:
            given = json.loads(text)
        except (ValueError, RecursionError):
            raise _Wrong(None, "line.unreadable", "it is not JSON: write one object on each line") from None
        if isinstance(given, dict):
            return cast("dict[str, Any]", given)
        raise _Wrong(None, "line.unreadable", "it is no JSON object: write one object on each line")


def _whole(value: Any, column: str = "quantity") -> int:
    try:
        quantity = int(value) if isinstance(value, str) else value
    except ValueError:
        quantity = None
    if type(quantity) is not int or not -_LARGEST <= quantity <= _LARGEST:
        raise _Wrong(column, f"{column}.invalid", f"it is no whole number: write one, up to {_LARGEST}")
    return quantity


def _kept_back(value: Any) -> int | None:
    if value is None or value == "":
        return None
    safety = _whole(value, "safety_stock")
    if safety < 0:
        raise _Wrong("safety_stock", "safety_stock.negative", "it is below zero: write 0 to keep nothing back")
    return safety


def _name(what: str, value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value.strip()) <= _MAX_NAME or "\0" in value:
        raise _Wrong(what, f"{what}.invalid", f"it is missing, or not text of 1 to {_MAX_NAME} characters: name one")
    return value.strip()


def _instant(value: Any) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Wrong("at", "at.invalid", "it is no instant: write it as 2026-01-31T12:00:00Z") from None
    if at.tzinfo is None:
        raise _Wrong("at", "at.invalid", "it has no time zone: write it as 2026-01-31T12:00:00Z")
    if not within_reach(at):
        raise _Wrong("at", "at.invalid", "it does not lie in the years from 1900 to 2199: correct it")
    return at

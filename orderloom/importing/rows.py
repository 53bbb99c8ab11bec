"""Reads a file of invoices row by row, plain or gzipped. What a row means is decided elsewhere."""

import csv
import gzip
import hashlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path

from orderloom.domain.errors import OrderloomError
from orderloom.importing.mapping import Mapping


class ImportUnreadable(OrderloomError):
    """The file of orders cannot be read.

    Check the path, and that the mapping names the columns that the file has.
    """

    code = "import.unreadable"
    status = 422


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the file, as far as it could be read."""

    number: int
    """Row of the file without its heading, from 1."""
    invoice: str
    sku: str
    name: str
    quantity: int
    at: datetime
    price: Decimal
    """Per unit, with all the decimals that the file has."""
    customer: str | None
    country: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A row with a field that is none of what it should be."""

    number: int
    invoice: str
    sku: str
    detail: str


def read_rows(
    path: Path, mapping: Mapping, *, since: date | None = None, until: date | None = None
) -> Iterator[Row | Unreadable]:
    """
    Read the rows of *path* whose date is from *since* up to and including *until*.

    Raises:
        ImportUnreadable: the file cannot be opened, decoded, or lacks a column.
    """
    with _text(path, mapping.encoding) as text:
        reader = csv.DictReader(text, delimiter=mapping.delimiter)
        missing = sorted(set(mapping.columns.model_dump().values()) - set(reader.fieldnames or ()))
        if missing:
            raise ImportUnreadable(f"{path}: no column {', '.join(missing)}", columns=list(missing))
        for number, record in enumerate(reader, start=1):
            row = _row(number, record, mapping)
            if isinstance(row, Unreadable) or _within(row.at.date(), since, until):
                yield row


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the file's bytes, in hexadecimal: what its import is known by."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ImportUnreadable(f"{path}: {error.strerror}") from None


@contextmanager
def _text(path: Path, encoding: str) -> Generator[TextIOWrapper]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as binary:
            yield TextIOWrapper(binary, encoding=encoding, newline="")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ImportUnreadable(f"{path}: {error}") from None


def _row(number: int, record: dict[str, str], mapping: Mapping) -> Row | Unreadable:
    columns = mapping.columns
    invoice, sku = (record[columns.invoice] or "").strip(), (record[columns.sku] or "").strip()
    if not invoice or not sku:
        return Unreadable(number=number, invoice=invoice, sku=sku, detail="no invoice number or stock code")
    try:
        return Row(
            number=number,
            invoice=invoice,
            sku=sku,
            name=(record[columns.name] or "").strip(),
            quantity=int(record[columns.quantity]),
            at=mapping.instant(record[columns.at]),
            price=Decimal(record[columns.price]),
            customer=(record[columns.customer] or "").strip().removesuffix(mapping.customer_suffix) or None,
            country=(record[columns.country] or "").strip(),
        )
    except (ValueError, TypeError, InvalidOperation) as error:
        return Unreadable(number=number, invoice=invoice, sku=sku, detail=str(error) or type(error).__name__)


def _within(day: date, since: date | None, until: date | None) -> bool:
    return (since is None or day >= since) and (until is None or day <= until)

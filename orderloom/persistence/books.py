"""
The books of an order: the rows that its transactions look at, each set as one JSON column.

All of them come with the statement that locks the order. That is one statement where a transaction would otherwise read
one after another, and costs PostgreSQL a fraction of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

from pydantic_core import from_json, to_json
from sqlalchemy import Executable, Table, Text, bindparam, column, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.inventory import reservations
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import delivery_groups, order_lines
from orderloom.persistence.tables.payments import invoices, payment_intents, payments

type Rows = Sequence[Sequence[Any]]
"""Values of columns as JSON has them: dates are text."""


@dataclass(frozen=True)
class Book:
    """Rows of one table that belong to an order."""

    name: str
    table: Table
    columns: tuple[str, ...]
    """Expressions; a row has their values in this order."""
    more: str = ""
    """Which of the order's rows, and how they are summed."""
    order: str = ""

    def column(self, of: str) -> str:
        """Return the column of a query that tells the rows of the order *of*; null if there are none."""
        values = ", ".join(f"r.c{number}" for number in range(len(self.columns)))
        given = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(self.columns))
        rows = f"SELECT {given} FROM {self.table.name} WHERE order_id = {of} {self.more}"  # noqa: S608  # names of ours
        order = f" ORDER BY {self.order}" if self.order else ""
        return f"(SELECT json_agg(json_build_array({values}){order}) FROM ({rows}) r)::text AS {self.name}"  # noqa: S608  # names of ours


LINES = Book(
    "lines",
    order_lines,
    (
        "id",
        "position",
        "kind",
        "sku",
        "name",
        "delivery_group_id",
        "quantity",
        "unit_price",
        "line_amount",
        "adjustment",
        "tax",
        "tax_category",
        "tax_rate::text",
        "fulfilment",
        "sold_ahead",
        "release_at",
    ),
    order="c1",
)
"""What was ordered; charges are lines, too."""
BALANCES = Book(
    "balances",
    unit_entries,
    ("line_id", "state", "place", "fulfillment_order_id", "SUM(quantity)", "SUM(amount)", "SUM(tax)"),
    more="GROUP BY 1, 2, 3, 4 HAVING SUM(quantity) <> 0 OR SUM(amount) <> 0 OR SUM(tax) <> 0",
)
"""Where the units are: balances of accounts that are not zero, the counter-account included."""
DESTINATIONS = Book(
    "destinations",
    delivery_groups,
    ("id", "country", "latitude", "longitude", "pickup_location_id"),
    order="c0",
)
FULFILLMENT_ORDERS = Book(
    "fulfillment_orders",
    fulfillment_orders,
    ("id", "status", "location_id", "delivery_group_id", "kind", "attempt", "hold_reason", "capacity_day"),
)
RESERVED = Book(
    "reserved",
    reservations,
    ("id", "line_id", "sku", "group_id", "location_id", "quantity", "fulfillment_order_id"),
    more="AND status = 'active'",
    order="c0",
)
"""What is held for it, the oldest first."""
INVOICES = Book(
    "invoices",
    invoices,
    ("id", "fulfillment_order_id", "voided_at IS NOT NULL", "amount + tax"),
)
MONEY = Book(
    "money",
    money_entries,
    ("account", "payment_id", "document_id", "SUM(amount)"),
    more="GROUP BY 1, 2, 3 HAVING SUM(amount) <> 0",
    order="c0, c1, c2",
)
"""Balances of the ledger of money that are not zero."""
PAYMENTS = Book(
    "payments",
    payments,
    ("id", "position", "method", "amount", "gateway", "token", "authorization_ref"),
    order="c1, c0",
)
INTENTS = Book(
    "intents",
    payment_intents,
    (
        "id",
        "payment_id",
        "operation",
        "amount",
        "document_id",
        "action_key",
        "outcome",
        "reference",
        "capture_ref",
        "code",
    ),
    order="length(c0), c0",
)
"""What gateways were asked, in the order of writing."""
EXCEPTIONS = Book("exceptions", process_exceptions, ("id", "status"), more="AND status IN ('new', 'triaged')")
"""The process exceptions that wait for somebody."""

ALL = (
    LINES,
    BALANCES,
    DESTINATIONS,
    FULFILLMENT_ORDERS,
    RESERVED,
    INVOICES,
    MONEY,
    PAYMENTS,
    INTENTS,
    EXCEPTIONS,
)
ALL_COLUMNS = tuple(column(book.name, Text) for book in ALL)


def columns(of: str, books: Sequence[Book] = ALL) -> str:
    """Return the columns of a query that tell *books* of the order *of*, for ``Books``."""
    return ", ".join(book.column(of) for book in books)


class Books:
    """Books of one order, as they were read or as it is known that they are."""

    def __init__(self, told: Mapping[Book, str | None]) -> None:
        """Take what was read, as text: a book that nobody opens is not even parsed."""
        self._told = dict(told)
        self._rows: dict[Book, Rows] = {}

    @classmethod
    def of_row(cls, row: Any, books: Sequence[Book] = ALL) -> Self:
        """Take a row with the columns of *books*."""
        return cls({book: getattr(row, book.name) for book in books})

    @classmethod
    def of_rows(cls, rows: Mapping[Book, Rows]) -> Self:
        """Take the rows of books, such as those of another time."""
        return cls({book: to_json(values).decode() for book, values in rows.items()})

    @classmethod
    def of_new_order(cls) -> Self:
        """Return the books of an order before anything of it is entered."""
        return cls(dict.fromkeys(ALL))

    def known(self, book: Book) -> bool:
        """Return whether the rows of *book* need not be read."""
        return book in self._told

    def rows(self, book: Book) -> Rows:
        """Return the rows of a book that is known."""
        if (rows := self._rows.get(book)) is None:
            told = self._told[book]
            rows = self._rows[book] = [] if told is None else from_json(told)
        return rows

    def learn(self, told: Mapping[Book, str | None]) -> None:
        """Take in what was read anew."""
        self._told |= told
        self._rows = {book: rows for book, rows in self._rows.items() if book not in told}

    def forget(self, table: Table) -> None:
        """Have what *table* holds read again when it is needed: rows of it are entered or changed."""
        for book in ALL:
            if book.table is table:
                self._told.pop(book, None)
                self._rows.pop(book, None)

    def copy(self) -> "Books":
        """Return what is known now."""
        return Books(self._told)


@cache
def _of_one(books: Sequence[Book]) -> Executable:
    given = [column(book.name, Text) for book in books]
    return text(f"SELECT {columns(':order_id', books)}").columns(*given)


async def read_told(conn: AsyncConnection, order_id: str, books: Sequence[Book]) -> dict[Book, str | None]:
    """Return what *books* of an order tell, for ``Books``; one statement."""
    row = (await conn.execute(_of_one(tuple(books)), {"order_id": order_id})).one()
    return dict(zip(books, row, strict=True))


async def read_books(conn: AsyncConnection, order_id: str, *books: Book) -> Books:
    """Return *books* of an order, all unless some are named; one statement."""
    return Books(await read_told(conn, order_id, books or ALL))


@cache
def _of_many(books: Sequence[Book]) -> Executable:
    given = [column("id", Text), *(column(book.name, Text) for book in books)]
    query = text(f"SELECT o.id, {columns('o.id', books)} FROM orders o WHERE o.id = ANY(:order_ids)")  # noqa: S608  # names of ours
    return query.bindparams(bindparam("order_ids", type_=ARRAY(Text))).columns(*given)


async def read_books_of(conn: AsyncConnection, order_ids: Sequence[str], *books: Book) -> dict[str, Books]:
    """Return *books* of several orders; one statement."""
    rows = await conn.execute(_of_many(books), {"order_ids": list(order_ids)})
    return {row.id: Books.of_row(row, books) for row in rows}

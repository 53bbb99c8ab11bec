"""
How an order stands: the sums that its header is made of.

They are made of the books that come with the order's lock, and a transaction keeps them up to date as it moves units
and money: most transactions need not read them again to tell what they led to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds
from orderloom.domain.units import Movement, UnitState
from orderloom.persistence.books import (
    BALANCES,
    EXCEPTIONS,
    FULFILLMENT_ORDERS,
    INTENTS,
    LINES,
    MONEY,
    PAYMENTS,
    Book,
    Books,
    read_books,
)
from orderloom.persistence.ledgers import funds_of
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.payments import payment_intents, payments

_NOT_OWED = frozenset({UnitState.SOURCE, UnitState.CANCELLED, UnitState.RETURNED})
_ACTIVE = {
    fulfillment_orders: frozenset({"allocated", "accepted", "picked"}),
    process_exceptions: frozenset({"new", "triaged"}),
}


class Standing:
    """
    Sums of one order.

    Attributes:
        units: product units by state.
        grand_total: minor units, with tax, of what is neither cancelled nor returned.
    """

    def __init__(self, books: Books) -> None:
        """Take the order's books, all of them."""
        products = {row[0] for row in books.rows(LINES) if row[2] == "product"}
        self.units: dict[UnitState, int] = {}
        self.grand_total = 0
        for line, named, _, _, quantity, amount, tax in books.rows(BALANCES):
            self._add(UnitState(named), quantity, amount + tax, counted=line in products)
        self._active: dict[Table, set[str]] = {fulfillment_orders: set(), process_exceptions: set()}
        for book in (FULFILLMENT_ORDERS, EXCEPTIONS):
            for id, status, *_ in books.rows(book):
                self._follow(book.table, id, status)
        self._money = list(books.rows(MONEY))
        self._payments = list(books.rows(PAYMENTS))
        self._intents = {row[0]: row for row in books.rows(INTENTS)}
        self._funds: OrderFunds | None = None

    @property
    def fulfilling(self) -> int:
        """Return how many fulfillment orders are open."""
        return len(self._active[fulfillment_orders])

    @property
    def exceptions(self) -> int:
        """Return how many process exceptions are active: those that wait for somebody."""
        return len(self._active[process_exceptions])

    def move(self, movements: Sequence[Movement], products: Collection[str]) -> None:
        """Move units from state to state; *products* are the lines that are no charges."""
        for movement in movements:
            for account, sign in ((movement.source, -1), (movement.target, 1)):
                quantity, money = sign * movement.quantity, sign * (movement.amount + movement.tax)
                self._add(account.state, quantity, money, counted=movement.line_id in products)

    def _add(self, state: UnitState, quantity: int, money: int, *, counted: bool) -> None:
        if counted:
            self.units[state] = self.units.get(state, 0) + quantity
        if state not in _NOT_OWED:
            self.grand_total += money

    def post(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter rows into the ledger of money (``ledgers.posting_rows``)."""
        self._funds = None
        for row in rows:
            self._money.append((row["account"], row["payment_id"], row["document_id"], row["amount"]))

    def enter(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in rows that are entered into a table which these sums are made of; of others nothing is taken in."""
        self._funds = None
        if table is payments:
            self._payments += [_row(PAYMENTS, row) for row in rows]
        elif table is payment_intents:
            self._intents |= {row["id"]: _row(INTENTS, row) for row in rows}
        elif table in _ACTIVE:
            for row in rows:
                self._follow(table, row["id"], row["status"])

    def change(self, table: Table, id: str, values: Mapping[str, Any]) -> bool:
        """Take in that values of such a row are set; False: that cannot be told without reading the sums anew."""
        if table is payments:
            return False
        if table is payment_intents:
            known = self._intents.get(id)
            if known is None or "outcome" not in values:
                return False
            self._funds = None
            self._intents[id] = _row(INTENTS, {**dict(zip(INTENTS.columns, known, strict=True)), **values})
        elif table in _ACTIVE and "status" in values:
            self._follow(table, id, values["status"])
        return True

    def _follow(self, table: Table, id: str, status: str) -> None:
        if status in _ACTIVE[table]:
            self._active[table].add(id)
        else:
            self._active[table].discard(id)

    def funds(self) -> OrderFunds:
        """Return the order's money."""
        if self._funds is None:
            self._funds = funds_of(self._money, self._payments, list(self._intents.values()))
        return self._funds


def _row(book: Book, values: Mapping[str, Any]) -> Sequence[Any]:
    """Return what a book whose columns are those of its table will tell of a row."""
    return [values.get(name) for name in book.columns]


async def read_standing(conn: AsyncConnection, order_id: str) -> Standing:
    """Return how an order stands now; one statement."""
    return Standing(await read_books(conn, order_id))

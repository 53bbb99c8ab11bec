"""
How an order stands: the sums that its header is made of.

They come with the statement that locks the order, and a transaction keeps them up to date as it moves units and money:
most transactions need not read them again to tell what they led to.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Integer, Row, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds
from orderloom.domain.units import Account, Movement, UnitState
from orderloom.persistence.ledgers import FUNDS, FUNDS_COLUMNS, funds_of

STANDING = f"""
    {FUNDS},
    (SELECT jsonb_object_agg(u.state, u.units)
     FROM (SELECT e.state, SUM(e.quantity) AS units
           FROM unit_entries e JOIN order_lines l ON l.order_id = e.order_id AND l.id = e.line_id
           WHERE e.order_id = {{order}} AND l.kind = 'product' GROUP BY e.state) u) AS units,
    (SELECT COALESCE(SUM(amount + tax), 0)::bigint FROM unit_entries
     WHERE order_id = {{order}} AND state NOT IN ('source', 'cancelled', 'returned')) AS grand_total,
    (SELECT COUNT(*)::int FROM fulfillment_orders
     WHERE order_id = {{order}} AND status IN ('allocated', 'accepted', 'picked')) AS fulfilling,
    (SELECT COUNT(*)::int FROM process_exceptions
     WHERE order_id = {{order}} AND status IN ('new', 'triaged')) AS exceptions
"""  # noqa: S608  # constants of this project
"""Columns of a query about ``{order}``, for ``Standing``."""

STANDING_COLUMNS = (
    *FUNDS_COLUMNS,
    column("units", JSONB),
    column("grand_total", BigInteger),
    column("fulfilling", Integer),
    column("exceptions", Integer),
)

_READ = text(f"SELECT {STANDING.format(order=':order_id')}").columns(*STANDING_COLUMNS)

_NOT_OWED = frozenset({UnitState.SOURCE, UnitState.CANCELLED, UnitState.RETURNED})


class Standing:
    """
    Sums of one order.

    Attributes:
        units: product units by state.
        grand_total: minor units, with tax, of what is neither cancelled nor returned.
        fulfilling: open fulfillment orders.
        exceptions: active process exceptions: those that wait for somebody.
    """

    def __init__(self, row: Row[*tuple[Any, ...]]) -> None:
        """Take a row with the columns ``STANDING``."""
        counted: dict[str, int] = row.units or {}
        self.units = {UnitState(state): int(units) for state, units in counted.items()}
        self.grand_total: int = row.grand_total
        self.fulfilling: int = row.fulfilling
        self.exceptions: int = row.exceptions
        self._entries: list[Sequence[Any]] = list(row.entries or ())
        self._payments: Sequence[Sequence[Any]] = row.payments or ()
        self._intents: Sequence[Sequence[Any]] = row.intents or ()

    def move(self, movements: Sequence[Movement], products: Collection[str]) -> None:
        """Move units from state to state; *products* are the lines that are no charges."""
        for movement in movements:
            for account, sign in ((movement.source, -1), (movement.target, 1)):
                self._add(account, movement, sign, counted=movement.line_id in products)

    def _add(self, account: Account, movement: Movement, sign: int, *, counted: bool) -> None:
        if counted:
            self.units[account.state] = self.units.get(account.state, 0) + sign * movement.quantity
        if account.state not in _NOT_OWED:
            self.grand_total += sign * (movement.amount + movement.tax)

    def post(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Enter rows into the ledger of money (``ledgers.posting_rows``)."""
        for row in rows:
            self._entries.append((row["account"], row["payment_id"], row["document_id"], row["amount"]))

    def funds(self) -> OrderFunds:
        """Return the order's money."""
        return funds_of(self._entries, self._payments, self._intents)


async def read_standing(conn: AsyncConnection, order_id: str) -> Standing:
    """Return how an order stands now; one statement."""
    return Standing((await conn.execute(_READ, {"order_id": order_id})).one())

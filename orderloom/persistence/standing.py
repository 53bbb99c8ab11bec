"""
How an order stands: the sums that its header is made of.

They come with the statement that locks the order, and a transaction keeps them up to date as it moves units and money:
most transactions need not read them again to tell what they led to.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Self, cast

from sqlalchemy import BigInteger, Row, Table, column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.funds import OrderFunds
from orderloom.domain.units import Account, Movement, UnitState
from orderloom.persistence.ledgers import FUNDS, FUNDS_COLUMNS, funds_of
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.payments import payment_intents, payments

STANDING = f"""
    {FUNDS},
    (SELECT jsonb_object_agg(u.state, u.units)
     FROM (SELECT e.state, SUM(e.quantity) AS units
           FROM unit_entries e JOIN order_lines l ON l.order_id = e.order_id AND l.id = e.line_id
           WHERE e.order_id = {{order}} AND l.kind = 'product' GROUP BY e.state) u) AS units,
    (SELECT COALESCE(SUM(amount + tax), 0)::bigint FROM unit_entries
     WHERE order_id = {{order}} AND state NOT IN ('source', 'cancelled', 'returned')) AS grand_total,
    (SELECT jsonb_agg(id) FROM fulfillment_orders
     WHERE order_id = {{order}} AND status IN ('allocated', 'accepted', 'picked')) AS fulfilling,
    (SELECT jsonb_agg(id) FROM process_exceptions
     WHERE order_id = {{order}} AND status IN ('new', 'triaged')) AS exceptions
"""  # noqa: S608  # constants of this project
"""Columns of a query about ``{order}``, for ``Standing``."""

STANDING_COLUMNS = (
    *FUNDS_COLUMNS,
    column("units", JSONB),
    column("grand_total", BigInteger),
    column("fulfilling", JSONB),
    column("exceptions", JSONB),
)

_READ = text(f"SELECT {STANDING.format(order=':order_id')}").columns(*STANDING_COLUMNS)

_NOT_OWED = frozenset({UnitState.SOURCE, UnitState.CANCELLED, UnitState.RETURNED})
_INTENT = ("id", "payment_id", "operation", "outcome", "document_id", "amount")
_NOTHING = cast(
    "Any",
    SimpleNamespace(
        units=None, grand_total=0, fulfilling=None, exceptions=None, entries=None, payments=None, intents=None
    ),
)
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

    def __init__(self, row: Row[*tuple[Any, ...]]) -> None:
        """Take a row with the columns ``STANDING``."""
        counted: dict[str, int] = row.units or {}
        self.units = {UnitState(state): int(units) for state, units in counted.items()}
        self.grand_total: int = row.grand_total
        self._active: dict[Table, set[str]] = {
            fulfillment_orders: set(row.fulfilling or ()),
            process_exceptions: set(row.exceptions or ()),
        }
        self._entries: list[Sequence[Any]] = list(row.entries or ())
        self._payments: list[Sequence[Any]] = list(row.payments or ())
        self._intents: dict[str, Sequence[Any]] = {intent[0]: intent for intent in row.intents or ()}

    @classmethod
    def of_new_order(cls) -> Self:
        """Return how an order stands before anything of it is entered."""
        return cls(_NOTHING)

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

    def enter(self, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in rows that are entered into a table which these sums are made of; of others nothing is taken in."""
        if table is payments:
            self._payments += [_payment(row) for row in rows]
        elif table is payment_intents:
            self._intents |= {row["id"]: [row.get(name) for name in _INTENT] for row in rows}
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
            self._intents[id] = [*known[:3], values["outcome"], *known[4:]]
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
        return funds_of(self._entries, self._payments, list(self._intents.values()))


def _payment(row: Mapping[str, Any]) -> list[Any]:
    can_ask = row["token"] is not None and row["authorization_ref"] is None
    return [row["id"], row["position"], row["method"], row["amount"], can_ask]


async def read_standing(conn: AsyncConnection, order_id: str) -> Standing:
    """Return how an order stands now; one statement."""
    return Standing((await conn.execute(_READ, {"order_id": order_id})).one())

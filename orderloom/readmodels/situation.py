"""What a routing attempt of an order would see now, only looked at: no lock, nothing written."""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Executable, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import Frozen
from orderloom.domain.order import Line
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Situation
from orderloom.domain.units import Pool, UnitState
from orderloom.persistence.books import Book, Rows, read_books
from orderloom.persistence.ledgers import read_lines_and_pools
from orderloom.persistence.situation import read_situation
from orderloom.persistence.tables.orders import orders
from orderloom.persistence.waiting import read_waiting


class OrderLooked(Frozen):
    """An order's row, as far as routing looks at it."""

    id: str
    channel_id: str
    policy: ChannelPolicy
    priority: int
    ship_complete: bool


class Looker:
    """Reads what there is of one order in a snapshot."""

    def __init__(self, conn: AsyncConnection, order: OrderLooked, now: datetime) -> None:
        """Take a snapshot, the order, and business time."""
        self._conn = conn
        self._order = order
        self.now = now
        """Business time."""

    @property
    def order(self) -> OrderLooked:
        """Return the order's row."""
        return self._order

    async def lines(self) -> list[Line]:
        """Return the order's lines by position."""
        return (await read_lines_and_pools(self._conn, self._order.id))[0]

    async def pools(self, *states: UnitState) -> list[Pool]:
        """Return the balances of its units in these states, by line position."""
        _, pools = await read_lines_and_pools(self._conn, self._order.id)
        return [pool for pool in pools if pool.account.state in states]

    async def book(self, book: Book) -> Rows:
        """Return the rows of one of its books."""
        return (await read_books(self._conn, self._order.id, book)).rows(book)

    async def written(self) -> AsyncConnection:
        """Return the snapshot's connection: nothing is written here."""
        return self._conn

    def by(self, policy: RoutingPolicy) -> "Looker":
        """Return what reads the order as if *policy* were its own: what it does not look at is not read."""
        changed = self._order.policy.model_copy(update={"routing": policy})
        return Looker(self._conn, self._order.model_copy(update={"policy": changed}), self.now)

    async def read(self, query: Executable, values: dict[str, Any] | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a query."""
        return await self._conn.execute(query, values)


async def looker_of(conn: AsyncConnection, order: str, now: datetime) -> Looker | None:
    """Return what reads an order as it is in the snapshot; None: there is no such order."""
    table = orders.c
    columns = table.id, table.channel_id, table.policy, table.priority, table.ship_complete
    query = select(*columns).where(table.id == order)
    row = (await conn.execute(query)).mappings().one_or_none()
    return None if row is None else Looker(conn, OrderLooked.model_validate(row), now)


async def situation_of(looker: Looker) -> Situation | None:
    """Return what an attempt would see now; None: nothing of the order waits for a location."""
    waiting = await read_waiting(looker)
    return await read_situation(looker, waiting) if waiting.demand else None

"""The facts that an order's status, totals and changes are worked out from."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.fulfillment import STOPPABLE
from orderloom.domain.order import Line, OrderStatus, Quantities, order_status, quantities
from orderloom.domain.units import Account, Pool, UnitState
from orderloom.persistence.ledgers import read_lines_and_pools
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.ledgers import unit_entries
from orderloom.persistence.tables.orders import order_lines


@dataclass(frozen=True, kw_only=True)
class OrderFacts:
    """An order's lines and where their units stand."""

    lines: tuple[Line, ...]
    pools: tuple[Pool, ...]
    _by_line: dict[str, list[Pool]] = field(default_factory=dict[str, list[Pool]], init=False, repr=False)

    def __post_init__(self) -> None:
        for pool in self.pools:
            self._by_line.setdefault(pool.line_id, []).append(pool)

    def quantities_of(self, line: Line) -> Quantities:
        """Return the quantities of one line."""
        return quantities(self._by_line.get(line.id, ()))

    def stoppable_units(self, line: Line, fulfillment_orders: frozenset[str]) -> int:
        """Return how many units of a line are in *fulfillment_orders* and not shipped."""
        return sum(
            pool.quantity
            for pool in self._by_line.get(line.id, ())
            if pool.account.state is UnitState.ALLOCATED and pool.account.fulfillment_order in fulfillment_orders
        )

    @property
    def products(self) -> Quantities:
        """Return the quantities of all product lines together."""
        ids = {line.id for line in self.lines if line.kind == "product"}
        return quantities(pool for pool in self.pools if pool.line_id in ids)

    @property
    def status(self) -> OrderStatus:
        """Return the order's status."""
        return order_status(self.products)


async def facts_of(conn: AsyncConnection, order_id: str) -> OrderFacts:
    """Return the facts of one order, in one statement."""
    lines, pools = await read_lines_and_pools(conn, order_id)
    return OrderFacts(lines=tuple(lines), pools=tuple(pools))


async def stoppable_of(conn: AsyncConnection, order_id: str) -> frozenset[str]:
    """Return the fulfillment orders that may still give units back."""
    table = fulfillment_orders.c
    query = select(table.id).where(table.order_id == order_id, table.status.in_(STOPPABLE))
    return frozenset((await conn.execute(query)).scalars())


async def product_pools_of(conn: AsyncConnection, order_ids: Sequence[str]) -> dict[str, list[Pool]]:
    """Return the units of all product lines of each order together, by state, for many orders in one statement."""
    entry, line = unit_entries.c, order_lines.c
    product = (line.order_id == entry.order_id) & (line.id == entry.line_id) & (line.kind == "product")
    query = (
        select(entry.order_id, entry.state, func.sum(entry.quantity))
        .join(order_lines, product)
        .where(entry.order_id.in_(order_ids))
        .group_by(entry.order_id, entry.state)
    )
    found: dict[str, list[Pool]] = {}
    for order_id, state, units in await conn.execute(query):
        pool = Pool(line_id="", account=Account(state=UnitState(state)), quantity=int(units), amount=0, tax=0)
        found.setdefault(order_id, []).append(pool)
    return found

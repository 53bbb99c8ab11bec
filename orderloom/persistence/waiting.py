"""The units of an order that wait for a location."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import CursorResult, Executable
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.order import Line
from orderloom.domain.units import Pool, UnitState
from orderloom.persistence.books import Book, Rows


class Order(Protocol):
    """An order's row, as far as routing looks at it."""

    @property
    def id(self) -> str:
        """Return its id."""
        ...

    @property
    def channel_id(self) -> str:
        """Return its channel."""
        ...

    @property
    def policy(self) -> ChannelPolicy:
        """Return the settings that it keeps."""
        ...

    @property
    def priority(self) -> int:
        """Return which orders go first where stock is scarce: the higher."""
        ...

    @property
    def ship_complete(self) -> bool:
        """Return whether no part goes out before all can."""
        ...


class Reader(Protocol):
    """Reads what there is of one order: under its lock (a transaction's unit), or only looking (a preview)."""

    @property
    def order(self) -> Order:
        """Return the order's row."""
        ...

    now: datetime
    """Business time."""

    async def lines(self) -> list[Line]:
        """Return the order's lines by position."""
        ...

    async def pools(self, *states: UnitState) -> list[Pool]:
        """Return the balances of its units in these states, by line position."""
        ...

    async def book(self, book: Book) -> Rows:
        """Return the rows of one of its books."""
        ...

    async def written(self) -> AsyncConnection:
        """Return a connection that sees all that was written so far."""
        ...

    async def read(self, query: Executable, values: dict[str, Any] | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a query."""
        ...


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The product units of an order that no location has yet."""

    products: Mapping[str, Line]
    pools: Sequence[Pool]
    """Reserved ones first, then by line: a part of an order takes what is reserved before what is not."""
    reserved: Counter[str]
    """By SKU."""
    open: Counter[str]
    """By SKU: not reserved anywhere."""
    held_until: datetime | None = None
    """When preorders that are not looked at before are released; None: nothing is held back."""
    held: Sequence[Pool] = ()
    """What is held back until then."""

    @property
    def released(self) -> list[str]:
        """Return the SKUs of preorders that are released by now, and of which units are reserved nowhere."""
        lines = [self.products[pool.line_id] for pool in self.pools if pool.account.state is UnitState.OPEN]
        return sorted({_sku(line) for line in lines if line.stocked and line.release_at is not None})

    @property
    def by_group(self) -> Counter[tuple[str, str]]:
        """Return quantities by delivery group and SKU."""
        counted: Counter[tuple[str, str]] = Counter()
        for pool in self.pools:
            line = self.products[pool.line_id]
            counted[line.delivery_group, _sku(line)] += pool.quantity
        return counted

    @property
    def demand(self) -> dict[str, int]:
        """Return quantities by SKU, reserved or not."""
        return {sku: quantity for sku, quantity in sorted((self.reserved + self.open).items()) if quantity > 0}


async def read_waiting(unit: Reader) -> Waiting:
    """Return the order's product units that are open or reserved at the group, and not held until their release."""
    pools = await unit.pools(UnitState.RESERVED, UnitState.OPEN)
    return waiting_of(await unit.lines(), pools, unit.now, ship_complete=unit.order.ship_complete)


def waiting_of(lines: Iterable[Line], pools: Iterable[Pool], now: datetime, *, ship_complete: bool) -> Waiting:
    """Return the product units among *pools* that are open or reserved at the group, and not held until later."""
    products = {line.id: line for line in lines if line.kind == "product"}
    counted: dict[UnitState, Counter[str]] = {UnitState.RESERVED: Counter(), UnitState.OPEN: Counter()}
    waiting = [
        pool for pool in pools if pool.account.state in counted and pool.line_id in products and pool.quantity > 0
    ]
    held = {
        pool.line_id: until
        for pool in waiting
        if (until := products[pool.line_id].release_at) is not None and until > now
    }
    kept = [pool for pool in waiting if held and (ship_complete or pool.line_id in held)]
    if held:
        waiting = [] if ship_complete else [pool for pool in waiting if pool.line_id not in held]
    for pool in waiting:
        counted[pool.account.state][_sku(products[pool.line_id])] += pool.quantity
    ranked = sorted(waiting, key=lambda pool: (pool.account.state is UnitState.OPEN, products[pool.line_id].position))
    return Waiting(
        products=products,
        pools=ranked,
        reserved=counted[UnitState.RESERVED],
        open=counted[UnitState.OPEN],
        held_until=(max if ship_complete else min)(held.values(), default=None),
        held=kept,
    )


def _sku(line: Line) -> str:
    assert line.sku is not None, "a product has a SKU"
    return line.sku

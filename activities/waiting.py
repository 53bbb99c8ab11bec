"""The units of an order that wait for a location."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from activities.reservations import sku_of
from activities.unit import Unit
from orderloom.domain.order import Line
from orderloom.domain.units import Pool, UnitState


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

    @property
    def by_group(self) -> Counter[tuple[str, str]]:
        """Return quantities by delivery group and SKU."""
        counted: Counter[tuple[str, str]] = Counter()
        for pool in self.pools:
            line = self.products[pool.line_id]
            counted[line.delivery_group, sku_of(line)] += pool.quantity
        return counted

    @property
    def demand(self) -> dict[str, int]:
        """Return quantities by SKU, reserved or not."""
        return {sku: quantity for sku, quantity in sorted((self.reserved + self.open).items()) if quantity > 0}


async def read_waiting(unit: Unit) -> Waiting:
    """Return the order's product units that are open or reserved at the group."""
    products = {line.id: line for line in await unit.lines() if line.kind == "product"}
    pools = [
        pool
        for pool in await unit.pools(UnitState.RESERVED, UnitState.OPEN)
        if pool.line_id in products and pool.quantity > 0
    ]
    counted: dict[UnitState, Counter[str]] = {UnitState.RESERVED: Counter(), UnitState.OPEN: Counter()}
    for pool in pools:
        counted[pool.account.state][sku_of(products[pool.line_id])] += pool.quantity
    ranked = sorted(pools, key=lambda pool: (pool.account.state is UnitState.OPEN, products[pool.line_id].position))
    return Waiting(products=products, pools=ranked, reserved=counted[UnitState.RESERVED], open=counted[UnitState.OPEN])

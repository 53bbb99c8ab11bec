"""Orders: lines, and the quantities, statuses and totals that are derived from the ledger of units."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import Frozen
from orderloom.domain.units import Account, Movement, Pool, UnitState

LineKind = Literal["product", "delivery", "fee"]
"""Only products are stock."""

Fulfilment = Literal["ship", "digital", "dropship"]
"""How a product reaches the customer: from stock of ours, without stock or location, or from its supplier."""


class OrderMoved(OrderloomError):
    """The order has changed since this was decided.

    Read the order again and decide anew.
    """

    code = "order.moved"
    status = 409


class Line(Frozen):
    """A line of the order as it was placed. It never changes; amounts are in minor units."""

    id: str
    position: int
    """From 1, in the order in which the channel sent them."""
    kind: LineKind
    sku: str | None
    delivery_group: str
    quantity: int
    unit_price: int
    line_amount: int
    """Quantity x unit price, before adjustments and without tax."""
    adjustment: int
    """At most 0."""
    tax: int
    """Of the adjusted amount."""
    tax_category: str
    tax_rate: Decimal | None = None
    """None when the channel gave the tax."""
    name: str = ""
    fulfilment: Fulfilment = "ship"
    """The product's when the order was placed; of charges it says nothing."""
    sold_ahead: int = 0
    """Units that were sold beyond what was available when the order was placed."""
    release_at: AwareDatetime | None = None
    """Of a preorder: it is not routed before."""

    @property
    def stocked(self) -> bool:
        """Return whether its units are promised from stock of ours: only those are ever reserved."""
        return self.kind == "product" and self.fulfilment == "ship"

    @property
    def adjusted(self) -> int:
        """Return the line amount after adjustments, without tax."""
        return self.line_amount + self.adjustment

    @property
    def total(self) -> int:
        """Return the adjusted amount with tax."""
        return self.adjusted + self.tax

    def placed(self) -> Movement:
        """Return the movement that puts all units of the line into the ledger, with all of its money."""
        return Movement(
            line_id=self.id,
            source=Account(state=UnitState.SOURCE),
            target=Account(state=UnitState.OPEN),
            quantity=self.quantity,
            amount=self.adjusted,
            tax=self.tax,
        )


class Quantities(Frozen):
    """The quantities of a line (reference 2.2). Allocated, fulfilled and return initiated count what went further."""

    ordered: int = 0
    reserved: int = 0
    """Reserved at a location group and not allocated."""
    cancelled: int = 0
    allocated: int = 0
    """All that went into a fulfillment order and stayed, shipped or not."""
    fulfilled: int = 0
    """All that was shipped, returned or not."""
    return_initiated: int = 0
    """All that is coming or has come back."""
    returned: int = 0

    @property
    def quantity(self) -> int:
        """Return what the customer has or will have."""
        return self.ordered - self.cancelled - self.returned

    @property
    def net_ordered(self) -> int:
        """Return what was ordered and not cancelled."""
        return self.ordered - self.cancelled

    @property
    def open(self) -> int:
        """Return what is neither reserved nor allocated."""
        return self.available_to_cancel - self.reserved

    @property
    def available_to_cancel(self) -> int:
        """Return what is not allocated: the pre-fulfillment zone."""
        return self.ordered - self.cancelled - self.allocated

    @property
    def available_to_fulfill(self) -> int:
        """Return what may go into a fulfillment order."""
        return self.available_to_cancel

    @property
    def in_fulfillment(self) -> int:
        """Return what is in a fulfillment order and not shipped."""
        return self.allocated - self.fulfilled

    @property
    def available_to_return(self) -> int:
        """Return what was shipped and is not coming back."""
        return self.fulfilled - self.return_initiated


_NONE_HELD = dict.fromkeys(UnitState, 0)


def quantities(pools: Iterable[Pool]) -> Quantities:
    """Return the quantities of a line, or of several together, from the balances of its units."""
    held = _NONE_HELD.copy()
    for pool in pools:
        held[pool.account.state] += pool.quantity
    return quantities_of(held)


def quantities_of(units: Mapping[UnitState, int]) -> Quantities:
    """Return the quantities of units counted by state."""
    held = {**_NONE_HELD, **units}
    returned = held[UnitState.RETURNED]
    return_initiated = returned + held[UnitState.RETURN_INITIATED]
    fulfilled = return_initiated + held[UnitState.FULFILLED]
    allocated = fulfilled + held[UnitState.ALLOCATED]
    before = held[UnitState.OPEN] + held[UnitState.RESERVED]
    return Quantities(
        ordered=before + allocated + held[UnitState.CANCELLED],
        reserved=held[UnitState.RESERVED],
        cancelled=held[UnitState.CANCELLED],
        allocated=allocated,
        fulfilled=fulfilled,
        return_initiated=return_initiated,
        returned=returned,
    )


class ItemStatus(StrEnum):
    """The status of a line, derived (reference 2.3). Quantities say more: show them beside it."""

    RETURN_INITIATED = "return_initiated"
    RETURNED = "returned"
    CANCELLED = "cancelled"
    FULFILLED = "fulfilled"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    ALLOCATED = "allocated"
    PARTIALLY_ALLOCATED = "partially_allocated"
    ORDERED = "ordered"


def item_status(q: Quantities) -> ItemStatus:
    """Return the status of a line: the first rule of the reference's list that fits."""
    rules = (
        (q.quantity > 0 and q.return_initiated == q.fulfilled > q.returned, ItemStatus.RETURN_INITIATED),
        (q.quantity == 0 and q.returned > 0, ItemStatus.RETURNED),
        (q.quantity == 0 and q.cancelled > 0, ItemStatus.CANCELLED),
        (q.quantity > 0 and q.net_ordered <= q.fulfilled, ItemStatus.FULFILLED),
        (q.quantity > 0 and q.fulfilled > 0, ItemStatus.PARTIALLY_FULFILLED),
        (q.quantity > 0 and q.quantity <= q.allocated, ItemStatus.ALLOCATED),
        (q.quantity > 0 and q.allocated > 0, ItemStatus.PARTIALLY_ALLOCATED),
    )
    return next((status for fits, status in rules if fits), ItemStatus.ORDERED)


class OrderStatus(StrEnum):
    """The status of an order, derived from its product units together."""

    WAITING = "waiting"
    """Nothing is allocated yet."""
    PARTIALLY_ALLOCATED = "partially_allocated"
    ALLOCATED = "allocated"
    PARTIALLY_FULFILLED = "partially_fulfilled"
    FULFILLED = "fulfilled"
    """All that was not cancelled is shipped; some of it may have come back."""
    RETURNED = "returned"
    CANCELLED = "cancelled"


_AS_ORDER = {
    ItemStatus.ORDERED: OrderStatus.WAITING,
    ItemStatus.RETURN_INITIATED: OrderStatus.FULFILLED,
}


def order_status(products: Quantities) -> OrderStatus:
    """
    Return the status of an order from the quantities of all its product units together.

    A pending return does not hide units that are still to be shipped, as it does in the status of a line.
    """
    if products.return_initiated != products.returned:
        products = products.model_copy(update={"return_initiated": products.returned})
    status = item_status(products)
    return _AS_ORDER.get(status) or OrderStatus(status.value)


class Totals(Frozen):
    """An order's totals in minor units (reference 2.1), over what is neither cancelled nor returned."""

    total_product_amount: int = 0
    """Before adjustments, without tax; likewise for delivery and fees."""
    total_adjusted_product_amount: int = 0
    total_adjusted_product_tax_amount: int = 0
    total_adj_product_amt_with_tax: int = 0
    total_delivery_amount: int = 0
    total_adjusted_delivery_amount: int = 0
    total_adjusted_delivery_tax_amount: int = 0
    total_adj_delivery_amt_with_tax: int = 0
    total_fee_amount: int = 0
    total_adjusted_fee_amount: int = 0
    total_adjusted_fee_tax_amount: int = 0
    total_adj_fee_amt_with_tax: int = 0
    total_amount: int = 0
    """Of all three families, adjusted, without tax."""
    total_tax_amount: int = 0
    grand_total_amount: int = 0
    """Always total amount + total tax amount."""


_LEFT = frozenset({UnitState.SOURCE, UnitState.CANCELLED, UnitState.RETURNED})


def stands(pool: Pool) -> bool:
    """Return whether the units are the customer's still: neither cancelled nor returned."""
    return pool.account.state not in _LEFT


def totals(lines: Sequence[Line], pools: Iterable[Pool]) -> Totals:
    """Return the totals of *lines* from the balances of their units."""
    by_id = {line.id: line for line in lines}
    sums: dict[str, int] = {}

    def add(name: str, value: int) -> None:
        sums[name] = sums.get(name, 0) + value

    for pool in pools:
        if stands(pool):
            line = by_id[pool.line_id]
            add(f"total_{line.kind}_amount", pool.quantity * line.unit_price)
            add(f"total_adjusted_{line.kind}_amount", pool.amount)
            add(f"total_adjusted_{line.kind}_tax_amount", pool.tax)
            add(f"total_adj_{line.kind}_amt_with_tax", pool.amount + pool.tax)
            add("total_amount", pool.amount)
            add("total_tax_amount", pool.tax)
            add("grand_total_amount", pool.amount + pool.tax)
    return Totals.model_validate(sums)

"""An order's items, totals and status as a tree, worked out by the domain from the ledger of units."""

from collections.abc import Callable
from decimal import Decimal

from orderloom.domain.order import Line, item_status, stands, totals
from orderloom.readmodels.order_facts import OrderFacts
from orderloom.scenarios.compare import Tree

type Show = Callable[[int], Decimal]
"""Minor units as an author writes them."""


def items_tree(facts: OrderFacts, show: Show) -> dict[str, Tree]:
    """Return the status, lines and totals of an order."""
    sums = totals(facts.lines, facts.pools)
    return {
        "status": facts.status.value,
        "lines": {line.id: _line(facts, line, show) for line in facts.lines},
        "totals": {
            "product": show(sums.total_product_amount),
            "adjusted_product": show(sums.total_adjusted_product_amount),
            "adjusted_delivery": show(sums.total_adjusted_delivery_amount),
            "adjusted_fee": show(sums.total_adjusted_fee_amount),
            "product_tax": show(sums.total_adjusted_product_tax_amount),
            "delivery_tax": show(sums.total_adjusted_delivery_tax_amount),
            "total": show(sums.total_amount),
            "tax": show(sums.total_tax_amount),
            "grand_total": show(sums.grand_total_amount),
        },
    }


def _line(facts: OrderFacts, line: Line, show: Show) -> Tree:
    held = facts.quantities_of(line)
    return {
        "status": item_status(held).value,
        "quantity": held.quantity,
        "ordered": held.ordered,
        "open": held.open,
        "reserved": held.reserved,
        "cancelled": held.cancelled,
        "allocated": held.allocated,
        "fulfilled": held.fulfilled,
        "return_initiated": held.return_initiated,
        "returned": held.returned,
        "available_to_cancel": held.available_to_cancel,
        "available_to_return": held.available_to_return,
        "total": show(sum(pool.amount + pool.tax for pool in facts.pools if pool.line_id == line.id and stands(pool))),
    }

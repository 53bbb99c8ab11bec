"""Previews of changes: in the words of the format, and whether the change then did what its preview had said."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.model import JsonObject
from orderloom.domain.money import exponent
from orderloom.persistence.tables.orders import change_orders
from orderloom.scenarios.compare import Difference, Tree

_NAMES = {
    "grand_total": "grand_total_amount",
    "total": "total_amount",
    "tax": "total_tax_amount",
    "product": "total_adjusted_product_amount",
    "delivery": "total_adjusted_delivery_amount",
    "excess": "total_excess_funds_amount",
    "refundable": "total_refundable_amount",
}
"""Names of the format to those of the reference."""


def balances(preview: JsonObject) -> dict[str, int]:
    """Return the balances of a preview, in minor units, by the names of the reference."""
    amounts = cast("Mapping[str, Mapping[str, Any]]", preview["balances"])
    return {name: int(money["amount"]) for name, money in amounts.items()}


def balances_tree(amounts: Mapping[str, int], currency: str) -> Tree:
    """Return balances in the words of the format."""
    digits = exponent(currency)
    return {name: Decimal(amounts[theirs]).scaleb(-digits) for name, theirs in _NAMES.items()}


async def unlike_preview(conn: AsyncConnection, order_id: str, previewed: Mapping[str, int]) -> list[Difference]:
    """Return where the order's latest change order is not what its preview had said, to the minor unit."""
    table = change_orders.c
    query = (
        select(table.balances).where(table.order_id == order_id).order_by(table.seq.desc(), table.id.desc()).limit(1)
    )
    done = cast("Mapping[str, int] | None", (await conn.execute(query)).scalar_one_or_none())
    if done is None:
        return [Difference(path="change", expected="as previewed", actual="no change order")]
    return [
        Difference(path=f"change.{name}", expected=f"{amount} as previewed", actual=str(done.get(name)))
        for name, amount in previewed.items()
        if done.get(name) != amount
    ]

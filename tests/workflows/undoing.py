"""A flow that does what can be undone, and how its order stands before and after that."""

from collections import Counter

from sqlalchemy import func, select, text

from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from tests.workflows.shop import Shop

WHOLE = """
document: {dsl: 1.0.3, namespace: test, name: whole, version: 1.2.3}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - reserve: {call: create-reservation}
  - authorize: {call: authorize-payment}
  - plan: {call: schedule-routing, with: {reason: order.placed}}
  - route: {call: find-routes, with: {schedule: "${ input.schedule }"}}
  - allocate: {call: create-fulfillment-orders, with: {attempt: "${ input.attempt }"}}
  - invoice: {call: create-invoice, with: {fulfillment_order: "${ input.fulfillment_orders[0] }"}}
  - cover: {call: ensure-funds, with: {invoice: "${ input.invoice }"}}
  - fail: {call: create-invoice, with: {fulfillment_order: nowhere}}
  - tell: {emit: {event: {with: {type: test.over, data: {}}}}}
"""
"""Promises, secures, allocates, invoices and takes the money of an order, and then fails."""

PLAN = [
    ("/do/6/cover", "ensure-funds@1", "give-back-payment@1"),
    ("/do/5/invoice", "create-invoice@1", "void-invoice@1"),
    ("/do/4/allocate", "create-fulfillment-orders@1", "cancel-fulfillment-orders@1"),
    ("/do/3/route", "find-routes@1", None),
    ("/do/2/plan", "schedule-routing@1", "withdraw-routing@1"),
    ("/do/1/authorize", "authorize-payment@1", "give-back-payment@1"),
    ("/do/0/reserve", "create-reservation@1", "release-reservation@1"),
]
"""What undoing it does: task, action, and what undoes it."""

UNDONE = Counter(
    {
        "order.placed": 1,
        "stock.reserved": 1,
        "payment.authorised": 1,
        "routing.scheduled": 1,
        "routing.attempted": 1,
        "fulfillment.created": 1,
        "invoice.created": 1,
        "payment.captured": 1,
        "exception.raised": 1,
        "exception.resolve.requested": 1,
        "exception.resolved": 1,
        "payment.refunded": 1,
        "invoice.voided": 1,
        "fulfillment.cancelled": 1,
        "flow.compensated": 1,
    }
)
"""The journal once all is undone, without what gateways repeat."""


async def money(shop: Shop, order: str) -> dict[str, int]:
    """Return the balances of the order's money that are not zero."""
    total = func.sum(money_entries.c.amount)
    query = (
        select(money_entries.c.account, total.label("amount"))
        .where(money_entries.c.order_id == order)
        .group_by(money_entries.c.account)
        .having(total != 0)
    )
    async with shop.stack.engine.connect() as conn:
        return {row.account: int(row.amount) for row in await conn.execute(query)}


async def units(shop: Shop, order: str) -> dict[str, int]:
    """Return the order's units by state, where there are any."""
    total = func.sum(unit_entries.c.quantity)
    query = (
        select(unit_entries.c.state, total.label("quantity"))
        .where(unit_entries.c.order_id == order, unit_entries.c.state != "source")
        .group_by(unit_entries.c.state)
        .having(total != 0)
    )
    async with shop.stack.engine.connect() as conn:
        return {row.state: int(row.quantity) for row in await conn.execute(query)}


async def stock(shop: Shop) -> list[tuple[str, str, int, int]]:
    """Return place, SKU, what is on hand and what is reserved."""
    query = text(
        "SELECT location_id, sku, on_hand, reserved FROM stock "
        "UNION ALL SELECT group_id, sku, on_hand, reserved FROM group_stock ORDER BY 1, 2"
    )
    async with shop.stack.engine.connect() as conn:
        return [(row[0], row[1], row[2], row[3]) for row in await conn.execute(query)]


async def is_undone(shop: Shop, order: str) -> None:
    """Check that nothing of the flow is left but its traces."""
    assert await money(shop, order) == {"customer": -9_500, "ordered": 9_500, "gateway": -9_500, "refunded": 9_500}
    assert await units(shop, order) == {"open": 2}
    assert await stock(shop) == [
        ("all", "lamp", 1000, 0),
        ("all", "mug", 1000, 0),
        ("vienna", "lamp", 1000, 0),
        ("vienna", "mug", 1000, 0),
    ]
    view: JsonObject = await shop.get(f"/v1/orders/{order}")
    assert [fulfillment["status"] for fulfillment in view["fulfillment_orders"]] == ["cancelled"]
    assert [invoice["voided_at"] is not None for invoice in view["invoices"]] == [True]
    assert await shop.findings() == []

"""Cancellations and returns in the ledgers, on stock and in change orders."""

import pytest

from orderloom.contracts import actions
from orderloom.contracts.actions import EnsureFunds, ForFulfillmentOrder, ForRequest, Nothing
from orderloom.domain.changes import ChangeRefused, QuantityUnavailable
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.fulfillment import fulfillment_orders
from orderloom.persistence.tables.inventory import group_stock, reservations, stock
from orderloom.persistence.tables.ledgers import money_entries, unit_entries
from orderloom.persistence.tables.orders import change_order_lines, change_orders

from .rows import B, card
from .shop import Shop

F1 = "100001-F1"


async def _cancel(shop: Shop, line: str, quantity: int, **more: object) -> JsonObject:
    reduce = bool(more.pop("reduce_delivery", False))
    item = {"line": line, "quantity": quantity, "reason": "changed mind", "reduce_delivery": reduce}
    request = await shop.request({"items": [item], **more})  # pyright: ignore[reportArgumentType]
    return await shop.run(actions.cancel_items, ForRequest(request=request))


async def test_a_cancellation_before_capture_lowers_the_order(shop: Shop) -> None:
    """G12: X x 1 lowers the order by 24.75; later 68.75 are invoiced and captured, and 24.75 reversed."""
    await shop.place(B, card(9350))

    assert await _cancel(shop, "X", 1) == {"change_order": "100001-C1", "total": 2475, "excess": 0}

    assert await shop.rows(change_orders, "kind", "before_fulfillment") == [("cancel", True)]
    assert await shop.rows(change_order_lines, "line_id", "quantity", "amount", "tax", "reason") == [
        ("X", 1, -2250, -225, "changed mind")
    ]
    assert (await shop.funds()).ordered == 6875
    assert await shop.journal("items", "order.cancelled") == ["items.cancelled"]

    await shop.allocate(F1, {"X": 1, "Y": 1, "D": 1})
    await shop.ship(F1)
    invoice = await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    assert invoice["total"] == 6875
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=str(invoice["invoice"])))
    assert await shop.outside(actions.reverse_authorization, Nothing()) == {"amount": 2475}


async def test_the_delivery_charge_goes_down_with_the_goods(shop: Shop) -> None:
    """G12 with the flag: delivery goes down by 3.00 and 0.30, the order by 28.05 to 65.45."""
    await shop.place(B, card(9350))

    changed = await _cancel(shop, "X", 1, reduce_delivery=True)

    assert changed["total"] == 2805
    assert await shop.rows(change_order_lines, "line_id", "quantity", "amount", "tax") == [
        ("D", 0, -300, -30),
        ("X", 1, -2250, -225),
    ]
    assert (await shop.funds()).ordered == 6545


@pytest.mark.parametrize(
    ("line", "quantity", "life_cycle", "error"),
    [
        pytest.param("X", 3, "managed", QuantityUnavailable, id="more than there is"),
        pytest.param("D", 1, "managed", ChangeRefused, id="delivery charge"),
        pytest.param("X", 1, "unmanaged", ChangeRefused, id="unmanaged"),
        pytest.param("Z", 1, "managed", ChangeRefused, id="unknown line"),
    ],
)
async def test_what_cannot_be_cancelled_changes_nothing(
    shop: Shop, line: str, quantity: int, life_cycle: str, error: type[Exception]
) -> None:
    """G12: a refused cancellation leaves no row in either ledger."""
    await shop.place(B, card(9350), life_cycle=life_cycle)
    before = await shop.count(unit_entries), await shop.count(money_entries)

    with pytest.raises(error):
        await _cancel(shop, line, quantity)

    assert (await shop.count(unit_entries), await shop.count(money_entries)) == before
    assert await shop.count(change_orders) == 0
    assert await shop.journal("items") == []


async def test_allocated_items_are_given_back_and_cancelled(shop: Shop) -> None:
    """G15: X x 1 leaves its fulfillment order, its reservation ends at the location and its group, one stays."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})

    assert await _cancel(shop, "X", 1) == {"change_order": "100001-C1", "total": 2475, "excess": 0}

    assert await shop.units() == {
        ("X", "allocated"): 1,
        ("X", "cancelled"): 1,
        ("Y", "allocated"): 1,
        ("D", "allocated"): 1,
    }
    assert ("A", "X", 10, 1) in await shop.rows(stock, "location_id", "sku", "on_hand", "reserved")
    assert ("X", 1) in await shop.rows(group_stock, "sku", "reserved")
    assert await shop.rows(fulfillment_orders, "status") == [("allocated",)]
    active = [row for row in await shop.rows(reservations, "line_id", "quantity", "status") if row[2] == "active"]
    assert active == [("X", 1, "active"), ("Y", 1, "active")]


async def test_allocated_items_stay_when_the_caller_says_so(shop: Shop) -> None:
    """G15 with ``refuse``: 0 are available, and nothing changes."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})

    with pytest.raises(QuantityUnavailable) as caught:
        await _cancel(shop, "X", 1, allocated="refuse")

    assert caught.value.facts["available"] == 0
    assert (await shop.units())["X", "allocated"] == 2
    assert ("A", "X", 2) in await shop.rows(stock, "location_id", "sku", "reserved")


async def test_shipped_items_are_not_cancelled(shop: Shop) -> None:
    """What has left is returned, not cancelled."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)

    with pytest.raises(QuantityUnavailable):
        await _cancel(shop, "X", 1)

    assert await shop.count(change_orders) == 0


async def test_an_order_of_which_nothing_is_left_is_cancelled(shop: Shop) -> None:
    """All units of the fulfillment order go: it is cancelled, so is the order, its charge included; all is reversed."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    items: JsonObject = {"items": [{"line": "X", "quantity": 2}, {"line": "Y", "quantity": 1}]}
    request = await shop.request(items)

    changed = await shop.run(actions.cancel_items, ForRequest(request=request))

    assert changed == {"change_order": "100001-C1", "total": 9350, "excess": 0}
    assert await shop.rows(fulfillment_orders, "status") == [("cancelled",)]
    assert await shop.journal("items", "order.cancelled") == ["items.cancelled", "order.cancelled"]
    assert {reserved for (reserved,) in await shop.rows(stock, "reserved")} == {0}
    assert {reserved for (reserved,) in await shop.rows(group_stock, "reserved")} == {0}
    assert await shop.outside(actions.reverse_authorization, Nothing()) == {"amount": 9350}


async def test_a_return_moves_units_and_no_stock(shop: Shop) -> None:
    """What comes back is not restocked, and money waits for the credit memo."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    on_hand = await shop.rows(stock, "on_hand")
    request = await shop.request({"items": [{"line": "X", "quantity": 1, "reason": "damaged"}]})

    changed = await shop.run(actions.return_items, ForRequest(request=request))

    assert changed == {"change_order": "100001-C1", "total": 2475, "excess": 0}
    assert await shop.rows(change_orders, "kind", "before_fulfillment") == [("return", False)]
    assert (await shop.units())["X", "returned"] == 1
    assert await shop.rows(stock, "on_hand") == on_hand
    assert (await shop.funds()).credited == 0
    assert await shop.journal("items") == ["items.returned"]

"""Refunds go back where the money came from, and never twice."""

import pytest

from activities.intents import IntentDraft, write_intents
from activities.transaction import ActionFailed
from orderloom.contracts import actions
from orderloom.contracts.actions import (
    EnsureFunds,
    EnsureRefunds,
    ForChangeOrder,
    ForFulfillmentOrder,
    ForRequest,
    Nothing,
)
from orderloom.contracts.outside import GatewayOperation, GatewayOutcome, Outcome
from orderloom.domain.changes import QuantityUnavailable
from orderloom.domain.errors import NotFound
from orderloom.domain.payments import RefundExceedsPaid
from orderloom.persistence.tables.payments import credit_memo_lines, credit_memos, payment_intents

from .rows import B, card
from .shop import Shop

F1, F2, I1 = "100001-F1", "100001-F2", "100001-I1"


async def _paid(shop: Shop) -> None:
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1))


async def _return(shop: Shop, **units: int) -> str:
    items = [{"line": line, "quantity": quantity, "reason": "damaged"} for line, quantity in units.items()]
    command = ForRequest(request=await shop.request({"items": items}))
    return str((await shop.run(actions.return_items, command))["change_order"])


async def _credit(shop: Shop, change_order: str) -> dict[str, object]:
    return dict(await shop.run(actions.create_credit_memo, ForChangeOrder(change_order=change_order)))


async def test_a_blind_return_is_credited_and_refunded(shop: Shop) -> None:
    """G16: X comes back one by one: change order -24.75, memo 24.75, refund 24.75, and a third is refused."""
    await _paid(shop)

    first = await _return(shop, X=1)
    assert await _credit(shop, first) == {"credit_memo": "100001-M1", "total": 2475}
    refunds = EnsureRefunds(credit_memo="100001-M1")
    assert await shop.outside(actions.ensure_refunds, refunds) == {"amount": 2475}
    assert (await shop.funds()).payments[0].available_to_refund == 6875
    assert await shop.units() == {
        ("X", "fulfilled"): 1,
        ("X", "returned"): 1,
        ("Y", "fulfilled"): 1,
        ("D", "fulfilled"): 1,
    }

    second = await _return(shop, X=1)
    assert await _credit(shop, second) == {"credit_memo": "100001-M2", "total": 2475}
    with pytest.raises(QuantityUnavailable):
        await _return(shop, X=1)
    assert await shop.rows(credit_memo_lines, "line_id", "quantity", "amount", "tax") == [
        ("X", 1, 2250, 225),
        ("X", 1, 2250, 225),
    ]
    assert shop.books.statement().totals["EUR"].refunded == 2475


async def test_a_memo_is_refunded_once(shop: Shop) -> None:
    """Asked again for the same memo, nothing is left to refund; an unknown memo is not found."""
    await _paid(shop)
    memo = str((await _credit(shop, await _return(shop, X=1)))["credit_memo"])

    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo)) == {"amount": 2475}
    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo)) == {"amount": 0}
    with pytest.raises(NotFound):
        await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo="100001-M9"))

    assert len([request for request in shop.asked if request.operation is GatewayOperation.REFUND]) == 1


async def test_a_pending_refund_counts_from_the_moment_it_is_asked(shop: Shop) -> None:
    """Reference 6k: while a refund has no answer, the same memo is not refunded again."""
    await _paid(shop)
    memo = str((await _credit(shop, await _return(shop, X=1)))["credit_memo"])
    action = shop.action(EnsureRefunds(credit_memo=memo))
    [request] = (await shop.prepare(actions.ensure_refunds, action)).requests

    meanwhile = await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo))
    done = await shop.settle(actions.ensure_refunds, action, [shop.books.perform(request)])

    assert meanwhile == {"amount": 0}
    assert done.output == {"amount": 2475}
    assert (await shop.funds()).refunded == 2475


async def test_a_refused_refund_can_be_asked_for_again(shop: Shop) -> None:
    """A refund that the gateway refused no longer counts."""
    await _paid(shop)
    memo = str((await _credit(shop, await _return(shop, X=1)))["credit_memo"])
    action = shop.action(EnsureRefunds(credit_memo=memo))
    [request] = (await shop.prepare(actions.ensure_refunds, action)).requests
    refused = GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.FAILED, code="later")

    with pytest.raises(ActionFailed):
        await shop.settle(actions.ensure_refunds, action, [refused])

    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo)) == {"amount": 2475}


async def test_one_memo_goes_back_to_several_captures_of_a_payment(shop: Shop) -> None:
    """G10 returned whole but for delivery: 82.50 goes back as 60.50 and 22.00, each to its own capture."""
    await shop.place(B, card(9350))
    for number, (units, location) in enumerate([({"X": 2, "D": 1}, "A"), ({"Y": 1}, "B")], start=1):
        await shop.allocate(f"100001-F{number}", units, location)
        await shop.ship(f"100001-F{number}", location)
        await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=f"100001-F{number}"))
        await shop.outside(actions.ensure_funds, EnsureFunds(invoice=f"100001-I{number}"))
    memo = str((await _credit(shop, await _return(shop, X=2, Y=1)))["credit_memo"])

    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo)) == {"amount": 8250}

    refunds = [(r.reference, r.amount) for r in shop.asked if r.operation is GatewayOperation.REFUND]
    assert refunds == [("capture:100001-T1", 6050), ("capture:100001-T2", 2200)]
    assert shop.books.statement().totals["EUR"].refunded == 8250


async def test_more_than_was_paid_is_not_refunded(shop: Shop) -> None:
    """A memo of an invoice that was never paid is refused, and no intent is written."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    memo = str((await _credit(shop, await _return(shop, X=1)))["credit_memo"])

    with pytest.raises(RefundExceedsPaid) as caught:
        await shop.outside(actions.ensure_refunds, EnsureRefunds(credit_memo=memo))

    assert caught.value.facts == {"asked": 2475, "refundable": 0}
    assert await shop.count(payment_intents) == 0


async def test_excess_after_a_cancellation_is_refunded(shop: Shop) -> None:
    """G13: captured at placing, Y is cancelled: excess 33.00, no credit memo, refund 33.00, 60.50 left to refund."""
    await shop.place(B, card(9350))
    await shop.outside(actions.capture_payment, Nothing())
    request = await shop.request({"items": [{"line": "Y", "quantity": 1}]})

    changed = await shop.run(actions.cancel_items, ForRequest(request=request))

    assert changed == {"change_order": "100001-C1", "total": 3300, "excess": 3300}
    assert (await shop.funds()).refundable == 3300
    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(excess=True)) == {"amount": 3300}
    funds = await shop.funds()
    assert (funds.excess, funds.payments[0].refunded, funds.payments[0].available_to_refund) == (0, 3300, 6050)
    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(excess=True)) == {"amount": 0}
    assert await shop.count(credit_memos) == 0
    assert shop.books.statement().totals["EUR"].refunded == 3300


async def test_excess_is_never_taken_from_what_invoices_hold(shop: Shop) -> None:
    """After everything is invoiced and paid there is no excess, so asking for it refunds nothing."""
    await _paid(shop)

    assert await shop.outside(actions.ensure_refunds, EnsureRefunds(excess=True)) == {"amount": 0}
    assert [request.operation for request in shop.asked] == [GatewayOperation.CAPTURE]


async def test_a_change_order_is_credited_once(shop: Shop) -> None:
    """Asked again under another key, the memo that there is answers."""
    await _paid(shop)
    change_order = await _return(shop, X=1)

    assert await _credit(shop, change_order) == await _credit(shop, change_order)
    assert await shop.count(credit_memos) == 1
    assert (await shop.funds()).credited == 2475


async def test_a_cancellation_is_not_credited(shop: Shop) -> None:
    """What was never invoiced needs no memo: the change order is not found among those of fulfilled items."""
    await shop.place(B, card(9350))
    request = await shop.request({"items": [{"line": "Y", "quantity": 1}]})
    changed = await shop.run(actions.cancel_items, ForRequest(request=request))

    with pytest.raises(NotFound):
        await _credit(shop, str(changed["change_order"]))

    assert await shop.count(credit_memos) == 0


async def test_goods_returned_before_their_invoice_are_invoiced_and_credited(shop: Shop) -> None:
    """The invoice shows what went out, the memo what came back: nothing is owed twice or forgotten."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    change_order = await _return(shop, Y=1)

    invoice = await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    memo = await _credit(shop, change_order)

    assert (invoice["total"], memo["total"]) == (9350, 3300)


async def test_intents_of_nothing_ask_nothing(shop: Shop) -> None:
    """Writing no drafts writes no rows."""
    await shop.place(B, card(9350))

    async with shop.unit("k") as unit:
        no_drafts: list[IntentDraft] = []
        assert await write_intents(unit, no_drafts) == []
    assert await shop.count(payment_intents) == 0

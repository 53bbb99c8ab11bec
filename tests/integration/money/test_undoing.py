"""Giving money back and voiding invoices: as far as the domain allows, and never twice."""

import pytest

from activities.transaction import ActionFailed
from orderloom.contracts import actions, undoing
from orderloom.contracts.actions import AuthorizePayment, EnsureFunds, ForChangeOrder, ForFulfillmentOrder, ForRequest
from orderloom.contracts.outside import GatewayOutcome, Outcome
from orderloom.contracts.undoing import ForInvoice, GiveBackPayment
from orderloom.domain.errors import NotFound
from orderloom.domain.invoicing import AlreadyInvoiced, InvoiceTaken
from orderloom.domain.order import OrderMoved
from orderloom.persistence.tables.payments import invoices, payment_intents
from orderloom.readmodels.doctor.money import invoices_unlike_ledger, money_negative, money_unbalanced

from .rows import B, card, gift_card
from .shop import Shop

F1, F2, I1, I2 = "100001-F1", "100001-F2", "100001-I1", "100001-I2"
CALL = "100001:1@flow/do/6#0.0"


async def _invoiced(shop: Shop, *tenders: object) -> None:
    await shop.place(B, *(tenders or (card(9350),)))  # pyright: ignore
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))


async def _paid(shop: Shop, *tenders: object) -> None:
    await _invoiced(shop, *tenders)
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1), CALL)


async def _sound(shop: Shop) -> None:
    async with shop.services.engine.connect() as conn:
        for check in (invoices_unlike_ledger, money_negative, money_unbalanced):
            assert (await conn.execute(check())).all() == []


async def _give_back(shop: Shop, invoice: str | None = I1, call: str = CALL) -> object:
    return (await shop.outside(undoing.give_back_payment, GiveBackPayment(call=call, invoice=invoice)))["amount"]


async def test_what_a_call_captured_is_taken_off_its_invoice_and_refunded(shop: Shop) -> None:
    """The invoice is unpaid again, the customer has the money, and asked again there is nothing to give back."""
    await _paid(shop)

    assert await _give_back(shop) == 9350

    funds = await shop.funds()
    assert (funds.applied, funds.captured, funds.refunded, funds.authorised, funds.unpaid) == (0, 0, 9350, 0, 9350)
    assert await _give_back(shop) == 0
    assert shop.books.statement().totals["EUR"].refunded == 9350
    await _sound(shop)


async def test_what_was_applied_without_a_capture_is_free_again(shop: Shop) -> None:
    """Of a gift card that the channel has captured, nothing was captured by the call: it stays captured, and free."""
    await _paid(shop, gift_card(5000), card(4350))
    assert (await shop.funds()).applied == 9350

    assert await _give_back(shop) == 4350

    funds = await shop.funds()
    assert (funds.applied, funds.captured, funds.refunded) == (0, 5000, 4350)
    await _sound(shop)


async def test_only_the_calls_own_money_is_given_back(shop: Shop) -> None:
    """Another call's captures and intents stay, also where one key is the beginning of the other."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2})
    await shop.allocate(F2, {"Y": 1, "D": 1})
    for fulfillment_order in (F1, F2):
        await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=fulfillment_order))
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1), CALL)
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I2), f"{CALL}0")

    assert await _give_back(shop) == 4950

    funds = await shop.funds()
    assert (funds.applied, funds.refunded, funds.invoice_balance(I2)) == (4400, 4950, 0)
    await _sound(shop)


async def test_an_attempt_that_failed_in_part_is_given_back_too(shop: Shop) -> None:
    """Of two payments one was authorised before the other was declined: that one is reversed."""
    await shop.place(B, card(5000, authorised=False), card(4350, authorised=False, token="tok_decline"))
    action = shop.action(AuthorizePayment(), f"{CALL}!1")
    done = await shop.prepare(actions.authorize_payment, action)
    with pytest.raises(ActionFailed):
        await shop.settle(actions.authorize_payment, action, [shop.books.perform(it) for it in done.requests])
    assert (await shop.funds()).authorised == 5000

    assert await _give_back(shop, None) == 5000

    assert (await shop.funds()).authorised == 0
    assert [row[:2] for row in await shop.rows(payment_intents, "operation", "outcome")] == [
        ("authorize", "succeeded"),
        ("authorize", "failed"),
        ("reverse", "succeeded"),
    ]
    await _sound(shop)


async def test_an_authorisation_that_was_used_is_not_reversed(shop: Shop) -> None:
    """What was captured since it was authorised is the capturing call's to give back."""
    await shop.place(B, card(9350, authorised=False))
    await shop.outside(actions.authorize_payment, AuthorizePayment(), CALL)
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1))

    assert await _give_back(shop, None) == 0

    assert ((await shop.funds()).applied, (await shop.funds()).refunded) == (9350, 0)


async def test_a_call_without_an_answer_is_not_given_back_yet(shop: Shop) -> None:
    """While nobody knows whether it captured, nothing is asked, and nothing is taken off the invoice."""
    await _invoiced(shop)
    await shop.prepare(actions.ensure_funds, shop.action(EnsureFunds(invoice=I1), CALL))

    with pytest.raises(OrderMoved):
        await _give_back(shop)

    assert await shop.rows(payment_intents, "operation", "outcome") == [("capture", Outcome.REQUESTED)]


async def test_money_that_another_invoice_has_taken_is_not_refunded(shop: Shop) -> None:
    """Captured without an invoice and applied since: that is refused, for the invoice is paid with it."""
    await shop.place(B, card(9350))
    await shop.outside(actions.capture_payment, actions.Nothing(), CALL)
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=F1))
    await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1))

    with pytest.raises(OrderMoved):
        await _give_back(shop, None)

    assert ((await shop.funds()).applied, (await shop.funds()).refunded) == (9350, 0)


async def test_a_declined_refund_is_asked_for_again(shop: Shop) -> None:
    """It is off the invoice by then; the next try refunds it once."""
    await _paid(shop)
    action = shop.action(GiveBackPayment(call=CALL, invoice=I1))
    (request,) = (await shop.prepare(undoing.give_back_payment, action)).requests
    refused = GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.FAILED, code="closed")
    with pytest.raises(ActionFailed):
        await shop.settle(undoing.give_back_payment, action, [refused])
    assert ((await shop.funds()).captured, (await shop.funds()).refunded) == (9350, 0)

    assert await _give_back(shop) == 9350

    assert ((await shop.funds()).captured, (await shop.funds()).refunded) == (0, 9350)
    await _sound(shop)


async def test_a_void_invoice_charges_nothing_and_makes_room_for_another(shop: Shop) -> None:
    """What it charged is owed without it; the fulfillment order is invoiced again under the next number."""
    await _invoiced(shop)

    assert await shop.run(undoing.void_invoice, ForInvoice(invoice=I1)) == {"amount": 9350}

    funds = await shop.funds()
    assert (funds.invoiced, funds.ordered, funds.unpaid) == (0, 9350, 0)
    assert await shop.run(undoing.void_invoice, ForInvoice(invoice=I1)) == {"amount": 0}
    with pytest.raises(NotFound):
        await shop.outside(actions.ensure_funds, EnsureFunds(invoice=I1))
    again = ForFulfillmentOrder(fulfillment_order=F1)
    assert await shop.run(actions.create_invoice, again) == {"invoice": I2, "total": 9350}
    with pytest.raises(AlreadyInvoiced):
        await shop.run(actions.create_invoice, again)
    voided = await shop.rows(invoices, "id", "voided_at")
    assert [(id, at is not None) for id, at in voided] == [(I1, True), (I2, False)]
    await _sound(shop)


async def test_a_paid_invoice_is_not_voided(shop: Shop) -> None:
    """Money stands in it: that goes first."""
    await _paid(shop)

    with pytest.raises(InvoiceTaken):
        await shop.run(undoing.void_invoice, ForInvoice(invoice=I1))

    assert (await shop.funds()).invoiced == 9350


async def test_an_invoice_of_what_came_back_is_not_voided(shop: Shop) -> None:
    """A credit memo gives it back already."""
    await _invoiced(shop)
    await shop.ship(F1)
    request = await shop.request({"items": [{"line": "X", "quantity": 1, "reason": "damaged"}]})
    change = str((await shop.run(actions.return_items, ForRequest(request=request)))["change_order"])
    await shop.run(actions.create_credit_memo, ForChangeOrder(change_order=change))

    with pytest.raises(InvoiceTaken):
        await shop.run(undoing.void_invoice, ForInvoice(invoice=I1))

    assert (await shop.funds()).credited == 2475

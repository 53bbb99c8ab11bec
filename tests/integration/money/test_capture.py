"""Invoices are covered by captured funds, then by captures; the numbers are those of the golden scenarios."""

import pytest
from sqlalchemy import func, select

from activities.transaction import ActionFailed
from orderloom.contracts import actions
from orderloom.contracts.actions import AuthorizePayment, EnsureFunds, ForFulfillmentOrder, Nothing
from orderloom.domain.errors import NotFound
from orderloom.domain.invoicing import AlreadyInvoiced
from orderloom.domain.payments import FundsInsufficient, PaymentDeclined
from orderloom.persistence.tables.ledgers import money_entries
from orderloom.persistence.tables.payments import invoice_lines, invoices, payment_intents

from .rows import B, LineSpec, PaymentSpec, card, gift_card, on_account
from .shop import Shop

F1, F2, I1, I2 = "100001-F1", "100001-F2", "100001-I1", "100001-I2"
S100 = {"S": LineSpec(quantity=1, amount=10_000, tax=0)}


async def _invoiced(shop: Shop, fulfillment_order: str = F1) -> dict[str, object]:
    return dict(await shop.run(actions.create_invoice, ForFulfillmentOrder(fulfillment_order=fulfillment_order)))


async def _ensure(shop: Shop, invoice: str = I1) -> dict[str, object]:
    return dict(await shop.outside(actions.ensure_funds, EnsureFunds(invoice=invoice)))


async def test_one_shipment_is_invoiced_and_captured_whole(shop: Shop) -> None:
    """G9: an invoice of 93.50, one capture of 93.50, an invoice balance of 0 and 93.50 left to refund."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)

    assert await _invoiced(shop) == {"invoice": I1, "total": 9350}
    assert await _ensure(shop) == {"applied": 9350, "captured": 9350}

    funds = await shop.funds()
    [payment] = funds.payments
    assert funds.invoice_balance(I1) == 0
    assert (payment.available_to_capture, payment.available_to_refund) == (0, 9350)
    assert (funds.excess, funds.to_reverse, funds.to_authorize) == (0, 0, 0)
    assert await shop.rows(invoice_lines, "line_id", "quantity", "amount", "tax") == [
        ("D", 1, 1000, 100),
        ("X", 2, 4500, 450),
        ("Y", 1, 3000, 300),
    ]
    assert await shop.journal("invoice", "payment") == ["invoice.created", "payment.captured"]
    assert shop.books.statement().totals["EUR"].captured == 9350


async def test_a_split_shipment_has_two_invoices(shop: Shop) -> None:
    """G10: X and delivery are 60.50 and Y is 33.00; after the first, 33.00 are left to capture."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "D": 1})
    await shop.allocate(F2, {"Y": 1}, "B")
    await shop.ship(F1)

    assert await _invoiced(shop, F1) == {"invoice": I1, "total": 6050}
    assert await _ensure(shop, I1) == {"applied": 6050, "captured": 6050}
    assert (await shop.funds()).payments[0].available_to_capture == 3300
    assert await shop.count(invoices) == 1

    await shop.ship(F2, "B")
    assert await _invoiced(shop, F2) == {"invoice": I2, "total": 3300}
    assert await _ensure(shop, I2) == {"applied": 3300, "captured": 3300}
    [row] = shop.books.statement().rows
    assert (row.captured, row.captures) == (9350, 2)


async def test_a_fulfillment_order_is_invoiced_once(shop: Shop) -> None:
    """A second invoice is refused with the first one's id, under another key too; the same key repeats the answer."""
    await shop.place(B, card(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    command = ForFulfillmentOrder(fulfillment_order=F1)
    first = await shop.run(actions.create_invoice, command, key="k")

    with pytest.raises(AlreadyInvoiced) as caught:
        await shop.run(actions.create_invoice, command)

    assert caught.value.facts == {"fulfillment_order": F1, "invoice": I1}
    assert await shop.run(actions.create_invoice, command, key="k") == first
    assert await shop.count(invoices) == 1
    assert (await shop.funds()).invoiced == 9350


async def test_only_what_exists_is_invoiced_and_covered(shop: Shop) -> None:
    """Unknown fulfillment orders and invoices are not found."""
    await shop.place(B, card(9350))

    with pytest.raises(NotFound):
        await _invoiced(shop, "100001-F9")
    with pytest.raises(NotFound):
        await _ensure(shop, "100001-I9")


async def _shipped_and_invoiced(shop: Shop, *tenders: PaymentSpec) -> None:
    await shop.place(S100, *tenders)
    await shop.allocate(F1, {"S": 1})
    await shop.ship(F1)
    await _invoiced(shop)


@pytest.mark.parametrize(
    ("cards", "captures"),
    [
        pytest.param((10_000, 7_000), {"100001-P3": 7_000}, id="exact"),
        pytest.param((10_000, 6_000), {"100001-P2": 7_000}, id="largest"),
        pytest.param((4_000, 3_500), {"100001-P2": 4_000, "100001-P3": 3_000}, id="largest, then the rest"),
        pytest.param((7_000, 7_000), {"100001-P2": 7_000}, id="equal: the first"),
    ],
)
async def test_several_tenders_cover_an_invoice(shop: Shop, cards: tuple[int, int], captures: dict[str, int]) -> None:
    """G20: 30 of the captured gift card are applied first, then the best authorisations are captured."""
    await _shipped_and_invoiced(shop, gift_card(3_000), *(card(amount) for amount in cards))

    assert await _ensure(shop) == {"applied": 10_000, "captured": 7_000}

    funds = await shop.funds()
    assert {each.payment_id: each.applied for each in funds.payments if each.applied} == {
        "100001-P1": 3_000,
        **captures,
    }
    assert {request.intent_id: request.amount for request in shop.asked} == {
        f"100001-T{number}": amount for number, amount in enumerate(captures.values(), start=2)
    }
    assert funds.invoice_balance("100001-I1") == 0


async def test_insufficient_funds_leave_nothing_behind(shop: Shop) -> None:
    """G20: short by 10.00: no intent, no posting, and nothing of the gift card is applied."""
    await _shipped_and_invoiced(shop, gift_card(3_000), card(4_000), card(2_000))
    entries = await shop.count(money_entries)

    with pytest.raises(FundsInsufficient) as caught:
        await _ensure(shop)

    assert caught.value.facts["short"] == 1_000
    assert await shop.count(money_entries) == entries
    assert await shop.rows(payment_intents, "id", "code") == [("100001-T1", "given")]
    assert (await shop.funds()).invoice_balance(I1) == 10_000
    assert shop.asked == []


async def test_a_declined_capture_fails_the_action_and_keeps_what_was_done(shop: Shop) -> None:
    """The other capture stays applied, the error names the payment, and a retry captures the rest alone."""
    await _shipped_and_invoiced(shop, card(7_000), card(7_000))
    action = shop.action(EnsureFunds(invoice=I1))
    first, second = (await shop.prepare(actions.ensure_funds, action)).requests
    outcomes = [shop.books.perform(first), shop.books.perform(second, decline="card_declined")]

    with pytest.raises(ActionFailed) as caught:
        await shop.settle(actions.ensure_funds, action, outcomes)
    with pytest.raises(ActionFailed):
        await shop.settle(actions.ensure_funds, action, outcomes)

    assert isinstance(caught.value.error, PaymentDeclined)
    assert caught.value.error.facts == {
        "payment": "100001-P2",
        "operation": "capture",
        "amount": 3_000,
        "reason": "card_declined",
    }
    assert (await shop.funds()).invoice_balance(I1) == 3_000
    assert await shop.journal("payment") == ["payment.captured", "payment.declined"]

    assert await _ensure(shop) == {"applied": 10_000, "captured": 3_000}
    assert (await shop.funds()).invoice_balance(I1) == 0


async def test_the_whole_order_is_captured_at_placing_and_applied_later(shop: Shop) -> None:
    """93.50 are captured before anything ships; the invoice then takes them without another capture."""
    await shop.place(B, card(9350))

    assert await shop.outside(actions.capture_payment, Nothing()) == {"amount": 9350}
    assert await shop.outside(actions.capture_payment, Nothing()) == {"amount": 0}
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    await _invoiced(shop)

    assert await _ensure(shop) == {"applied": 9350, "captured": 0}
    assert [request.amount for request in shop.asked] == [9350]
    assert (await shop.funds()).excess == 0


async def test_what_is_on_account_is_settled_in_our_own_books(shop: Shop) -> None:
    """An order on account is covered and nobody outside is asked."""
    await shop.place(B, on_account(9350))
    await shop.allocate(F1, {"X": 2, "Y": 1, "D": 1})
    await shop.ship(F1)
    await _invoiced(shop)

    assert await _ensure(shop) == {"applied": 9350, "captured": 9350}

    assert shop.asked == []
    assert await shop.rows(payment_intents, "operation", "outcome", "reference") == [
        ("capture", "succeeded", "account:100001-T1")
    ]
    assert (await shop.funds()).invoice_balance(I1) == 0


async def test_account_and_card_together_cover_an_invoice(shop: Shop) -> None:
    """The account's part is settled while preparing, the card's part after its gateway was asked."""
    await _shipped_and_invoiced(shop, on_account(4_000), card(6_000))

    assert await _ensure(shop) == {"applied": 10_000, "captured": 10_000}

    assert [(request.gateway, request.amount) for request in shop.asked] == [("sandbox", 6_000)]


async def test_payments_are_authorised_as_far_as_the_order_needs(shop: Shop) -> None:
    """A token of up to 100.00 is authorised for the order's 93.50; asked again, nothing is left to do."""
    await shop.place(B, card(10_000, authorised=False))

    assert (await shop.funds()).to_authorize == 9350
    assert await shop.outside(actions.authorize_payment, AuthorizePayment()) == {"amount": 9350}

    funds = await shop.funds()
    assert (funds.authorised, funds.to_authorize) == (9350, 0)
    assert await shop.outside(actions.authorize_payment, AuthorizePayment()) == {"amount": 0}
    assert await shop.journal("payment") == ["payment.authorised"]
    assert len(shop.asked) == 1


async def test_a_declined_authorisation_leaves_the_order_unsecured(shop: Shop) -> None:
    """The decline is journaled and raised; nothing is authorised."""
    await shop.place(B, card(9350, authorised=False, token="tok_decline"))

    with pytest.raises(ActionFailed) as caught:
        await shop.outside(actions.authorize_payment, AuthorizePayment())

    assert caught.value.error.code == "payment.declined"
    assert caught.value.error.facts["reason"] == "card_declined"
    assert await shop.journal("payment") == ["payment.declined"]
    assert (await shop.funds()).to_authorize == 9350


async def test_authorisations_no_longer_needed_are_given_back(shop: Shop) -> None:
    """G20's second card is reversed once the invoice is covered, and not before."""
    await _shipped_and_invoiced(shop, gift_card(3_000), card(10_000), card(7_000))

    assert await shop.outside(actions.reverse_authorization, Nothing()) == {"amount": 0}
    await _ensure(shop)
    assert await shop.outside(actions.reverse_authorization, Nothing()) == {"amount": 10_000}
    assert await shop.outside(actions.reverse_authorization, Nothing()) == {"amount": 0}

    assert (await shop.funds()).authorised == 0
    assert shop.books.statement().totals["EUR"].reversed == 10_000


async def test_every_posting_balances(shop: Shop) -> None:
    """After all of it the ledger of money sums to zero."""
    await _shipped_and_invoiced(shop, gift_card(3_000), card(10_000), card(7_000))
    await _ensure(shop)
    await shop.outside(actions.reverse_authorization, Nothing())

    async with shop.services.engine.connect() as conn:
        assert await conn.scalar(select(func.sum(money_entries.c.amount))) == 0

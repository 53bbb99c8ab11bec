"""What an order's money ledger says, posting by posting."""

from orderloom.domain.funds import Account, OrderFunds, Posting
from orderloom.domain.payments import PaymentBalance

from .conftest import funds_of

PLACED = Posting(debit=Account.CUSTOMER, credit=Account.ORDERED, amount=9350)
AUTHORISED = Posting(debit=Account.GATEWAY, credit=Account.AUTHORISED, amount=9350, payment_id="P1")


def card(**balances: int) -> PaymentBalance:
    """Return the balance of the order's card."""
    return PaymentBalance(payment_id="P1", position=1, method="card", **balances)


def invoiced(amount: int, invoice: str = "I1") -> list[Posting]:
    """Return the postings of an invoice that is captured and paid."""
    return [
        Posting(debit=Account.ORDERED, credit=Account.INVOICED, amount=amount, document_id=invoice),
        Posting(debit=Account.AUTHORISED, credit=Account.CAPTURED, amount=amount, payment_id="P1"),
        Posting(debit=Account.CAPTURED, credit=Account.APPLIED, amount=amount, payment_id="P1", document_id=invoice),
    ]


def test_an_authorised_order() -> None:
    """Right after placing nothing is excess, missing, or to be given back."""
    funds = funds_of([PLACED, AUTHORISED], [card(authorised=9350)])

    assert (funds.ordered, funds.authorised, funds.captured) == (9350, 9350, 0)
    assert (funds.excess, funds.refundable, funds.to_authorize, funds.to_reverse) == (0, 0, 0, 0)
    assert funds.balance(Account.CUSTOMER) == -9350


def test_g10_after_the_first_shipment() -> None:
    """60.50 invoiced and paid: nothing is given back while 33.00 are still to come."""
    funds = funds_of([PLACED, AUTHORISED, *invoiced(6050)], [card(authorised=3300, applied=6050)])

    assert (funds.ordered, funds.invoiced, funds.applied, funds.unpaid) == (3300, 6050, 6050, 0)
    assert funds.invoice_balance("I1") == 0
    assert funds.to_reverse == 0
    assert funds.payments[0].available_to_capture == 3300


def test_g12_what_is_authorised_too_much_is_given_back_at_the_end() -> None:
    """24.75 cancelled, 68.75 invoiced and paid: 24.75 stay authorised and are to be reversed."""
    cancelled = Posting(debit=Account.ORDERED, credit=Account.CUSTOMER, amount=2475)
    before = funds_of([PLACED, AUTHORISED, cancelled], [card(authorised=9350)])
    after = funds_of([PLACED, AUTHORISED, cancelled, *invoiced(6875)], [card(authorised=2475, applied=6875)])

    assert (before.excess, before.to_reverse) == (0, 0)
    assert (after.excess, after.to_reverse) == (0, 2475)


def test_what_is_being_reversed_or_captured_is_not_reversed_again() -> None:
    """Pending captures and reversals are left out of what is to be given back."""
    payment = card(authorised=2475, pending_capture=400, pending_reverse=75)

    assert OrderFunds(payments=(payment,)).to_reverse == 2000


def test_g13_excess_until_it_is_asked_for() -> None:
    """Captured at placing and 33.00 cancelled: 33.00 excess, none once its refund is pending or done."""
    postings = [
        PLACED,
        Posting(debit=Account.GATEWAY, credit=Account.CAPTURED, amount=9350, payment_id="P1"),
        Posting(debit=Account.ORDERED, credit=Account.CUSTOMER, amount=3300),
    ]
    refund = Posting(debit=Account.CAPTURED, credit=Account.REFUNDED, amount=3300, payment_id="P1")

    open_ = funds_of(postings, [card(captured=9350)])
    pending = funds_of(postings, [card(captured=9350, pending_refund=3300, pending_excess=3300)])
    done = funds_of([*postings, refund], [card(captured=6050, refunded=3300)])

    assert [funds.excess for funds in (open_, pending, done)] == [3300, 0, 0]
    assert [funds.payments[0].available_to_refund for funds in (open_, pending, done)] == [9350, 6050, 6050]
    assert open_.refundable == 3300
    assert done.refunded == 3300


def test_an_unpaid_invoice_is_no_excess() -> None:
    """Captured money that an invoice waits for is not excess, and nothing is reversed before it is paid."""
    funds = funds_of(
        [
            PLACED,
            Posting(debit=Account.GATEWAY, credit=Account.CAPTURED, amount=9350, payment_id="P1"),
            Posting(debit=Account.ORDERED, credit=Account.INVOICED, amount=9350, document_id="I1"),
        ],
        [card(captured=9350, authorised=100)],
    )

    assert (funds.unpaid, funds.invoice_balance("I1"), funds.excess, funds.to_reverse) == (9350, 9350, 0, 0)


def test_g16_a_credit_memo_is_refundable_until_it_is_asked_for() -> None:
    """A return of 24.75 after everything was paid: refundable 24.75, then 0; the invoice stays paid."""
    memo = Posting(debit=Account.INVOICED, credit=Account.CREDITED, amount=2475, document_id="M1")
    postings = [PLACED, AUTHORISED, *invoiced(9350), memo]
    refund = Posting(debit=Account.APPLIED, credit=Account.REFUNDED, amount=2475, payment_id="P1", document_id="M1")

    before = funds_of(postings, [card(applied=9350)])
    pending = funds_of(postings, [card(applied=9350, pending_refund=2475)], M1=2475)
    done = funds_of([*postings, refund], [card(applied=6875, refunded=2475)])

    assert [funds.memo_balance("M1") for funds in (before, pending, done)] == [2475, 0, 0]
    assert [funds.refundable for funds in (before, pending, done)] == [2475, 0, 0]
    assert [funds.payments[0].available_to_refund for funds in (before, pending, done)] == [9350, 6875, 6875]
    assert (done.invoiced, done.credited, done.unpaid, done.excess) == (6875, 2475, 0, 0)


def test_to_authorize_is_what_nothing_secures_and_a_payment_can() -> None:
    """Only as far as there are payments with a token and no authorisation."""
    enough = funds_of([PLACED], [card(authorizable=20_000)])
    some = funds_of([PLACED], [card(authorizable=5_000)])
    none = funds_of([PLACED], [card()])
    asked = funds_of([PLACED], [card(authorizable=20_000, pending_authorization=9_350)])
    account = PaymentBalance(payment_id="P2", position=2, method="account", on_account=3_350)
    partly_on_account = funds_of([PLACED], [card(authorizable=20_000), account])

    assert [funds.to_authorize for funds in (enough, some, none, asked, partly_on_account)] == [9350, 5000, 0, 0, 6000]


def test_what_is_asked_for_counts_until_it_is_answered() -> None:
    """Nothing more is to be asked for, and yet it is neither authorised nor reversed."""
    authorising = funds_of([PLACED], [card(authorizable=0, pending_authorization=9_350)])
    reversing = OrderFunds(payments=(card(authorised=2_475, pending_reverse=2_475),))

    assert (authorising.to_authorize, authorising.unauthorised) == (0, 9_350)
    assert (reversing.to_reverse, reversing.unreversed) == (0, 2_475)

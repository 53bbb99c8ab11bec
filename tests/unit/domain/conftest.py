"""The reference's base order B, as it was placed and as its ledgers stand."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from orderloom.domain.channel import TaxPolicy
from orderloom.domain.funds import Account, LedgerBalance, OrderFunds, Posting
from orderloom.domain.order import Line
from orderloom.domain.payments import PaymentBalance
from orderloom.domain.placing import PlaceOrder
from orderloom.domain.pricing import price
from orderloom.domain.units import Pool, apply

TEN_PERCENT = TaxPolicy(rates={"standard": Decimal("0.10")})


def eur(amount: int) -> dict[str, object]:
    """Return an amount as JSON."""
    return {"amount": amount, "currency": "EUR"}


def body_b(**changes: object) -> dict[str, object]:
    """Return base order B as a channel sends it."""
    return {
        "channel": "web",
        "external_id": "B-1",
        "currency": "EUR",
        "delivery_groups": [{"country": "DE"}],
        "lines": [
            {
                "id": "X",
                "sku": "X",
                "quantity": 2,
                "unit_price": eur(2500),
                "adjustments": [{"amount": eur(-500), "reason": "spring"}],
            },
            {"id": "Y", "sku": "Y", "quantity": 1, "unit_price": eur(3000)},
            {"id": "delivery", "kind": "delivery", "quantity": 1, "unit_price": eur(1000)},
        ],
        "payments": [
            {"method": "card", "amount": eur(9350), "authorization": {"reference": "a-1", "amount": eur(9350)}}
        ],
        **changes,
    }


def funds_of(postings: Iterable[Posting], payments: Iterable[PaymentBalance] = (), **pending: int) -> OrderFunds:
    """Return the money of an order whose ledger holds *postings*; *pending* is by credit memo."""
    sums: dict[tuple[Account, str | None, str | None], int] = {}
    for posting in postings:
        for account, amount in ((posting.debit, -posting.amount), (posting.credit, posting.amount)):
            key = account, posting.payment_id, posting.document_id
            sums[key] = sums.get(key, 0) + amount
    entries = tuple(
        LedgerBalance(account=account, payment_id=payment_id, document_id=document_id, amount=amount)
        for (account, payment_id, document_id), amount in sums.items()
    )
    return OrderFunds(entries=entries, payments=tuple(payments), pending_memo_refunds=pending)


@pytest.fixture
def lines() -> tuple[Line, ...]:
    """Return the priced lines of B."""
    return price(PlaceOrder.model_validate(body_b()), TEN_PERCENT, {})


@pytest.fixture
def placed(lines: tuple[Line, ...]) -> tuple[Pool, ...]:
    """Return the units of B as they stand right after placing."""
    return apply((), [line.placed() for line in lines])

"""Pricing and totals, with the numbers of the reference."""

from decimal import Decimal

import pytest

from orderloom.domain.channel import TaxPolicy
from orderloom.domain.errors import InvalidInput
from orderloom.domain.order import Line, Totals, totals
from orderloom.domain.placing import PlaceOrder
from orderloom.domain.pricing import price
from orderloom.domain.units import Pool, apply

from .conftest import TEN_PERCENT, body_b, eur


def test_base_order_b(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Base order B comes to 93.50: 75.00 of products after adjustment, 10.00 delivery, 8.50 tax."""
    assert [(line.id, line.position, line.adjusted, line.tax, line.total) for line in lines] == [
        ("X", 1, 4500, 450, 4950),
        ("Y", 2, 3000, 300, 3300),
        ("delivery", 3, 1000, 100, 1100),
    ]
    assert totals(lines, placed) == Totals(
        total_product_amount=8000,
        total_adjusted_product_amount=7500,
        total_adjusted_product_tax_amount=750,
        total_adj_product_amt_with_tax=8250,
        total_delivery_amount=1000,
        total_adjusted_delivery_amount=1000,
        total_adjusted_delivery_tax_amount=100,
        total_adj_delivery_amt_with_tax=1100,
        total_amount=8500,
        total_tax_amount=850,
        grand_total_amount=9350,
    )


def test_given_tax_lines_are_never_recomputed() -> None:
    """G25: taxes 50 - 3.16 + 10 stay 56.84 though 5 % of 1,136.64 would be 56.83; the grand total is 1,193.48."""
    body = body_b(
        lines=[
            {
                "id": "1",
                "sku": "A",
                "quantity": 1,
                "unit_price": eur(20000),
                "adjustments": [{"amount": eur(-1584)}, {"amount": eur(-1584)}],
                "tax": eur(1000 - 158),
            },
            {
                "id": "2",
                "sku": "B",
                "quantity": 1,
                "unit_price": eur(80000),
                "adjustments": [{"amount": eur(-1584)}, {"amount": eur(-1584)}],
                "tax": eur(4000 - 158),
            },
            {"id": "3", "kind": "delivery", "quantity": 1, "unit_price": eur(20000), "tax": eur(1000)},
        ]
    )

    lines = price(PlaceOrder.model_validate(body), TaxPolicy(rates={"standard": Decimal("0.05")}), {})
    found = totals(lines, apply((), [line.placed() for line in lines]))

    assert (found.total_amount, found.total_tax_amount, found.grand_total_amount) == (113_664, 5_684, 119_348)
    assert {line.tax_rate for line in lines} == {None}


def test_tax_is_rounded_once_for_each_category() -> None:
    """Three lines of 0.05 at 10 % have 0.02 tax together (half-up of 0.015), on the first two of them."""
    lines = [{"id": str(n), "sku": "S", "quantity": 1, "unit_price": eur(5)} for n in range(3)]
    lines.append({"id": "book", "sku": "BOOK", "quantity": 1, "unit_price": eur(1000)})
    policy = TaxPolicy(rates={"standard": Decimal("0.10"), "reduced": Decimal("0.07")})

    priced = price(PlaceOrder.model_validate(body_b(lines=lines)), policy, {"BOOK": "reduced"})

    assert [line.tax for line in priced] == [1, 1, 0, 70]
    assert [line.tax_rate for line in priced] == [Decimal("0.10")] * 3 + [Decimal("0.07")]


def test_a_category_without_a_rate_is_refused() -> None:
    """An unknown tax category names the line and the categories that there are."""
    lines = [{"id": "1", "sku": "S", "quantity": 1, "unit_price": eur(5), "tax_category": "luxury"}]

    with pytest.raises(InvalidInput) as caught:
        price(PlaceOrder.model_validate(body_b(lines=lines)), TEN_PERCENT, {})

    [problem] = caught.value.errors
    assert (problem.pointer, problem.code) == ("/lines/0/tax_category", "tax.category_unknown")
    assert "standard" in problem.detail

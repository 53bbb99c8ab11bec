"""What a channel may send, and how it is told what is wrong."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from orderloom.domain.errors import InvalidInput
from orderloom.domain.placing import CancelItems, FulfillmentReport, PlaceOrder, ReturnItems, check_order

from .conftest import body_b, eur


def line(**changes: object) -> dict[str, object]:
    """Return a line as a channel sends it."""
    return {"id": "1", "sku": "S", "quantity": 1, "unit_price": eur(100), **changes}


def errors(body: dict[str, object]) -> list[tuple[str, str]]:
    """Return pointer and type of each error that pydantic finds."""
    with pytest.raises(ValidationError) as caught:
        PlaceOrder.model_validate(body)
    return [("/".join(map(str, error["loc"])), error["type"]) for error in caught.value.errors()]


def test_defaults() -> None:
    """A line belongs to the first delivery group, is a product, and an order is managed."""
    order = PlaceOrder.model_validate(body_b())

    assert order.life_cycle == "managed"
    assert [order.delivery_group_of(each) for each in order.lines] == ["1", "1", "1"]
    assert [each.kind for each in order.lines] == ["product", "product", "delivery"]
    assert order.lines[0].line_amount + order.lines[0].adjustment == 4500
    check_order(order)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"quantity": 0}, ("lines/0/quantity", "greater_than_equal"), id="quantity 0"),
        pytest.param({"quantity": -1}, ("lines/0/quantity", "greater_than_equal"), id="negative quantity"),
        pytest.param({"quantity": 1.5}, ("lines/0/quantity", "int_type"), id="fractional quantity"),
        pytest.param({"quantity": "2"}, ("lines/0/quantity", "int_type"), id="quantity in quotes"),
        pytest.param({"quantity": 1_000_001}, ("lines/0/quantity", "less_than_equal"), id="too many units"),
        pytest.param({"sku": None}, ("lines/0", "line.sku_missing"), id="product without sku"),
        pytest.param({"kind": "fee"}, ("lines/0", "line.sku_unexpected"), id="fee with sku"),
        pytest.param({"unit_price": eur(-1)}, ("lines/0", "line.negative"), id="negative price"),
        pytest.param({"tax": eur(-1)}, ("lines/0", "line.negative"), id="negative tax"),
        pytest.param({"adjustments": [{"amount": eur(-101)}]}, ("lines/0", "line.negative"), id="too much discount"),
        pytest.param(
            {"adjustments": [{"amount": eur(1)}]}, ("lines/0/adjustments/0", "adjustment.raises"), id="surcharge"
        ),
        pytest.param({"colour": "red"}, ("lines/0/colour", "extra_forbidden"), id="unknown field"),
        pytest.param(
            {"unit_price": {"amount": 24.999, "currency": "EUR"}},
            ("lines/0/unit_price/amount", "money.not_minor_units"),
            id="decimals",
        ),
        pytest.param(
            {"unit_price": {"amount": "2499", "currency": "EUR"}},
            ("lines/0/unit_price/amount", "money.not_minor_units"),
            id="amount in quotes",
        ),
        pytest.param(
            {"unit_price": {"amount": True, "currency": "EUR"}},
            ("lines/0/unit_price/amount", "money.not_minor_units"),
            id="true",
        ),
        pytest.param(
            {"unit_price": {"amount": 1, "currency": "Euro"}},
            ("lines/0/unit_price/currency", "string_pattern_mismatch"),
            id="no currency code",
        ),
    ],
)
def test_a_line_that_is_wrong(changes: dict[str, object], expected: tuple[str, str]) -> None:
    """Each mistake in a line is named once, at its place, with a stable code."""
    assert errors(body_b(lines=[line(**changes)])) == [expected]


def test_an_amount_with_decimals_is_told_what_is_right() -> None:
    """The message says that amounts are whole minor units, and shows one."""
    with pytest.raises(ValidationError) as caught:
        PlaceOrder.model_validate(body_b(lines=[line(unit_price={"amount": 93.5, "currency": "EUR"})]))

    [error] = caught.value.errors()
    assert "whole number of minor units" in error["msg"]
    assert "9350" in error["msg"]


def test_two_thousand_lines_and_one_more() -> None:
    """2,000 lines are accepted; 2,001 are refused by one error that names both numbers."""
    lines = [line(id=str(number)) for number in range(2001)]

    PlaceOrder.model_validate(body_b(lines=lines[:2000]))
    with pytest.raises(ValidationError) as caught:
        PlaceOrder.model_validate(body_b(lines=lines))

    [error] = caught.value.errors()
    assert (error["loc"], error["type"]) == (("lines",), "order.too_many_lines")
    assert error["ctx"] == {"limit": 2000, "count": 2001}


@pytest.mark.parametrize(
    ("payment", "expected"),
    [
        pytest.param({"amount": eur(0), "token": "t"}, ("payments/0", "payment.not_positive"), id="nothing"),
        pytest.param({"amount": eur(1)}, ("payments/0", "payment.no_means"), id="a card and no more"),
        pytest.param(
            {"amount": eur(1), "captured": {"reference": "c", "amount": eur(-1)}},
            ("payments/0", "payment.not_positive"),
            id="captured less than nothing",
        ),
        pytest.param(
            {"amount": eur(1), "number": "x"}, ("payments/0/number", "extra_forbidden"), id="a card number field"
        ),
    ],
)
def test_a_payment_that_is_wrong(payment: dict[str, object], expected: tuple[str, str]) -> None:
    """A payment must be of use."""
    assert errors(body_b(payments=[{"method": "card", **payment}])) == [expected]


def test_a_payment_on_account_needs_nothing_else() -> None:
    """Our own books ask no gateway."""
    PlaceOrder.model_validate(body_b(payments=[{"method": "account", "amount": eur(9350)}]))


@pytest.mark.parametrize(
    "position",
    [{"latitude": 91, "longitude": 0}, {"latitude": 0, "longitude": float("nan")}, {"latitude": "52", "longitude": 0}],
)
def test_a_position_must_be_on_earth(position: dict[str, object]) -> None:
    """Degrees out of range, not a number, or in quotes are refused."""
    assert len(errors(body_b(delivery_groups=[{"country": "DE", "position": position}]))) == 1


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        (lambda b: b["lines"].append(b["lines"][0]), "/lines/3/id", "field.not_unique"),
        (
            lambda b: b["delivery_groups"].append(b["delivery_groups"][0]),
            "/delivery_groups/1/id",
            "field.not_unique",
        ),
        (lambda b: b["lines"][1].update(delivery_group="2"), "/lines/1/delivery_group", "line.group_unknown"),
        (
            lambda b: b["lines"][1]["unit_price"].update(currency="USD"),
            "/lines/1/unit_price/currency",
            "money.currency_mismatch",
        ),
        (
            lambda b: b["lines"][0]["adjustments"][0]["amount"].update(currency="USD"),
            "/lines/0/adjustments/0/amount/currency",
            "money.currency_mismatch",
        ),
        (
            lambda b: b["payments"][0]["authorization"]["amount"].update(currency="USD"),
            "/payments/0/authorization/amount/currency",
            "money.currency_mismatch",
        ),
        (
            lambda b: b["lines"][1].update(quantity=1_000_000, unit_price=eur(10**12)),
            "/lines/1/unit_price",
            "money.too_large",
        ),
    ],
)
def test_fields_that_do_not_fit_together(change: Callable[[Any], None], pointer: str, code: str) -> None:
    """What spans fields is found with the pointer of the field to correct."""
    body = body_b()
    change(body)

    with pytest.raises(InvalidInput) as caught:
        check_order(PlaceOrder.model_validate(body))

    assert [(each.pointer, each.code) for each in caught.value.errors] == [(pointer, code)]


@pytest.mark.parametrize("model", [CancelItems, ReturnItems])
def test_a_change_names_each_line_once(model: type[CancelItems | ReturnItems]) -> None:
    """The same line twice in one command is refused: two reasons would have to share one row."""
    item = {"line": "X", "quantity": 1, "reason": "Damaged"}

    with pytest.raises(ValidationError) as caught:
        model.model_validate({"items": [item, item]})

    assert [error["type"] for error in caught.value.errors()] == ["change.line_twice"]


def test_a_report_without_lines_is_about_all_of_it() -> None:
    """Locations need to list lines only for a part."""
    report = FulfillmentReport.model_validate({"id": "e-1", "type": "shipped"})

    assert (report.lines, report.reason) == ([], None)

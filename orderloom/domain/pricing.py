"""Prices an order: adjusted amounts and tax of every line. Unit prices and given taxes are taken as they are."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from orderloom.domain.channel import TaxPolicy
from orderloom.domain.errors import FieldProblem, InvalidInput
from orderloom.domain.money import round_half_up, split
from orderloom.domain.order import Fulfilment, Line
from orderloom.domain.placing import PlaceLine, PlaceOrder

STANDARD = "standard"
"""The tax category of what names none."""


def price(
    order: PlaceOrder,
    tax: TaxPolicy,
    categories: Mapping[str, str],
    fulfilments: Mapping[str, Fulfilment] | None = None,
) -> tuple[Line, ...]:
    """
    Return the lines of *order* with their amounts, by position.

    Tax is computed once for each tax category, half-up over the sum of its adjusted amounts, and spread over its
    lines by largest remainder. A line that came with its tax keeps it and takes no part in that (reference 6e).

    Args:
        categories: SKU to tax category; a category that the line names comes first.
        fulfilments: SKU to how it reaches the customer, for those that are not shipped from stock.

    Raises:
        InvalidInput: a line is in a tax category that *tax* has no rate for.
    """
    of_line = [_category(line, categories) for line in order.lines]
    _refuse_unknown(order.lines, of_line, tax)
    taxes = [line.tax.amount if line.tax is not None else 0 for line in order.lines]
    for category in dict.fromkeys(of_line):
        indexes = [index for index, line in enumerate(order.lines) if line.tax is None and of_line[index] == category]
        for index, amount in zip(indexes, _spread(order.lines, indexes, tax.rates.get(category)), strict=True):
            taxes[index] = amount
    lines = (
        _line(order, index, of_line[index], taxes[index], tax.rates.get(of_line[index]))
        for index in range(len(order.lines))
    )
    return tuple(_reaching(line, fulfilments or {}) for line in lines)


def _reaching(line: Line, fulfilments: Mapping[str, Fulfilment]) -> Line:
    fulfilment = fulfilments.get(line.sku or "", line.fulfilment)
    return line if fulfilment == line.fulfilment else line.model_copy(update={"fulfilment": fulfilment})


def _category(line: PlaceLine, categories: Mapping[str, str]) -> str:
    return line.tax_category or categories.get(line.sku or "", STANDARD)


def _refuse_unknown(lines: Sequence[PlaceLine], of_line: Sequence[str], tax: TaxPolicy) -> None:
    problems = tuple(
        FieldProblem(
            pointer=f"/lines/{index}/tax_category",
            detail=f"tax category {category!r} has no rate in this channel: name one of {sorted(tax.rates)}",
            code="tax.category_unknown",
        )
        for index, (line, category) in enumerate(zip(lines, of_line, strict=True))
        if line.tax is None and category not in tax.rates
    )
    if problems:
        raise InvalidInput(problems[0].detail, errors=problems)


def _spread(lines: Sequence[PlaceLine], indexes: Sequence[int], rate: Decimal | None) -> list[int]:
    if not indexes or rate is None:
        return []
    adjusted = [lines[index].line_amount + lines[index].adjustment for index in indexes]
    return split(round_half_up(sum(adjusted) * rate), adjusted)


def _line(order: PlaceOrder, index: int, category: str, tax: int, rate: Decimal | None) -> Line:
    line = order.lines[index]
    return Line(
        id=line.id,
        position=index + 1,
        kind=line.kind,
        sku=line.sku,
        delivery_group=order.delivery_group_of(line),
        quantity=line.quantity,
        unit_price=line.unit_price.amount,
        line_amount=line.line_amount,
        adjustment=line.adjustment,
        tax=tax,
        tax_category=category,
        tax_rate=rate if line.tax is None else None,
        name=line.name,
    )

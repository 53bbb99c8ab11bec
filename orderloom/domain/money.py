"""Money: whole minor units of one ISO 4217 currency. Never a float, anywhere."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from orderloom.domain.errors import InvalidInput
from orderloom.domain.model import Frozen

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 alphabetic code."""

MAX_AMOUNT = 10**15
"""Amounts beyond this (in minor units) are refused; sums of them still fit 64 bits."""

_EXPONENTS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}


def exponent(currency: str) -> int:
    """Return how many decimals *currency* has (ISO 4217): 2 unless the table says otherwise."""
    return _EXPONENTS.get(currency, 2)


def _whole(value: object) -> int:
    """Refuse decimals and texts with what would be right: the type alone would not say that 93.50 is 9350."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise PydanticCustomError(
        "money.not_minor_units",
        "must be a whole number of minor units: 93.50 EUR is 9350, an amount has no more decimals than its currency",
    )


class Money(Frozen):
    """An amount of *currency* in its minor unit: ``Money(amount=9350, currency="EUR")`` is 93.50 EUR."""

    amount: Annotated[int, Field(strict=True, ge=-MAX_AMOUNT, le=MAX_AMOUNT), BeforeValidator(_whole)]
    currency: Currency

    def __str__(self) -> str:
        return format_amount(self.amount, self.currency)


def format_amount(amount: int, currency: str) -> str:
    """Return ``93.50 EUR`` for 9350 and EUR: plain decimals, for people and logs."""
    digits = exponent(currency)
    return f"{Decimal(amount).scaleb(-digits):.{digits}f} {currency}"


def parse_amount(text: str, currency: str) -> int:
    """
    Return the minor units that decimal *text* stands for.

    Raises:
        InvalidInput: it is no plain decimal number, or has more decimals than the currency.
    """
    try:
        value = Decimal(text).scaleb(exponent(currency))
    except InvalidOperation:
        raise InvalidInput(f"{text!r} is no decimal number", value=text) from None
    if not value.is_finite() or abs(value) > MAX_AMOUNT:
        raise InvalidInput(f"{text!r} is out of range", value=text)
    if value != value.to_integral_value():
        detail = f"{text!r} has more than the {exponent(currency)} decimals of {currency}"
        raise InvalidInput(detail, value=text, decimals=exponent(currency))
    return int(value)


def round_half_up(value: Decimal) -> int:
    """Round to a whole minor unit, halves away from zero, so that ``round(-x) == -round(x)`` (reference 6e)."""
    return int(value.to_integral_value(rounding=ROUND_HALF_UP))


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """
    Split *amount* over *weights* so that the parts add up to it exactly.

    Largest remainder, ties to the first; the parts of a negative amount are the negated parts of the positive one
    (reference 6e). With all weights zero the first part takes everything.

    Args:
        weights: non-negative, at least one.
    """
    if amount < 0:
        return [-part for part in split(-amount, weights)]
    total = sum(weights)
    if total == 0:
        return [amount, *([0] * (len(weights) - 1))]
    parts = [amount * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(amount * weights[i] % total), i))
    for index in by_remainder[: amount - sum(parts)]:
        parts[index] += 1
    return parts

"""Card numbers never come in: they are refused wherever they stand in what is sent."""

import re
from collections.abc import Iterator

from orderloom.domain.errors import FieldProblem, OrderloomError
from orderloom.domain.model import Json

_LENGTHS = range(13, 20)
_LEAST = 10 ** (_LENGTHS.start - 1)
_RUN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]*(\d(?:[\s-]?\d){12,})[A-Za-z]*(?![A-Za-z0-9])")
"""A word of digits, or several with single separators between them; letters may only stand around it."""


class CardNumberRefused(OrderloomError):
    """A card number was sent.

    Remove it; send the payment gateway's token instead.
    """

    code = "card_number.refused"
    status = 422


def refuse_card_numbers(value: Json) -> None:
    """
    Refuse *value*, any JSON, if a card number stands in it: in a text, as a number, or as a name.

    A card number has 13 to 19 digits that begin with 2 to 6 and pass the Luhn check; spaces and dashes may separate
    them. A barcode (GTIN) under ``sku`` and an international number (``+``) under ``phone`` are none.

    Raises:
        CardNumberRefused: with the JSON pointer of the first one; never with the number.
    """
    if not _may_hold_one(value):
        return
    for pointer, name, text in _texts(value, "", ""):
        if _holds_card_number(text) and not _is_something_else(name, text):
            raise CardNumberRefused(
                f"what stands at {pointer or 'the root'} looks like a card number",
                errors=(
                    FieldProblem(pointer=pointer, detail="must not hold a card number", code="card_number.refused"),
                ),
                pointer=pointer,
            )


def _may_hold_one(value: Json) -> bool:
    """Return whether it is worth looking closely: hardly anything that is sent has so many digits in a row."""
    if isinstance(value, str):
        return len(value) >= _LENGTHS.start and _RUN.search(value) is not None
    if isinstance(value, dict):
        return any(map(_may_hold_one, value)) or any(map(_may_hold_one, value.values()))
    if isinstance(value, list):
        return any(map(_may_hold_one, value))
    return isinstance(value, int) and abs(value) >= _LEAST


def _texts(value: Json, pointer: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield every text of *value* with its pointer and the name that it stands under."""
    if isinstance(value, str):
        yield pointer, name, value
    elif isinstance(value, int):
        yield pointer, name, str(value)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{index}", name)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield pointer, "", key
            yield from _texts(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}", key)


def _holds_card_number(text: str) -> bool:
    return any(_is_card_number(digits) for run in _RUN.finditer(text) for digits in _candidates(run[1]))


def _candidates(run: str) -> Iterator[str]:
    """Yield the digits of every stretch of neighbouring groups in *run* that has a card number's length."""
    groups = re.split(r"[\s-]", run)
    for start in range(len(groups)):
        digits = ""
        for group in groups[start:]:
            digits += group
            if len(digits) >= _LENGTHS.stop:
                break
            if len(digits) in _LENGTHS:
                yield digits


def _is_card_number(digits: str) -> bool:
    if not 2 <= int(digits[0]) <= 6:
        return False
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(doubled) + sum(int(digit) for digit in digits[-1::-2])) % 10 == 0


def _is_something_else(name: str, text: str) -> bool:
    if name == "phone":
        return text.startswith("+")
    return name == "sku" and text.isdecimal() and len(text) in {13, 14} and _is_gtin(text)


def _is_gtin(digits: str) -> bool:
    return (sum(int(digit) for digit in digits[-1::-2]) + 3 * sum(int(digit) for digit in digits[-2::-2])) % 10 == 0

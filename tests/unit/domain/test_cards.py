"""Card numbers are kept out; what only looks like one comes in."""

import pytest

from orderloom.domain.cards import CardNumberRefused, refuse_card_numbers
from orderloom.domain.model import Json

VISA = "4111111111111111"


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        pytest.param({"note": VISA}, "/note", id="bare"),
        pytest.param({"note": "4111 1111 1111 1111"}, "/note", id="spaces"),
        pytest.param({"note": "4111-1111-1111-1111"}, "/note", id="dashes"),
        pytest.param({"note": f"card: {VISA}, exp 12/29"}, "/note", id="in a sentence"),
        pytest.param({"note": "4111 1111 1111 1111 12 29"}, "/note", id="digits behind it"),
        pytest.param({"note": f"card{VISA}"}, "/note", id="letters before it"),
        pytest.param({"note": int(VISA)}, "/note", id="a number"),
        pytest.param({"note": -int(VISA)}, "/note", id="a number below zero"),
        pytest.param({VISA: 1}, "", id="a name"),
        pytest.param({"a": [{"b/c": "378282246310005"}]}, "/a/0/b~1c", id="15 digits, deep"),
        pytest.param({"token": "30569309025904"}, "/token", id="14 digits"),
        pytest.param({"token": "6011000990139424"}, "/token", id="begins with 6"),
        pytest.param({"sku": VISA}, "/sku", id="as a sku"),
        pytest.param({"phone": VISA}, "/phone", id="as a phone"),
    ],
)
def test_a_card_number_is_refused_wherever_it_stands(value: Json, pointer: str) -> None:
    """The error names the place and never the number."""
    with pytest.raises(CardNumberRefused) as caught:
        refuse_card_numbers(value)

    assert caught.value.facts == {"pointer": pointer}
    assert VISA not in str(caught.value.problem())


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"note": "4111111111111112"}, id="fails the check"),
        pytest.param({"note": "411111111111"}, id="12 digits"),
        pytest.param({"note": VISA + "0000"}, id="20 digits"),
        pytest.param({"note": "0000000000000000"}, id="zeros"),
        pytest.param({"external_id": "100001"}, id="an order number"),
        pytest.param({"sku": "4006381333931"}, id="a barcode"),
        pytest.param({"phone": "+4930000000006"}, id="a phone"),
        pytest.param({"token": "550e8400-e29b-41d4-a716-446655440000"}, id="a uuid"),
        pytest.param({"amount": 9350, "ok": True, "none": None, "rate": 0.1}, id="small numbers"),
    ],
)
def test_what_is_no_card_number_comes_in(value: Json) -> None:
    """Barcodes, phones, ids and numbers that fail the check pass."""
    refuse_card_numbers(value)

"""Store pickup: where it is refused, field by field."""

from typing import Any

import pytest

from orderloom.domain.errors import InvalidInput
from orderloom.domain.pickups import check_pickups
from orderloom.domain.placing import PlaceOrder
from tests.unit.domain.conftest import body_b, eur

GROUPS = [{"id": "home", "country": "DE"}, {"id": "shop", "country": "DE", "pickup_location": "store"}]


def _order(**changes: Any) -> PlaceOrder:
    lines = [
        {"id": "X", "sku": "X", "quantity": 1, "unit_price": eur(100), "delivery_group": "shop"},
        {"id": "Y", "sku": "Y", "quantity": 1, "unit_price": eur(100)},
    ]
    return PlaceOrder.model_validate(body_b(**{"delivery_groups": GROUPS, "lines": lines, **changes}))


def test_a_pickup_that_is_offered_is_fine() -> None:
    """A location that offers pickup is taken, also with what a supplier sends to another group."""
    order = _order()

    check_pickups(order, {"store"}, {"X": "ship", "Y": "dropship"})

    assert order.pickup_locations == {"store"}
    assert PlaceOrder.model_validate(body_b()).pickup_locations == frozenset()


@pytest.mark.parametrize(
    ("offered", "fulfilments", "pointer", "code"),
    [
        pytest.param(
            {"other"}, {}, "/delivery_groups/1/pickup_location", "delivery_group.pickup_unavailable", id="not offered"
        ),
        pytest.param(
            {"store"}, {"X": "dropship"}, "/lines/0/delivery_group", "line.pickup_dropship", id="from a supplier"
        ),
    ],
)
def test_what_cannot_be_picked_up_is_refused(
    offered: set[str], fulfilments: dict[str, Any], pointer: str, code: str
) -> None:
    """The field that is wrong is named, and nothing else."""
    with pytest.raises(InvalidInput) as refused:
        check_pickups(_order(), offered, fulfilments)

    assert [(one.pointer, one.code) for one in refused.value.errors] == [(pointer, code)]

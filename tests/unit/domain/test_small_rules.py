"""Availability, distances and ids."""

import pytest

from orderloom.contracts.header import OrderHeader
from orderloom.domain import ids
from orderloom.domain.geo import Position, distance_km
from orderloom.domain.inventory import available_to_fulfill, available_to_order


def test_g7_availability() -> None:
    """10 on hand, 2 on their way, 1 safety, 5 reserved: 4 to fulfill, 6 to order."""
    assert available_to_fulfill(10, 5, 1) == 4
    assert available_to_order(10, 5, 1, 2) == 6
    assert available_to_order(10, 5, 1, 0) == 4


def test_g7_after_reserving_and_fulfilling() -> None:
    """4 reserved: 0 to fulfill of 9 reserved; 4 fulfilled: 6 on hand, 5 reserved, 0; 5 released: 5."""
    assert available_to_fulfill(10, 9, 1) == 0
    assert available_to_fulfill(6, 5, 1) == 0
    assert available_to_fulfill(6, 0, 1) == 5


def test_distances_follow_the_ellipsoid() -> None:
    """Berlin to Paris is 879.7 km on WGS 84; there and back are the same, and nowhere is 0."""
    berlin, paris = Position(latitude=52.52, longitude=13.405), Position(latitude=48.8566, longitude=2.3522)

    assert distance_km(berlin, paris) == pytest.approx(879.7, abs=0.1)
    assert distance_km(berlin, paris) == pytest.approx(distance_km(paris, berlin), abs=1e-9)
    assert distance_km(berlin, berlin) == 0


def test_a_quarter_of_the_equator() -> None:
    """A quarter of the equator is 10,018.754 km, over the date line too."""
    west, east = Position(latitude=0, longitude=-135), Position(latitude=0, longitude=135)

    assert distance_km(west, east) == pytest.approx(10_018.754, abs=0.001)


def test_ids_name_their_order() -> None:
    """Every id holds its order's id, and ids of a kind sort by number."""
    made = [
        ids.fulfillment_order_id("100001", 1),
        ids.invoice_id("100001", 2),
        ids.credit_memo_id("100001", 3),
        ids.change_order_id("100001", 4),
        ids.payment_id("100001", 5),
        ids.exception_id("100001", 6),
        ids.intent_id("100001", 7),
    ]

    assert made == ["100001-F1", "100001-I2", "100001-M3", "100001-C4", "100001-P5", "100001-X6", "100001-T7"]
    assert {ids.order_of(id) for id in made} == {"100001"}
    assert ids.order_of("100001") == "100001"
    assert sorted(["1-F10", "1-F9"], key=ids.oldest_first) == ["1-F9", "1-F10"]


def test_the_header_schema_names_what_flows_use() -> None:
    """Every part of the header that expressions may read is in its JSON Schema, and required."""
    schema = OrderHeader.model_json_schema()

    assert set(schema["required"]) == set(schema["properties"])
    assert set(schema["$defs"]["MoneyHeader"]["required"]) >= {"to_authorize", "to_reverse", "excess", "grand_total"}

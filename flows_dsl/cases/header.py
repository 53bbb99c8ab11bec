"""The header of a standard order, which cases start from."""

from flows_dsl.desk import merged
from orderloom.contracts.header import OrderHeader
from orderloom.domain.model import Json, JsonObject

STANDARD: JsonObject = {
    "id": "100001",
    "channel": "web",
    "currency": "EUR",
    "life_cycle": "managed",
    "status": "waiting",
    "seq": 1,
    "policy": {"reserve": "placing", "when_short": "accept", "remorse": "PT0S", "max_attempts": 3},
    "units": {
        "ordered": 2,
        "open": 2,
        "reserved": 0,
        "allocated": 0,
        "fulfilled": 0,
        "return_initiated": 0,
        "returned": 0,
        "cancelled": 0,
    },
    "money": {
        "grand_total": 9500,
        "ordered": 9500,
        "invoiced": 0,
        "credited": 0,
        "authorised": 9500,
        "captured": 0,
        "applied": 0,
        "refunded": 0,
        "to_authorize": 0,
        "to_reverse": 0,
        "excess": 0,
    },
    "routing": {"attempts": 0},
    "fulfillment": {"open": 0},
    "exceptions": {"open": 0},
}
"""Two units of 95 EUR in all, authorised by the channel, just placed: nothing is reserved yet."""


def header(*changes: dict[str, Json]) -> JsonObject:
    """Return the standard order's header with *changes*, one after another."""
    result = STANDARD
    for each in changes:
        result = merged(result, each)
    return result


def valid(value: JsonObject) -> JsonObject:
    """
    Return *value* as the header that flows would see.

    Raises:
        pydantic.ValidationError: it is no header.
    """
    return OrderHeader.model_validate(value).model_dump(mode="json")

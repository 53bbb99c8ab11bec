"""The documentation is the code's own: the page needs no network, the reference cannot drift, the examples work."""

import re
from pathlib import Path

import httpx

from api import examples
from api.app import build
from api.reference import reference
from orderloom.contracts.outside import GatewayNotice
from orderloom.domain.fulfillment_changes import CancelLines, Hold, Merge, Move, Split
from orderloom.domain.placing import CancelItems, FulfillmentReport, PlaceOrder, ReturnItems
from orderloom.domain.rejections import ResetRejections
from orderloom.inventory.selling_ahead import RemoveSellAhead, SetSellAhead

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"


def test_reference_is_what_the_code_says() -> None:
    """docs/reference/api.md is what ``python -m api.reference`` prints."""
    assert REFERENCE.read_text("utf-8") == reference()


async def test_documentation_page_loads_nothing_from_elsewhere(http: httpx.AsyncClient) -> None:
    """The page at /docs names no other host, and its policy allows none."""
    page = await http.get("/docs")

    assert page.status_code == 200
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.text)
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def test_examples_are_valid() -> None:
    """The bodies that the documentation shows are accepted by their models."""
    PlaceOrder.model_validate(examples.PLACE_ORDER)
    PlaceOrder.model_validate(examples.PLACE_IN_PARTS)
    CancelItems.model_validate(examples.CANCEL)
    ReturnItems.model_validate(examples.RETURN)
    FulfillmentReport.model_validate(examples.SHIPPED)
    GatewayNotice.model_validate(examples.NOTICE)
    Hold.model_validate(examples.HOLD)
    Move.model_validate(examples.MOVE)
    Split.model_validate(examples.SPLIT)
    Merge.model_validate(examples.MERGE)
    CancelLines.model_validate(examples.CANCEL_LINES)
    ResetRejections.model_validate(examples.RESET_REJECTIONS)
    SetSellAhead.model_validate(examples.SET_SELL_AHEAD)
    RemoveSellAhead.model_validate(examples.REMOVE_SELL_AHEAD)


def test_every_change_says_that_it_needs_a_key_and_how_it_fails() -> None:
    """In the OpenAPI document every endpoint has a summary, and every command the key and its problems."""
    document = build().openapi()
    commands = 0
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            keys = [each for each in operation.get("parameters", ()) if each["name"] == "Idempotency-Key"]
            if keys:
                commands += 1
                assert keys[0]["required"] is True
                assert ("202" in operation["responses"]) is (
                    {"reservations", "locations", "selling ahead", "stock changes", "routing policies"}.isdisjoint(
                        operation["tags"]
                    )
                )
                problem = operation["responses"]["422"]["content"]["application/problem+json"]
                assert problem["schema"] == {"$ref": "#/components/schemas/Problem"}
                assert "idempotency.key_reused" in problem["examples"]

    assert commands == 31


def test_document_has_no_dangling_reference() -> None:
    """Every schema that the OpenAPI document refers to is in it."""
    document = build().openapi()
    referred = set(re.findall(r"#/components/schemas/([^']+)'", str(document)))

    assert referred <= set(document["components"]["schemas"])

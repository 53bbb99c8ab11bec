"""`orderloom actions`: what flows may call."""

import json

import pytest

from orderloom.cli.actions import show, show_all
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.domain.errors import NotFound


def test_the_list_names_every_action_and_what_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each action, in the order in which an order meets them."""
    show_all()

    said = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert said == [[it.activity, it.changes] for it in CORE_ACTIONS]


def test_an_action_is_shown_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments, output, errors with their category, and what undoes it."""
    show("ensure-funds")

    assert capsys.readouterr().out.splitlines() == [
        "ensure-funds@1: Applies captured funds to an invoice and captures what is missing.",
        "runs outside: a transaction before, the call, and a transaction after",
        "",
        "input: The invoice to cover.",
        "  invoice: string",
        "",
        "output: Minor units applied to the invoice, and captured anew for it.",
        "  applied: integer",
        "  captured: integer",
        "",
        "errors:",
        "  not_found: There is no such thing. If nobody catches it: Fulfillment.",
        "  order.moved: The order has changed since this was decided. If nobody catches it: Order Activation.",
        "  payment.insufficient: The order's payments do not cover the amount. If nobody catches it: Payment.",
        "  payment.declined: The gateway refused the payment. If nobody catches it: Payment.",
        "",
        "undone by give-back-payment@1",
    ]


def test_json_holds_the_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    """Input and output are JSON Schemas; a major version may be named."""
    show("find-routes@1", format="json")

    found = json.loads(capsys.readouterr().out)
    assert found["input"]["properties"]["schedule"]["type"] == "integer"
    assert (found["call"], found["undone_by"], found["runs"]) == ("find-routes@1", None, "local")


@pytest.mark.parametrize("name", ["find-route", "find-routes@2"])
def test_an_unknown_action_is_told(name: str) -> None:
    """With the one that was meant."""
    with pytest.raises(NotFound, match="find-routes"):
        show(name)

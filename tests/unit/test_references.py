"""Pages that the code prints are what it prints."""

from pathlib import Path

from flows_dsl import prebuilt
from orderloom import actions_reference, prebuilt_reference
from orderloom.contracts.actions import CORE_ACTIONS

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_actions_is_what_the_code_says() -> None:
    """docs/reference/actions.md is what ``python -m orderloom.actions_reference`` prints, with every core action."""
    page = (PAGES / "actions.md").read_text("utf-8")

    assert page == actions_reference.reference()
    assert [it.activity for it in CORE_ACTIONS if f"## {it.activity}\n" not in page] == []


def test_the_page_of_prebuilt_flows_is_what_the_code_says() -> None:
    """docs/reference/prebuilt-flows.md is what ``python -m orderloom.prebuilt_reference`` prints, with every flow."""
    page = (PAGES / "prebuilt-flows.md").read_text("utf-8")

    assert page == prebuilt_reference.reference()
    assert [name for name in prebuilt.names() if f"## {name}\n\n" not in page] == []

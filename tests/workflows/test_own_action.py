"""The worked example of an action of one's own, as its how-to page says."""

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from activities import registry
from flows_dsl.check import check_text
from orderloom.bootstrap.own_actions import ActionsUnreadable, load_actions
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.catalog import ActionTaken
from tests.workflows.shop import Shop

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own-action"


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Load the example's action, for one test."""
    monkeypatch.setattr(CORE_ACTIONS, "_contracts", dict(CORE_ACTIONS._contracts))
    monkeypatch.setattr(registry, "entries", dict(registry.entries))
    monkeypatch.syspath_prepend(EXAMPLE)
    load_actions("shop_actions")
    yield
    del sys.modules["shop_actions"]


@pytest.fixture
def flows() -> tuple[str, ...]:
    """Add the example's flow, with a smaller limit."""
    return ((EXAMPLE / "score.yaml").read_text().replace("50000", "2000"),)


async def test_a_flow_calls_the_action(shop: Shop) -> None:
    """The order is scored once, in a transaction of its own, and what the action returns leads the flow."""
    order = await shop.place()
    await shop.until_journal(order, "shop.order.scored")
    await shop.until_quiet(order)

    assert (await shop.journal(order)).count("shop.order.scored") == 1
    found = [(it["code"], it["category"]) for it in await shop.exceptions(order)]
    assert found == [("shop.look", "Order Approval")]


def test_the_check_knows_its_arguments() -> None:
    """The flow passes; an argument that the action does not have is told with the one that was meant."""
    text = (EXAMPLE / "score.yaml").read_text()

    assert check_text(text) == []
    found = check_text(text.replace("careful_from", "carefull_from"))
    assert [(it.code, it.remedy) for it in found] == [
        ("action.missing_argument", "Add careful_from under with."),
        ("action.unknown_argument", "Did you mean 'careful_from'?"),
    ]


def test_two_actions_of_one_name_are_refused() -> None:
    """A second contract of the same name and major version is refused, and the first one stays."""
    contract = CORE_ACTIONS.get("score-order@1")
    assert contract is not None
    CORE_ACTIONS.add(contract)
    other = CORE_ACTIONS.get("find-routes@1")
    assert other is not None

    with pytest.raises(ActionTaken):
        CORE_ACTIONS.add(replace(other, name="score-order"))
    assert CORE_ACTIONS.get("score-order@1") is contract


def test_a_module_that_is_not_there_stops_the_start() -> None:
    """The error names the module."""
    with pytest.raises(ActionsUnreadable, match="no_such_module"):
        load_actions("shop_actions, no_such_module")


def test_the_page_shows_the_files() -> None:
    """Every block of the how-to page that is a file of the example is that file."""
    page = (ROOT / "docs" / "how-to" / "add-an-action.md").read_text()
    blocks = re.findall(r"```(?:python|yaml)\n(.*?)```", page, re.DOTALL)

    assert blocks == [(EXAMPLE / name).read_text() for name in ("shop_actions.py", "score.yaml")]

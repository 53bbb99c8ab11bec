"""Errors of core actions, and the category under which people hear of them."""

from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.domain.exceptions import has_category


def test_every_error_of_a_core_action_has_a_category() -> None:
    """Without one every flow that calls the action would have to catch the error before it may be published."""
    without = {error.code for action in CORE_ACTIONS for error in action.errors if not has_category(error.code)}

    assert without == set()

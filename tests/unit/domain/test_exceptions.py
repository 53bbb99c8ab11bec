"""What is shown of a failed task's input."""

import pytest

from orderloom.domain.exceptions import DEEPEST_SHOWN, LONGEST_SHOWN, MOST_SHOWN, shown
from orderloom.domain.model import Json


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        pytest.param("100001-F1", "100001-F1", id="id"),
        pytest.param("2026-03-02T09:00:00+00:00", "2026-03-02T09:00:00+00:00", id="instant"),
        pytest.param(12.5, 12.5, id="number"),
        pytest.param(True, True, id="flag"),
        pytest.param(None, None, id="nothing"),
        pytest.param("Ottilie Rabensteiner", "(20 characters)", id="name"),
        pytest.param("o@example.org", "(13 characters)", id="address"),
        pytest.param("x" * (LONGEST_SHOWN + 1), f"({LONGEST_SHOWN + 1} characters)", id="long"),
        pytest.param({"a": {"b": ["F1", "a b"]}}, {"a": {"b": ["F1", "(3 characters)"]}}, id="nested"),
        pytest.param({"k" * 65: 1, "b": 2}, {"b": 2}, id="long-name"),
        pytest.param([1] * (MOST_SHOWN + 2), [*[1] * MOST_SHOWN, "(2 more)"], id="many"),
    ],
)
def test_ids_numbers_and_flags_are_shown(value: Json, seen: Json) -> None:
    """Texts that are no ids are not: only their length is told."""
    assert shown(value) == seen


def test_deep_values_are_cut() -> None:
    """Below a depth only the number of entries is told."""
    value: Json = 1
    for _ in range(DEEPEST_SHOWN + 3):
        value = [value]

    seen = shown(value)

    for _ in range(DEEPEST_SHOWN):
        assert isinstance(seen, list)
        seen = seen[0]
    assert seen == "(1 entries)"

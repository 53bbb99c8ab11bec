"""JSON on the command line."""

from pathlib import Path

import pytest

from orderloom.cli.json_argument import ArgumentUnreadable, read_json


def test_json_is_read_as_it_stands_or_from_a_file(tmp_path: Path) -> None:
    """What begins with @ names a file."""
    file = tmp_path / "input.json"
    file.write_text('{"schedule": 2}')

    assert read_json("--input", '{"schedule": 1}') == {"schedule": 1}
    assert read_json("--input", f"@{file}") == {"schedule": 2}
    assert read_json("--output", "null") is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param("{schedule: 1}", "--input is no JSON", id="no-json"),
        pytest.param("@no/where", "cannot be read", id="no-file"),
    ],
)
def test_what_is_no_json_is_told(given: str, told: str) -> None:
    """The option is named, and why it cannot be read."""
    with pytest.raises(ArgumentUnreadable, match=told):
        read_json("--input", given)

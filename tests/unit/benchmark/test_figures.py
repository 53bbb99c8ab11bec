"""The figures of the documentation: every block says what its record says, and no figure stands outside of a block."""

import re
from pathlib import Path

import pytest

from orderloom.benchmark.figures import (
    BLOCKS,
    RECORDS,
    BlockUnknown,
    Printed,
    content,
    documents,
    fill,
    without_blocks,
    write,
)
from orderloom.cli.figures import COMMANDS
from tests.unit.benchmark.test_reports import ORIGIN

ROOT = Path(__file__).parents[3]
MEASURED = re.compile(r"\d ?(?:ms|MB|GB|KB|orders/s|/s)\b")
"""A number with a unit of what can be measured."""
TEXT = "# Title\n\n<!-- figures: demo -->\nold\n<!-- end -->\nbetween\n<!-- figures: size -->\n<!-- end -->\n"


def test_every_block_says_what_its_record_says() -> None:
    """Nobody has written into a block by hand, and nobody has forgotten `./run figures`."""
    for path in documents(ROOT):
        text = path.read_text()
        assert fill(text, lambda name: content(name, ROOT / RECORDS)) == text, path.name


def test_no_figure_stands_outside_of_a_block() -> None:
    """A number with a unit of measurement comes from a record, with machine and date; documents state none else."""
    stray = {
        path.name: found
        for path in documents(ROOT)
        if "reference" not in path.parts and (found := MEASURED.findall(without_blocks(path.read_text())))
    }

    assert stray == {}


def test_every_block_has_a_command() -> None:
    """What stands in a block can be measured again."""
    assert set(COMMANDS) == set(BLOCKS)


def test_blocks_are_filled_and_nothing_else() -> None:
    """What stands between the marks is replaced, also where nothing stood, and all else stays."""
    assert fill(TEXT, lambda name: f"new {name}") == (
        "# Title\n\n<!-- figures: demo -->\nnew demo\n<!-- end -->\nbetween\n"
        "<!-- figures: size -->\nnew size\n<!-- end -->\n"
    )


def test_filling_twice_changes_nothing() -> None:
    """The second time everything is as it should be."""
    once = fill(TEXT, lambda name: f"new {name}")

    assert fill(once, lambda name: f"new {name}") == once


def test_an_open_block_is_refused() -> None:
    """A mark without an end would swallow the rest of the document."""
    with pytest.raises(BlockUnknown):
        fill("<!-- figures: demo -->\nold\n", lambda name: name)


def test_an_unknown_block_is_refused() -> None:
    """A name that nobody makes anything of is a mistake, and the answer names those that exist."""
    with pytest.raises(BlockUnknown) as refused:
        content("nonsense", Path("nowhere"))
    assert refused.value.facts == {"name": "nonsense"}


def test_a_record_becomes_what_a_command_printed(tmp_path: Path) -> None:
    """The block shows the command, its output and where it ran; without a record it says so."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(TEXT)
    (tmp_path / RECORDS).mkdir()
    printed = Printed(kind="demo", command="./run demo --exit", origin=ORIGIN, lines=("orders   200", "", "end"))
    (tmp_path / RECORDS / "demo.json").write_text(printed.model_dump_json())

    assert write(tmp_path) == [tmp_path / "README.md"]
    assert write(tmp_path) == []

    filled = (tmp_path / "README.md").read_text()
    assert "-->\n    ./run demo --exit\n\n    orders   200\n\n    end\n\nMeasured on 2026-03-01 at commit" in filled
    assert "Not measured yet: `./run figures measure size`." in filled
    assert "old" not in filled

"""Whatever is given to the loader and the check: findings or a flow, and no other error."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows_dsl import prebuilt
from flows_dsl.check import check_text
from flows_dsl.compiler import compile_flow
from flows_dsl.loader import load
from flows_dsl.yaml_reader import read
from orderloom.cli.flows.files import Unreadable, text_of
from orderloom.domain.model import Json

EXAMPLES = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
FLOWS = [prebuilt.text(name) for name in prebuilt.names()]
WORDS = [
    "document:", "dsl: 1.0.3", "do:", "- a:", "set:", "call: ", "try:", "catch:", "retry:", "for:", "in:", "fork:",
    "branches:", "listen:", "to:", "any:", "until:", "then: end", "if: ", "${ input.x }", "${ .a }", "{", "}", "[", "]",
    ",", ":", "- ", "  ", "\n", "\t", "\r", '"', "'", "|", ">", "&a", "*a", "!x", "<<:", "? ", "#", "%", "@", "---",
    "...", "\\", "\\ud800", "\\U00110000", "1e999", "0x", "~", "\ufeff", "\x85", "\u2028", "\0", "é", "\ud800",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10)
    | st.sampled_from(["${ input }", "${ [ }", "PT1S", "end"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
"""Anything that may stand anywhere in a document."""


def _told(text: str) -> None:
    """Hold that *text* is told about in every way that a user can ask for, and compiles when nothing is wrong."""
    findings = check_text(text)
    lines = text.count("\n") + text.count("\r") + text.count("\x85") + text.count("\u2028") + text.count("\u2029") + 1

    assert all(1 <= it.line <= lines and it.column >= 1 and it.code and it.message for it in findings)
    assert json.loads(json.dumps([it.model_dump(mode="json") for it in findings])) == [
        it.model_dump(mode="json") for it in findings
    ]
    if not findings:
        loaded = load(text)
        assert loaded.document is not None
        compile_flow(loaded.document)


@given(st.binary(max_size=300))
@EXAMPLES
def test_any_bytes_are_refused_or_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A file of any bytes is no text, or a text that is told about."""
    file: Path = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(content)
    with suppress(Unreadable):
        _told(text_of(file))


@given(st.text(max_size=200))
@example("\ud800")
@example('"\\ud800": 1')
@example('a: "\\UFFFFFFFF"')
@EXAMPLES
def test_any_text_is_told_about(text: str) -> None:
    """Also one with half characters, control characters or nothing in it."""
    _told(text)


@given(st.lists(st.sampled_from(WORDS), max_size=40).map("".join))
@EXAMPLES
def test_what_looks_like_a_flow_is_told_about(text: str) -> None:
    """Pieces of flows, put together at random."""
    _told(text)


@given(st.data())
@EXAMPLES
def test_a_flow_with_text_changed_anywhere_is_told_about(data: st.DataObject) -> None:
    """A flow that ships, with a stretch of it cut, doubled or replaced."""
    text = data.draw(st.sampled_from(FLOWS))
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, min(len(text), first + 60)))
    new = data.draw(st.sampled_from(["", text[first:last] * 2, *WORDS]))

    _told(text[:first] + new + text[last:])


def _places(value: Json) -> list[tuple[Any, Any]]:
    """Return every place in *value*: what holds it, and under which key."""
    match value:
        case dict():
            keys: list[Any] = list(value)
        case list():
            keys = list(range(len(value)))
        case _:
            return []
    holder: Any = value
    return [(holder, key) for key in keys] + [place for key in keys for place in _places(holder[key])]


@given(st.data())
@EXAMPLES
def test_a_flow_with_a_value_changed_anywhere_is_told_about(data: st.DataObject) -> None:
    """A flow that ships, as JSON, where any node is another value, is gone, or has another name."""
    value, _, _ = read(data.draw(st.sampled_from(FLOWS)))
    holder, key = data.draw(st.sampled_from(_places(value)))
    match data.draw(st.sampled_from(["other", "gone", "renamed"])):
        case "renamed" if isinstance(key, str):
            holder[data.draw(st.text(max_size=8))] = holder.pop(key)
        case "gone":
            del holder[key]
        case _:
            holder[key] = data.draw(JSON)

    _told(json.dumps(value))

"""Every finding: a small flow that has it and nothing else, at exactly its line and column, and its page."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flows_dsl
from flows_dsl import prebuilt
from flows_dsl.check import check_text
from flows_dsl.examples import EXAMPLES, example, findings_of
from flows_dsl.findings_reference import FILES, reference

_SOURCES = ("cel_engine.py", "check*.py", "expression.py", "jq_*.py", "loader.py", "yaml_reader.py")
_CODE = re.compile(r"""(?<!f)"([a-z]+\.[a-z]+(?:_[a-z]+)*)"[,)\n ]""")
_MADE = {
    "listen.no_timeout", "unsupported.run_container", "unsupported.run_script", "unsupported.run_shell",
    "use.unknown_error", "use.unknown_retry", "use.unknown_timeout", "wait.no_timeout",
}  # fmt: skip
"""Codes that are put together of parts."""

_SHORT = sorted(code for code, text in EXAMPLES.items() if len(text) < 1_000)
_WORDS = ("{}", "[]", "null", "1", "'${ input[0].x }'", "do", "x", "[1]", "true", ": ", "- ", "")


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_each_finding_has_its_place(code: str) -> None:
    """The example has this one finding, where its mark stands, with something to do about it."""
    _, line, column = example(code)
    found = findings_of(code)

    assert [(it.code, it.line, it.column) for it in found] == [(code, line, column)]
    assert found[0].message
    assert found[0].remedy


def test_every_code_has_an_example() -> None:
    """No code stands in the sources that the reference does not show, and none is shown that does not exist."""
    root = Path(flows_dsl.__path__[0])
    texts = [file.read_text() for pattern in _SOURCES for file in sorted(root.glob(pattern))]
    groups = {code.partition(".")[0] for code in EXAMPLES}
    codes = {code for text in texts for code in _CODE.findall(text) if code.partition(".")[0] in groups} | _MADE

    assert codes == set(EXAMPLES)


def test_the_reference_is_what_the_code_says() -> None:
    """``docs/reference/findings.md`` is generated."""
    page = Path(flows_dsl.__path__[0]).parent / "docs" / "reference" / "findings.md"

    assert page.read_text() == reference()
    assert all(f"## {code}" in page.read_text() for code in FILES)


def test_all_findings_of_a_flow_come_at_once() -> None:
    """Two examples in one flow have the findings of both, by line."""
    text = prebuilt.text("fulfill-reservation").replace("call: fulfill-reservation", "call: fulfill-reservaton")
    found = check_text(text.replace("type: fulfillment.shipped", "type: fulfillment.shiped"))

    assert [it.code for it in found] == ["event.unknown", "action.unknown"]


@settings(max_examples=150, deadline=None)
@given(code=st.sampled_from(_SHORT), word=st.sampled_from(_WORDS), data=st.data())
def test_no_flow_makes_the_check_fail(code: str, word: str, data: st.DataObject) -> None:
    """A word of a flow replaced by anything leads to findings or to none, never to an error of Python."""
    text = example(code)[0]
    start, end = data.draw(st.sampled_from([it.span() for it in re.finditer(r"[\w.]+|\{\}|\[\]", text)]))
    lines = f"{text}\n".count("\n") + 1

    assert all(1 <= it.line <= lines for it in check_text(text[:start] + word + text[end:]))

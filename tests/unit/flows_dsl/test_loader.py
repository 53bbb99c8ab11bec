"""Reading flows: hostile texts, and where things stand."""

import pytest

from flows_dsl.loader import load
from flows_dsl.yaml_reader import read


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        pytest.param("a: &x [1]\nb: [*x, *x]", "yaml.alias", 1, 4, id="anchor"),
        pytest.param("a: 1\nb: *x", "yaml.alias", 2, 4, id="alias"),
        pytest.param("a: !!python/object/apply:os.system [ls]", "yaml.tag", 1, 4, id="python-tag"),
        pytest.param("a: !mine 1", "yaml.tag", 1, 4, id="custom-tag"),
        pytest.param("a: !!str 1", "yaml.tag", 1, 4, id="standard-tag"),
        pytest.param("[" * 70 + "]" * 70, "yaml.too_deep", 1, 66, id="deep"),
        pytest.param("a: {" * 5000, "yaml.too_deep", 1, 257, id="very-deep"),
        pytest.param("a: " + "x" * 262_144, "yaml.too_large", 1, 1, id="large"),
        pytest.param("a: [1\nb: 2", "yaml.syntax", 2, 2, id="syntax"),
        pytest.param("a: \x07", "yaml.syntax", 1, 1, id="control"),
        pytest.param("a: 1\n---\nb: 1", "yaml.documents", 2, 1, id="two-documents"),
        pytest.param("? [a]\n: 1", "yaml.key", 1, 3, id="key"),
        pytest.param("- a", "flow.shape", 1, 1, id="list"),
        pytest.param("", "flow.shape", 1, 1, id="empty"),
    ],
)
def test_hostile_texts_are_refused(text: str, code: str, line: int, column: int) -> None:
    """What could hide its real size, or is no flow at all, is refused with its place and read no further."""
    loaded = load(text)

    assert loaded.document is None
    assert [(it.code, it.line, it.column) for it in loaded.findings] == [(code, line, column)]


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    """Nothing of a billion laughs is built."""
    bomb = "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))])

    assert [it.code for it in load(bomb).findings] == ["yaml.alias"]


def test_scalars_are_read_as_yaml_1_2_does() -> None:
    """Versions, dates and yes stay text; numbers, truth and null do not."""
    value, _, findings = read("[1.0.3, 2026-01-01, yes, 0x1f, 010, '1', 1, -1.5, true, ~, null, 1e3, on]")

    assert findings == []
    assert value == ["1.0.3", "2026-01-01", "yes", "0x1f", "010", "1", 1, -1.5, True, None, None, 1000.0, "on"]


def test_a_key_written_twice_is_told() -> None:
    """The second of two equal keys is a finding, not a silent choice."""
    found = [(it.code, it.line) for it in load("document: {}\ndocument: {}\n").findings]

    assert ("yaml.duplicate", 2) in found


def test_broken_tasks_do_not_hide_each_other() -> None:
    """Two tasks of a wrong shape, one of them nested, are both told; the rest of the flow is still there."""
    loaded = load(
        """\
document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0.0}
do:
  - a:
      cal: x
  - b:
      try:
        - c:
            wait: PT1S
            iff: x
      catch:
        retry: {dely: PT1S}
  - d:
      set: {}
"""
    )

    assert [(it.line, it.column, it.code, it.remedy) for it in loaded.findings] == [
        (3, 5, "flow.task_kind", "Did you mean 'call'?"),
        (9, 13, "flow.unknown_field", "Did you mean 'if'?"),
        (11, 17, "flow.unknown_field", "Did you mean 'delay'?"),
    ]
    assert loaded.document is not None
    assert [name for item in loaded.document.do for name in item] == ["a", "b", "d"]


def test_the_head_is_checked() -> None:
    """A version that is none and an unknown language are told with their place."""
    loaded = load(
        """\
document: {dsl: 1.0.3, namespace: a, name: b, version: 1.0}
evaluate: {language: javascript}
do: []
"""
    )

    assert [(it.line, it.column, it.code, it.pointer) for it in loaded.findings] == [
        (1, 56, "flow.value", "/document/version"),
        (2, 22, "flow.value", "/evaluate/language"),
        (3, 5, "flow.value", "/do"),
    ]

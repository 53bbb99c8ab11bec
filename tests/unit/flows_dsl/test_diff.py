"""Differences by meaning, and what of them breaks orders in flight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows_dsl import prebuilt
from flows_dsl.diff import Change, diff
from flows_dsl.loader import load
from flows_dsl.meaning import FlowMeaning, meaning, spaced

FLOW = """\
document: {dsl: 1.0.3, namespace: shop, name: greet, version: 1.0.0, title: Greets}
evaluate: {language: cel}
use: {timeouts: {long: {after: PT1H}}}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - first: {set: {a: '${ input[0].id + "  x" }'}, then: last}
  - hear:
      listen: {to: {one: {with: {type: a.b}}}}
      timeout: long
      then: end
  - last: {call: create-reservation}
  - choose: {switch: [{yes: {when: order.units.open > 0, then: hear}}, {no: {then: end}}]}
"""


def read(text: str) -> FlowMeaning:
    loaded = load(text)
    assert loaded.document is not None, loaded.findings
    return meaning(loaded.document)


def changes(*replaced: tuple[str, str], text: str = FLOW) -> list[tuple[str, str | None, str, bool]]:
    """Return kind, task, field and whether it is breaking, of what the replacements change."""
    new = text
    for before, after in replaced:
        assert before in new, before
        new = new.replace(before, after)
    found = diff([read(text)], [read(new)])
    return [(it.what, it.task, it.field, it.breaking is not None) for it in found.changes]


@pytest.mark.parametrize("name", prebuilt.names())
def test_a_flow_is_no_different_from_itself(name: str) -> None:
    """No prebuilt flow differs from itself."""
    flow = meaning(prebuilt.document(name))

    assert diff([flow], [meaning(prebuilt.document(name))]).changes == ()


@pytest.mark.parametrize(
    "replaced",
    [
        pytest.param(('input[0].id + "  x"', 'input[0].id+   "  x"'), id="spaces in an expression"),
        pytest.param(("order.units.open > 0", "'${order.units.open>0}'"), id="the braces of a condition"),
        pytest.param(("PT1H", "PT60M"), id="another way to write a duration"),
        pytest.param(("timeout: long", "timeout: {after: {minutes: 60}}"), id="a reference written out"),
        pytest.param(("title: Greets", "title: Says hello"), id="a title"),
        pytest.param(("version: 1.0.0", "version: 1.0.1"), id="the version"),
        pytest.param(("create-reservation", "create-reservation@1"), id="a major written out"),
        pytest.param(("{set:", "{metadata: {why: that}, set:"), id="remarks"),
    ],
)
def test_another_way_to_write_it_is_no_difference(replaced: tuple[str, str]) -> None:
    """Layout, spelling, references and remarks do not count."""
    assert changes(replaced) == []


def test_what_a_string_says_is_a_difference() -> None:
    """Spaces inside a string of an expression count."""
    assert changes(('"  x"', '" x"')) == [("changed", "first", "/set/a", False)]


def test_a_task_that_is_moved_is_no_difference_unless_the_order_changes() -> None:
    """Jumps keep the order of execution wherever tasks stand; without them moving a task changes it."""
    plain = FLOW.replace(", then: last}", "}").replace("      then: end\n", "")
    hear = "  - hear:\n      listen: {to: {one: {with: {type: a.b}}}}\n      timeout: long\n"
    last = "  - last: {call: create-reservation}\n"

    jumping = hear + "      then: end\n"
    at_the_end = FLOW.replace(jumping, "") + jumping
    with_jump = at_the_end.replace("{no: {then: end}}]}", "{no: {then: end}}], then: exit}")
    original = FLOW.replace("{no: {then: end}}]}", "{no: {then: end}}], then: exit}")
    assert diff([read(original)], [read(with_jump)]).changes == ()

    swapped = plain.replace(hear + last, last + hear)
    assert [(it.what, it.task, it.before, it.after) for it in diff([read(plain)], [read(swapped)]).changes] == [
        ("order", "first", "hear", "last"),
        ("order", "hear", "last", "choose"),
        ("order", "last", "choose", "hear"),
    ]


def test_what_is_inserted_is_one_difference() -> None:
    """A new task between two others changes neither of them."""
    inserted = ("  - choose:", "  - new: {set: {x: 1}}\n  - choose:")

    assert changes(inserted) == [("added", "new", "", False)]
    assert changes((inserted[1], inserted[0]), text=FLOW.replace(*inserted)) == [("removed", "new", "", False)]


@pytest.mark.parametrize(
    ("replaced", "found"),
    [
        pytest.param(("hear", "listen-to"), ("removed", "hear", "", True), id="a task to wait at is renamed"),
        pytest.param(
            ("type: a.b", "type: a.c"), ("changed", "hear", "/listen/to/one/with/type", True), id="other events"
        ),
        pytest.param(
            ("listen: {to: {one: {with: {type: a.b}}}}", "wait: PT1M"), ("changed", "hear", "", True), id="another kind"
        ),
        pytest.param(
            ("{call: create-reservation}", "{call: create-reservation, export: {as: {x: 1}}}"),
            ("changed", "last", "/export", False), id="a new export",
        ),
        pytest.param(
            ("create-reservation", "release-reservation"), ("changed", "last", "/call", True), id="another action"
        ),
        pytest.param(("type: order.placed", "type: order.paid"),
                     ("changed", None, "/schedule/on/one/with/type", False), id="starts on something else"),
    ],
)  # fmt: skip
def test_what_breaks_orders_in_flight_is_told(
    replaced: tuple[str, str], found: tuple[str, str | None, str, bool]
) -> None:
    """Tasks at which an instance may wait, what it waits for, actions, and what it carries."""
    assert found in changes(replaced)


def test_another_major_is_breaking() -> None:
    """The action of another major has other arguments and answers."""
    old, new = read(FLOW), read(FLOW)
    new.tasks.tasks["last"].fields["call"] = "create-reservation@2"

    [change] = diff([old], [new]).changes

    assert change.breaking == "the action's major changes from 1 to 2: arguments and answers are others"
    assert str(change) == f"~ last/call: create-reservation@1 -> create-reservation@2  BREAKING: {change.breaking}"


@pytest.mark.parametrize("part", ["output", "export"])
def test_another_schema_of_what_is_handed_on_is_breaking(part: str) -> None:
    """Instances that have passed the task carry what fits the old schema."""
    old, new = read(FLOW), read(FLOW)
    old.tasks.tasks["last"].fields[part] = {"schema": {"document": {"type": "object"}}}
    new.tasks.tasks["last"].fields[part] = {"schema": {"document": {"type": "array"}}}

    assert [(it.field, it.breaking is not None) for it in diff([old], [new]).changes] == [
        (f"/{part}/schema/document/type", True)
    ]


def test_flows_that_come_and_go_are_told() -> None:
    """A flow that is gone breaks what is in flight in it, a new one nothing."""
    flow = read(FLOW)

    assert [it.what for it in diff([], [flow]).changes] == ["added"]
    assert diff([flow], []).breaking == (
        Change(flow="greet", what="removed", before="1.0.0",
               breaking="an instance of it has no place in the other release"),
    )  # fmt: skip


TOKENS = st.lists(st.sampled_from(["a", "1", "+", "-", "<", "==", "in", ".b", "'x  y'", "(", ")", "$c"]), max_size=12)


@given(TOKENS)
def test_spacing_is_settled_once(tokens: list[str]) -> None:
    """Any number of spaces between tokens means the same, and settling twice is settling once."""
    once, wide = " ".join(tokens), "   ".join(tokens)

    assert spaced(once) == spaced(f"  {wide}\n")
    assert spaced(spaced(once)) == spaced(once)

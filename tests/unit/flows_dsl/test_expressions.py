"""Expressions: values, bounds, and what is refused."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows_dsl.expression import MAX_LENGTH, ExpressionFailed, ExpressionRefused
from flows_dsl.expressions import Condition, Template, unwrap
from flows_dsl.expressions import compile as compile_expression
from flows_dsl.jq_engine import compile_jq

SCOPE: dict[str, Any] = {
    "input": {"a": 1, "price": 9350, "items": [{"q": 2}, {"q": 3}], "name": "x", "none": None},
    "context": {"schedule": 4},
    "order": {"units": {"open": 1, "reserved": 0}},
    "workflow": {"input": [{"id": "100001:1", "data": {"fulfillment_order": "100001-F1"}}]},
    "task": {"name": "t"},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("input.a", 1, id="field"),
        pytest.param("input.price * 2 + 1", 18701, id="integers-stay-integers"),
        pytest.param("input.price / 2", 4675, id="integer-division"),
        pytest.param("order.units.open + order.units.reserved == 0", False, id="order"),
        pytest.param("workflow.input[0].data.fulfillment_order", "100001-F1", id="event"),
        pytest.param("{'b': input.a, 'a': [context.schedule]}", {"a": [4], "b": 1}, id="object"),
        pytest.param("list(input.items).map(it, it.q * 2)", [4, 6], id="map-over-list"),
        pytest.param("list(input.items).exists(it, it.q > 2)", True, id="exists"),
        pytest.param("has(input.again)", False, id="has"),
        pytest.param("input.none == null", True, id="null"),
        pytest.param("2.0", 2, id="whole-double"),
        pytest.param("timestamp('2026-03-02T09:00:00+02:00')", "2026-03-02T07:00:00Z", id="timestamp"),
        pytest.param("duration('90s')", "PT90S", id="duration"),
    ],
)
def test_cel_yields_plain_json(text: str, value: Any) -> None:
    """CEL yields plain JSON with sorted keys; whole numbers are integers."""
    result = compile_expression(text, "cel").evaluate(SCOPE)

    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param(".a", 1, id="here"),
        pytest.param("$order.units.open + $context.schedule", 5, id="variables"),
        pytest.param('"\\(.name)-\\($workflow.input[0].id)"', "x-100001:1", id="interpolation"),
        pytest.param("[.items[] | .q] | add", 5, id="pipe"),
        pytest.param(".items | map(select(.q > 2)) | length", 1, id="functions"),
        pytest.param("{env: .a, b: 1}", {"b": 1, "env": 1}, id="a-key-may-have-any-name"),
        pytest.param(".missing // 3", 3, id="alternative"),
        pytest.param("if .a == 1 then true else false end", True, id="if"),
        pytest.param(".items[0] as {q: $q} | $q", 2, id="binding"),
        pytest.param(".price * 100", 935000, id="times-a-literal"),
    ],
)
def test_jq_yields_one_value(text: str, value: Any) -> None:
    """jq sees the input as `.` and the scope as variables."""
    assert compile_expression(text, "jq").evaluate(SCOPE, SCOPE["input"]) == value


@pytest.mark.parametrize(
    "text",
    [
        "$ENV",
        "env",
        "now",
        "input",
        "inputs",
        "input_filename",
        "localtime",
        "debug",
        "halt",
        "$__loc__",
        "$__here",
        '"\\($ENV.HOME)"',
        '"a \\("b \\(env.HOME)")"',
        '@json "\\(env)"',
        "{a: env}",
        "{(env|tostring): 1}",
        ".[env:1]",
        ". as {a: $x, b: $ENV} | $x",
        "{$ENV}",
        "1) | env | (1",
        "def f: f; f",
        "..",
        "recurse",
        "reduce .[] as $x (0; . + $x)",
        "[limit(3; repeat(1))]",
        "[range(1e9)]",
        'import "a" as a; 1',
        ".a = 1",
        ".a |= 1",
        "setpath([1e8]; 1)",
        '"abc" * 1e9',
        ".name * .a",
        'test("(a+)+$")',
        'split("a"; "g")',
        "# comment\nenv",
        "getpath | 9007199254740993",
        "a::env",
        "@sh",
        '"unclosed',
        "[1",
        "{a: 1)",
    ],
)
def test_jq_refuses_what_is_not_pure_and_bounded(text: str) -> None:
    """Clock, environment, recursion, regular expressions and growth without measure are refused, however hidden."""
    with pytest.raises(ExpressionRefused) as refused:
        compile_jq(text)

    assert refused.value.code.startswith("expression.")


def test_jq_tells_where_the_environment_is_hidden() -> None:
    """The finding points at the name inside the interpolation."""
    with pytest.raises(ExpressionRefused) as refused:
        compile_jq('"a \\("b \\(env)")"')

    assert refused.value.offset == 10


@given(st.text(alphabet='$.ENVenv"\\()[]{}|,:; a1#\n\r_@*', max_size=40))
@settings(max_examples=300, deadline=None)
def test_jq_text_is_refused_or_shows_no_environment(text: str) -> None:
    """Whatever is written: jq's environment never comes out."""
    try:
        result = compile_jq(text).evaluate({}, {"a": 1})
    except (ExpressionRefused, ExpressionFailed):
        return

    assert "PATH" not in str(result)


def test_jq_doubling_is_refused_before_it_runs() -> None:
    """Twenty doublings of a value are too many."""
    with pytest.raises(ExpressionRefused):
        compile_jq("|".join(["[., .]"] * 20))


@pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1])
def test_jq_refuses_integers_that_it_would_round(value: int) -> None:
    """An integer beyond 2^53 is refused at jq's edge, CEL keeps it."""
    with pytest.raises(ExpressionFailed, match="2\\^53"):
        compile_expression("$input.n", "jq").evaluate({"input": {"n": value}})

    assert compile_expression("input.n", "cel").evaluate({"input": {"n": value}}) == value
    assert compile_expression("$input.n", "jq").evaluate({"input": {"n": 2**53}}) == 2**53


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        pytest.param("input.map(k, k)", "expression.map_macro", 0, id="unknown-type"),
        pytest.param("{'a': 1}.map(k, k)", "expression.map_macro", 0, id="map-literal"),
        pytest.param("[input].map(x, x.map(k, k))", "expression.map_macro", 0, id="nested"),
        pytest.param("{'a': 1}.exists(k, k == 'a')", "expression.map_macro", 0, id="exists"),
        pytest.param("input.a + nope", "expression.unknown_name", 10, id="unknown-name"),
        pytest.param("1 + 'a'", "expression.invalid", 2, id="types"),
        pytest.param("input.a +", "expression.invalid", 9, id="syntax"),
        pytest.param("(" * 100 + "1" + ")" * 100, "expression.invalid", 0, id="depth"),
        pytest.param("x" * (MAX_LENGTH + 1), "expression.too_long", 0, id="length"),
        pytest.param("['a']" + ".map(a, a + a)" * 9, "expression.too_costly", 0, id="growth"),
        pytest.param(" ", "expression.invalid", 0, id="empty"),
    ],
)
def test_cel_refuses(text: str, code: str, offset: int) -> None:
    """What could differ between processes, does not compile or is over a bound is refused, with its place."""
    with pytest.raises(ExpressionRefused) as refused:
        compile_expression(text, "cel")

    assert (refused.value.code, refused.value.offset) == (code, offset)


@pytest.mark.parametrize(
    "text",
    ["input.missing", "input.items[9]", "1 / 0", "b'x'", "type(1)", "list(input)", "input.a + 1.5", "double('inf')"],
)
def test_cel_without_a_value_fails(text: str) -> None:
    """A missing field, a wrong type or a value that JSON cannot hold is an error, not a null."""
    with pytest.raises(ExpressionFailed):
        compile_expression(text, "cel").evaluate(SCOPE)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("order.units.open", 2),
        ("order.units.open + size(order.units)", 4),
        ("order.units == {'open': 2, 'held': 0}", True),
        ("has(order.units.open) && !has(order.units.gone)", True),
        ("order['units'].open", 2),
        ("order.lines[1].sku", "lamp"),
        ("order.lines[0] == {'sku': 'mug', 'tags': ['a']} && order.lines[0].tags[0] == 'a'", True),
        ("[1, 2, 3].filter(n, n > order.units.open)", [3]),
        ("list(order.lines).map(line, line.sku + context.sign)", ["mug!", "lamp!"]),
        ("[order, context].exists(order, has(order.sign))", True),
        ("{'all': order.units, 'one': order.units.held}", {"all": {"held": 0, "open": 2}, "one": 0}),
    ],
)
def test_cel_sees_all_that_it_names(text: str, value: Any) -> None:
    """An expression is given the fields that it reads, wherever they stand in it."""
    scope: dict[str, Any] = {
        "order": {
            "id": "1",
            "units": {"open": 2, "held": 0},
            "lines": [{"sku": "mug", "tags": ["a"]}, {"sku": "lamp", "tags": []}],
        },
        "context": {"sign": "!", "more": {}},
    }

    assert compile_expression(text, "cel").evaluate(scope) == value


@pytest.mark.parametrize(
    "text", ["order.gone", "order.units.gone", "order.units.open.deeper", "order[0]", "order.id.x"]
)
def test_cel_finds_nothing_where_nothing_is(text: str) -> None:
    """A field that is not there is an error, as it is where the whole is given."""
    scope: dict[str, Any] = {"order": {"id": "1", "units": {"open": 2}}}
    whole = compile_expression(f"[order].map(order, {text})[0]", "cel")

    with pytest.raises(ExpressionFailed) as told:
        compile_expression(text, "cel").evaluate(scope)
    with pytest.raises(ExpressionFailed) as expected:
        whole.evaluate(scope)

    assert str(told.value) == str(expected.value)


def test_a_result_over_the_cap_fails() -> None:
    """An expression may not yield more than 32 KB."""
    with pytest.raises(ExpressionFailed, match="at most 32768"):
        compile_expression("input", "cel").evaluate({"input": ["x" * 40_000]})


def test_strings_without_marks_are_literal() -> None:
    """Only `${ }` marks an expression; objects and arrays are read throughout."""
    template = Template({"b": ["input.a", "${ input.a }"], "a": {"c": "${ {'x': input.name} }"}, "n": 1}, "cel")

    assert template.evaluate(SCOPE) == {"a": {"c": {"x": "x"}}, "b": ["input.a", 1], "n": 1}
    assert not template.constant
    assert Template({"a": "input.a"}, "cel").constant
    assert unwrap("a ${ b }") is None


def test_a_condition_must_be_true_or_false() -> None:
    """A number is no condition; jq's null is false."""
    assert Condition("${ .a == 1 }", "jq").holds({}, {"a": 1})
    assert not Condition(".missing", "jq").holds({}, {"a": 1})
    with pytest.raises(ExpressionFailed, match="a number"):
        Condition("input.a", "cel").holds(SCOPE)


def test_compiling_twice_is_one_compilation() -> None:
    """Expressions are compiled once per process."""
    assert compile_expression("input.a + 41", "cel") is compile_expression("input.a + 41", "cel")


PROGRAM = """
from flows_dsl.expressions import compile
scope = {"input": {k: {"n": i, "m": {c: i for c in k}} for i, k in enumerate(["delta", "alpha", "omega", "beta", "x"])},
         "order": {"z": 1, "y": [3, 2, 1]}}
texts = ["input", "{'q': input, 'a': order}", "list(order.y).map(x, {'v': x, 'w': input})", "[input, order]",
         "input.nope", "input + 1", "list(input)"]
from flows_dsl.canonical import canonical_json
for text in texts:
    try:
        print(canonical_json(compile(text, "cel").evaluate(scope)))
    except Exception as error:
        print(repr(error))
    print(list(compile(text, "cel").evaluate(scope)) if text == "input" else "")
"""


def test_cel_yields_the_same_in_every_process() -> None:
    """Three processes with different hash seeds print the same text, also for errors."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env={"PYTHONHASHSEED": seed}, text=True, capture_output=True, check=True
        ).stdout
        for seed in ("0", "1", "4242")
    }

    assert len(printed) == 1
    assert "['alpha', 'beta', 'delta', 'omega', 'x']" in printed.pop()

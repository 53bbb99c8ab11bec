"""What a hostile author may try: each text gets its exact code, and neither hangs, nor grows, nor reads the process."""

from typing import Any

import pytest

from flows_dsl.check import check_text
from flows_dsl.expression import MAX_LENGTH, ExpressionFailed, ExpressionRefused
from flows_dsl.expressions import Language
from flows_dsl.expressions import compile as compile_expression
from flows_dsl.runner import Resolution
from flows_dsl.testing import ScriptedRunner, draft, event, run
from orderloom.domain.model import Json

HEAD = """\
document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
"""
LAUGHS = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" if n else "a0: &a0 [x]\n" for n in range(9))
PLACED = event("order.placed")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param(HEAD + f"do: [{{a: {{set: {{x: {'y' * 262_144}}}}}}}]", {"yaml.too_large"}, id="too-large"),
        pytest.param(HEAD + "é" * 131_072, {"yaml.too_large"}, id="too-large-in-bytes"),
        pytest.param(HEAD + f"do: [{{a: {{set: {{x: {'[' * 80}{']' * 80}}}}}}}]", {"yaml.too_deep"}, id="too-deep"),
        pytest.param(HEAD + "do: " + "[{a: {do: " * 40 + "1" + "}}]" * 40, {"yaml.too_deep"}, id="blocks-too-deep"),
        pytest.param(HEAD + LAUGHS, {"yaml.alias"}, id="alias-bomb"),
        pytest.param(HEAD + "do: &d [{a: {do: *d}}]", {"yaml.alias"}, id="alias-to-itself"),
        pytest.param(HEAD + "<<: {do: []}", {"flow.unknown_field", "flow.missing"}, id="merge"),
        pytest.param(HEAD + "do: !!python/object/apply:os.system [ls]", {"yaml.tag"}, id="python-tag"),
        pytest.param(HEAD + "do: [{a: {set: {x: !env HOME}}}]", {"yaml.tag"}, id="custom-tag"),
        pytest.param(HEAD + "do: [{a: {set: {x: !!binary YQ==}}}]", {"yaml.tag"}, id="binary"),
        pytest.param("%TAG ! tag:x,2000:\n---\n" + HEAD + "do: []", {"flow.value"}, id="directive"),
        pytest.param(HEAD + "do: [{a: {set: {}}}]\n--- {}\n", {"yaml.documents"}, id="two-documents"),
        pytest.param(HEAD + "do: [{a: {set: {x: \0}}}]", {"yaml.syntax"}, id="null-byte"),
        pytest.param(HEAD + "do: [{a: {set: {x: \ud800}}}]", {"yaml.syntax"}, id="half-a-character"),
        pytest.param(HEAD + "do: " + "9" * 5_000, {"flow.value"}, id="endless-number"),
        pytest.param(HEAD + 'do: [{a: {set: {x: "\\ud800"}}}]', {"yaml.syntax"}, id="half-a-character-escaped"),
        pytest.param(HEAD + 'do: [{"\\ud800": {set: {}}}]', {"yaml.syntax"}, id="half-a-character-as-key"),
        pytest.param(HEAD + 'do: [{a: {set: {x: "\\UFFFFFFFF"}}}]', {"yaml.syntax"}, id="no-character"),
        pytest.param(HEAD + "do: [" + "{a: {set: {}}}," * 300 + "]", {"flow.value"}, id="too-many-tasks"),
        pytest.param(HEAD + "do: [{a: {run: {shell: {command: env}}}}]", {"unsupported.run_shell"}, id="shell"),
        pytest.param(HEAD + "do: [{a: {wait: P99999999999D}}]", {"duration.invalid"}, id="endless-wait"),
        pytest.param(
            HEAD + "do: [{a: {listen: {to: {one: {with: {type: x}}}}}}]", {"listen.no_timeout"}, id="listen-for-ever"
        ),
        pytest.param(
            HEAD + "use: {retries: {x: {delay: PT0S}}}\ndo: [{a: {set: {}}}]", {"retry.no_limit"}, id="retry-for-ever"
        ),
        pytest.param(
            HEAD + "do: [{a: {try: [{b: {set: {}}}], catch: {retry: {limit: {attempt: {count: 1000000}}}}}}]",
            {"flow.value"},
            id="retry-too-often",
        ),
    ],
)
def test_a_hostile_flow_gets_its_code(text: str, codes: set[str]) -> None:
    """The finding says what is wrong; whatever the text holds is never built, called or read."""
    assert {it.code for it in check_text(text)} == codes


@pytest.mark.parametrize(
    ("language", "text", "code"),
    [
        pytest.param("cel", "1" + " + 1" * 600, "expression.too_long", id="cel-length"),
        pytest.param("jq", "1" + " + 1" * 600, "expression.too_long", id="jq-length"),
        pytest.param("cel", "!" * (MAX_LENGTH + 1), "expression.too_long", id="cel-length-of-operators"),
        pytest.param("cel", "(" * 300 + "1" + ")" * 300, "expression.invalid", id="cel-depth"),
        pytest.param("cel", "[" * 300 + "]" * 300, "expression.invalid", id="cel-deep-list"),
        pytest.param("cel", "input.map(k, k)", "expression.map_macro", id="cel-map-order"),
        pytest.param(
            "cel", "[1].map(a, [1].map(b, [1].map(c, [1].map(d, d))))", "expression.too_costly", id="cel-nested-macros"
        ),
        pytest.param("cel", "['x']" + ".map(a, a + a)" * 9, "expression.too_costly", id="cel-doubling"),
        pytest.param("cel", "['x']" + ".map(a, [a,a,a,a,a])" * 5, "expression.too_costly", id="cel-fivefold"),
        pytest.param("cel", "[1]" + ".filter(a, true)" * 9, "expression.too_costly", id="cel-many-macros"),
        pytest.param("cel", "__import__('os').environ", "expression.unknown_name", id="cel-python"),
        pytest.param("cel", "nope.Message{}", "expression.unknown_name", id="cel-message"),
        pytest.param("jq", "$ENV", "expression.not_allowed", id="jq-environment"),
        pytest.param("jq", "env", "expression.not_allowed", id="jq-env"),
        pytest.param("jq", '"\\("\\(env.PATH)")"', "expression.not_allowed", id="jq-env-in-text-in-text"),
        pytest.param("jq", '@base64 "\\($ENV)"', "expression.not_allowed", id="jq-env-in-format"),
        pytest.param("jq", "{$ENV}", "expression.not_allowed", id="jq-env-as-key"),
        pytest.param("jq", ". as [$a, {b: $ENV}] | $a", "expression.not_allowed", id="jq-env-in-pattern"),
        pytest.param("jq", "now", "expression.not_allowed", id="jq-now"),
        pytest.param("jq", "input", "expression.not_allowed", id="jq-input"),
        pytest.param("jq", "[inputs]", "expression.not_allowed", id="jq-inputs"),
        pytest.param("jq", "input_filename", "expression.not_allowed", id="jq-file"),
        pytest.param("jq", "$__prog_args", "expression.not_allowed", id="jq-internals"),
        pytest.param("jq", 'import "x" as x; 1', "expression.not_allowed", id="jq-import"),
        pytest.param("jq", 'include "x"; 1', "expression.not_allowed", id="jq-include"),
        pytest.param("jq", "..", "expression.not_allowed", id="jq-recursion"),
        pytest.param("jq", "recurse(.)", "expression.not_allowed", id="jq-recurse"),
        pytest.param("jq", "def f: f; f", "expression.not_allowed", id="jq-def"),
        pytest.param("jq", "last(repeat(1))", "expression.not_allowed", id="jq-repeat"),
        pytest.param("jq", "[range(1e9)]", "expression.not_allowed", id="jq-range"),
        pytest.param("jq", "until(false; .)", "expression.not_allowed", id="jq-until"),
        pytest.param("jq", "[limit(9; 1)]", "expression.not_allowed", id="jq-limit"),
        pytest.param("jq", 'test("(a+)+$")', "expression.not_allowed", id="jq-regex"),
        pytest.param("jq", 'gsub("";"x")', "expression.not_allowed", id="jq-gsub"),
        pytest.param("jq", 'split("a+"; "g")', "expression.not_allowed", id="jq-split-regex"),
        pytest.param("jq", ".s * .n", "expression.not_allowed", id="jq-repeated-text"),
        pytest.param("jq", '"ab" * 1e9', "expression.not_allowed", id="jq-a-billion-times"),
        pytest.param("jq", "[., .]" + "|[., .]" * 30, "expression.not_allowed", id="jq-doubling"),
        pytest.param("jq", ".[1e9] = 1", "expression.not_allowed", id="jq-huge-index"),
        pytest.param("jq", "# x\nenv", "expression.not_allowed", id="jq-comment"),
        pytest.param("jq", "1 # \\\nenv", "expression.not_allowed", id="jq-comment-that-goes-on"),
        pytest.param("jq", "1) | (env", "expression.not_allowed", id="jq-out-of-brackets"),
        pytest.param("jq", "$__loc__", "expression.not_allowed", id="jq-place"),
        pytest.param("jq", "input_line_number", "expression.not_allowed", id="jq-line"),
        pytest.param("jq", 'strftime("%Y")', "expression.not_allowed", id="jq-time"),
        pytest.param("jq", "getpath([1e18])", "expression.not_allowed", id="jq-huge-number"),
        pytest.param("jq", "@sh", "expression.not_allowed", id="jq-shell"),
        pytest.param("jq", "limit", "expression.not_allowed", id="jq-no-arguments"),
        pytest.param("jq", "\uff45nv", "expression.not_allowed", id="jq-wide-letters"),
    ],
)
def test_a_hostile_expression_is_refused_before_it_runs(language: Language, text: str, code: str) -> None:
    """Compiling it is refused with exactly this code, and so is a flow that holds it."""
    with pytest.raises(ExpressionRefused) as refused:
        compile_expression(text, language)

    assert refused.value.code == code


FLAT: dict[str, Any] = {"input": list(range(5_000))}
COSTLY = "the expression is too costly for its input: it may take"
WIDE: dict[str, Any] = {"input": {"l": ["x" * 100] * 200, "s": "y" * 20_000}}


@pytest.mark.parametrize(
    ("language", "text", "scope", "detail"),
    [
        pytest.param("cel", "list(input).all(a, a in input)", FLAT, f"{COSTLY} 25010000 steps", id="cel-search"),
        pytest.param("cel", "list(input).all(a, input == input)", FLAT, f"{COSTLY} 25010000 steps", id="cel-compare"),
        pytest.param("cel", "list(input).map(a, 1).size()", FLAT, f"{COSTLY} 25015000 steps", id="cel-gather"),
        pytest.param("cel", "list(input).filter(a, true).size()", FLAT, f"{COSTLY} 25015000 steps", id="cel-filter"),
        pytest.param(
            "cel", "list(input).map(a, input + input).size()", FLAT, f"{COSTLY} 200120000 steps", id="cel-append",
        ),
        pytest.param(
            "cel", "list(input).all(a, list(input).all(b, b >= 0))", FLAT, f"{COSTLY} 200080000 steps", id="cel-nested",
        ),
        pytest.param(
            "cel", "[1,1].all(a, [input, input].all(b, list(b).all(c, c >= 0)))", FLAT,
            f"{COSTLY} 200160000 steps", id="cel-three-loops",
        ),
        pytest.param(
            "cel", "list(input).all(a, a >= 0)", {"input": list(range(10_001))},
            "INTERNAL: Iteration budget exceeded [INTERNAL]", id="cel-budget-of-rounds",
        ),
        pytest.param(
            "cel", "input.s + input.s", WIDE, "the result is 40002 bytes; at most 32768 are allowed", id="cel-result",
        ),
        pytest.param(
            "jq", "$input.s + $input.s", WIDE, "the result is 40002 bytes; at most 32768 are allowed", id="jq-result",
        ),
        pytest.param(
            "jq", "[$input[] as $a | $input[] as $b | $input[] as $c | 1] | length", FLAT,
            "jq: the expression is too costly for an input of 23898 characters", id="jq-loops-in-loops",
        ),
        pytest.param(
            "jq", "1, 2", {}, "jq: the expression yields 2 values instead of one", id="jq-two-values",
        ),
    ],
)  # fmt: skip
def test_what_is_too_costly_for_its_input_fails_before_it_runs(
    language: Language, text: str, scope: dict[str, Any], detail: str
) -> None:
    """The cost is known from the text and the size of the input: no clock ends it, and it fails the same everywhere."""
    expression = compile_expression(text, language)

    with pytest.raises(ExpressionFailed) as failed:
        expression.evaluate(scope)

    assert str(failed.value) == detail


async def test_a_loop_over_too_many_items_is_an_error() -> None:
    """A `for` of more than a thousand rounds begins none of them."""
    big = draft("  - a: {for: {in: input}, do: [{b: {call: act}}]}\n", extra="input: {from: '${ input[0].data.l }'}")
    started = event("order.placed", {"l": list[Json]([0] * 1_001)})
    runner = ScriptedRunner(resolutions=[Resolution(kind="cancel")])

    with pytest.raises(Exception, match=r"flow\.too_many"):
        await run(big, runner, started)

    assert [it.kind for it in runner.asked] == ["fault"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("  - a: {call: big}\n", "flow.too_large", id="result"),
        pytest.param(
            "  - a: {set: {x: 1}, export: {as: {l: '${ input }', m: '${ input }', n: '${ input }'}}}\n",
            "flow.too_large",
            id="context",
        ),
        pytest.param(
            "  - a: {emit: {event: {with: {type: x, data: {l: '${ input[0].data.l }'}}}}}\n",
            "flow.too_large",
            id="event",
        ),
    ],
)
async def test_values_over_their_caps_are_errors(body: str, code: str) -> None:
    """What would enter the history and is too large stays out of it: an operator is asked instead."""
    runner = ScriptedRunner(answers={"big": [{"l": "x" * 17_000}]}, resolutions=[Resolution(kind="cancel")])

    with pytest.raises(Exception, match=code.replace(".", r"\.")):
        await run(draft(body), runner, event("order.placed", {"l": "x" * 15_000}))

    assert [it.what for it in runner.asked if it.kind == "fault"] == [code]
    assert not [it for it in runner.asked if it.kind == "emit"]

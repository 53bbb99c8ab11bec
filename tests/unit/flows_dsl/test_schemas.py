"""Schemas at the edges of tasks and flows: what passes, what is raised, and what a schema may say."""

from typing import Any

import pytest

from flows_dsl.check import check_text
from flows_dsl.runner import Resolution
from flows_dsl.schemas import Schema
from flows_dsl.testing import ScriptedRunner, draft, event, run

PLACED = event("order.placed", {"channel": "web"})
VALIDATION = "https://serverlessworkflow.io/spec/1.0.0/errors/validation"
NUMBER = "{schema: {document: {type: object, properties: {n: {type: integer, minimum: 3}}, required: [n]}}"


def _caught(edge: str, given: str = "{n: 2}") -> str:
    return f"""\
  - before: {{set: {given}}}
  - a:
      try: [{{b: {{call: act, {edge}}}}}]
      catch: {{as: it, do: [{{c: {{set: "${{ {{'type': it.type, 'status': it.status, 'detail': it.detail, 'at': it.instance}} }}"}}}}]}}
"""  # noqa: E501


@pytest.mark.parametrize(
    ("edge", "called"),
    [
        pytest.param(f"input: {NUMBER}}}", 0, id="input"),
        pytest.param(f"output: {NUMBER}, as: '${{ {{\"n\": 2}} }}'}}", 1, id="output"),
        pytest.param(f"export: {NUMBER}, as: '${{ {{\"n\": 2}} }}'}}", 1, id="export"),
    ],
)
async def test_a_value_that_does_not_fit_is_the_specifications_error(edge: str, called: int) -> None:
    """It can be caught, names the place in the value and the task; with a wrong input nothing is called."""
    runner = ScriptedRunner(answers={"act": [{"n": 5}]})

    assert await run(draft(_caught(edge)), runner, PLACED) == {
        "at": "/do/1/a/try/0/b",
        "detail": "/n: it does not fit minimum: 3.",
        "status": 400,
        "type": VALIDATION,
    }
    assert len([it for it in runner.asked if it.kind == "call"]) == called


async def test_the_input_is_validated_before_it_is_changed_and_the_output_after() -> None:
    """`from` may yield what the schema of the raw input forbids, and `as` must yield what that of the output asks."""
    compiled = draft(
        f"""\
  - before: {{set: {{n: 3}}}}
  - a:
      input: {NUMBER}, from: "${{ {{'n': 1}} }}"}}
      set: {{n: 1, was: "${{ input.n }}"}}
      output: {NUMBER}, as: "${{ {{'n': output.n + 4, 'was': output.was}} }}"}}
      export: {NUMBER}, as: "${{ {{'n': output.n}} }}"}}
"""
    )

    assert await run(compiled, ScriptedRunner(), PLACED) == {"n": 5, "was": 1}


async def test_a_flows_input_that_does_not_fit_begins_no_task() -> None:
    """An operator is asked; the flow has done nothing."""
    compiled = draft("  - a: {call: act}\n", extra="input: {schema: {document: {type: array, maxItems: 0}}}")
    runner = ScriptedRunner(resolutions=[Resolution(kind="skip", output={"left": True})])

    assert await run(compiled, runner, PLACED) == {"left": True}
    assert [(it.kind, it.what) for it in runner.asked] == [("fault", "validation")]
    assert runner.faults[0].problem.detail == "The value: it does not fit maxItems: 0."


async def test_a_flows_output_is_changed_once_however_often_it_is_tried() -> None:
    """A retry after the output did not fit begins with the output as it was."""
    compiled = draft(
        "  - a: {set: {n: 1}}\n",
        extra="output: {as: \"${ {'n': output.n + 1} }\", schema: {document: {properties: {n: {minimum: 3}}}}}",
    )
    runner = ScriptedRunner(resolutions=[Resolution(kind="retry"), Resolution(kind="skip", output={})])

    assert await run(compiled, runner, PLACED) == {}
    assert [it.problem.detail for it in runner.faults] == ["/n: it does not fit minimum: 3."] * 2


async def test_what_comes_of_each_event_is_validated() -> None:
    """The schema under `foreach.output` is that of what each event comes to."""
    compiled = draft(
        """\
  - a:
      try:
        - b:
            listen: {to: {all: [{with: {type: x}}]}}
            foreach:
              do: [{c: {set: {n: "${ item.n }"}}}]
              output: {schema: {document: {properties: {n: {maximum: 1}}}}}
      catch: {as: it, do: [{d: {set: {told: "${ it.detail }"}}}]}
"""
    )

    output = await run(compiled, ScriptedRunner(events=[event("x", {"n": 2}, seq=2)]), PLACED)

    assert output == {"told": "/n: it does not fit maximum: 1."}


@pytest.mark.parametrize(
    ("document", "value", "fault"),
    [
        pytest.param({"type": "object", "required": ["a"]}, {}, "The value: 'a' is a required property.", id="name"),
        pytest.param(
            {"additionalProperties": False, "properties": {"a": True}}, {"a": 1, "secret": 2},
            "The value: it has properties that the schema does not name.", id="additional",
        ),
        pytest.param({"items": {"type": "integer"}}, [1, "x"], "/1: it does not fit type: 'integer'.", id="items"),
        pytest.param(
            {"prefixItems": [True, {"const": 1}]}, [0, 2], "/1: it does not fit const: 1.", id="prefix-items",
        ),
        pytest.param({"properties": {"a/b": {"enum": [1]}}}, {"a/b": 2}, "/a~1b: it does not fit enum: [1].", id="at"),
        pytest.param({"not": {"type": "null"}}, None, "The value: it does not fit not: {'type': 'null'}.", id="not"),
        pytest.param(
            {"if": {"type": "integer"}, "then": {"minimum": 2}, "else": {"maxLength": 1}}, 1,
            "The value: it does not fit minimum: 2.", id="if",
        ),
        pytest.param({"format": "date"}, "no date", None, id="format-is-a-remark"),
        pytest.param({"oneOf": [{"type": "string"}, {"type": "number"}]}, 1, None, id="one-of"),
        pytest.param(False, 1, "The value: nothing fits here.", id="nothing-fits"),
        pytest.param(True, 1, None, id="anything-fits"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_without_the_value(document: Any, value: Any, fault: str | None) -> None:
    """Place and rule are told; the value, which may be large or personal, is not."""
    assert Schema(document).fault(value) == fault


def test_validating_has_a_bound() -> None:
    """Size of the schema times size of the value: beyond that it fails before it begins."""
    document: Any = {"items": {"anyOf": [{"const": n} for n in range(100)]}}

    assert Schema(document).fault(list[Any]([1] * 5_000)) == (
        "The value is too large for its schema: it may take 1015203 steps; at most 100000 are allowed."
    )


@pytest.mark.parametrize(
    ("schema", "code", "line", "column"),
    [
        pytest.param("{document: {type: objekt}}", "schema.invalid", 5, 35, id="type"),
        pytest.param("{document: {properties: {a: {pattern: '(a+)+$'}}}}", "schema.invalid", 5, 55, id="pattern"),
        pytest.param("{document: {$ref: 'https://shop.example/s.json'}}", "schema.invalid", 5, 35, id="ref"),
        pytest.param("{document: {uniqueItems: true}}", "schema.invalid", 5, 42, id="unique"),
        pytest.param("{document: {anyOf: [{requierd: [a]}]}}", "schema.invalid", 5, 48, id="inside"),
        pytest.param("{document: {minimum: x}}", "schema.invalid", 5, 38, id="no-number"),
        pytest.param("{document: 3}", "schema.invalid", 5, 28, id="no-schema"),
        pytest.param("{resource: {endpoint: 'https://x'}}", "unsupported.schema", 5, 18, id="resource"),
        pytest.param("{format: avro, document: {}}", "flow.value", 5, 26, id="format"),
        pytest.param("{}", "schema.missing", 5, 9, id="nothing"),
    ],
)
def test_schemas_are_checked(schema: str, code: str, line: int, column: int) -> None:
    """What is no schema, or has no bounded cost, is told with its place."""
    text = (
        "document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}\nevaluate: {language: cel}\n"
        "schedule: {on: {one: {with: {type: order.placed}}}}\ndo: [{a: {set: {}}}]\n"
        f"input: {{schema: {schema}}}\n"
    )
    found = [it for it in check_text(text) if not it.code.startswith("event.")]

    assert [(it.code, it.line, it.column) for it in found] == [(code, line, column)]

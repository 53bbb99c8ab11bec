"""What the check knows of values by the schemas that stand in a flow."""

import pytest

from flows_dsl.check import check_text
from flows_dsl.shapes import ANY, Shape, of_schema
from orderloom.domain.model import Json

HEAD = """document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
"""
SCHEMA = "{type: object, required: [count], properties: {count: {type: integer}}, additionalProperties: false}"
ASKED = f"{{call: http, with: {{method: get, endpoint: 'http://x'}}, output: {{schema: {{document: {SCHEMA}}}}}}}"


@pytest.mark.parametrize(
    ("schema", "shape"),
    [
        ({"type": "string"}, Shape("STRING")),
        ({"type": "integer"}, Shape("INT")),
        ({"type": "boolean"}, Shape("BOOL")),
        ({"type": "number"}, ANY),
        ({"type": ["string", "null"]}, ANY),
        ({"enum": ["a", "b"]}, Shape("STRING")),
        ({"const": True}, Shape("BOOL")),
        ({"type": "array", "items": {"type": "string"}}, Shape("LIST", item=Shape("STRING"))),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, ANY),
        ({}, ANY),
        (True, ANY),
    ],
)
def test_a_schema_says_what_is_plain(schema: Json, shape: Shape) -> None:
    """What it leaves open may be anything."""
    assert of_schema(schema) == shape


def test_what_may_be_missing_may_be_anything() -> None:
    """A field that must be there has its type; other names are none, unless the object is open."""
    closed = of_schema(
        {
            "type": "object",
            "required": ["a"],
            "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "additionalProperties": False,
        }
    )
    opened = of_schema({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}})

    assert (closed.get("a"), closed.get("b"), closed.get("c")) == (Shape("STRING"), ANY, None)
    assert (opened.get("a"), opened.get("c")) == (Shape("STRING"), ANY)


@pytest.mark.parametrize(
    ("next_task", "expected"),
    [
        ("{call: find-routes, with: {schedule: '${ input.count }'}}", []),
        ("{if: '${ input.cuont > 1 }', call: create-reservation}", ["expression.unknown_field"]),
        ("{if: '${ input.count }', call: create-reservation}", ["expression.not_a_condition"]),
        ("{if: '${ input.count > \"1\" }', call: create-reservation}", ["expression.type"]),
    ],
    ids=["right", "name", "condition", "type"],
)
def test_expressions_are_checked_by_schemas(next_task: str, expected: list[str]) -> None:
    """What a schema demands of an output is what the next task's expressions may count on."""
    assert [it.code for it in check_text(HEAD + f"do: [{{a: {ASKED}}}, {{b: {next_task}}}]\n")] == expected

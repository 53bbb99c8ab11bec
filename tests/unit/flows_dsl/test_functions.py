"""``use.functions``: calls that a flow names once."""

import pytest

from flows_dsl.check import check_text
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.resolved import resolve
from flows_dsl.testing import ScriptedRunner, draft, event, run

HEAD = """document: {dsl: 1.0.3, namespace: shop, name: mine, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
"""


def _document(text: str) -> FlowDocument:
    loaded = load(HEAD + text)
    assert loaded.document is not None, loaded.findings
    return loaded.document


def _findings(text: str) -> list[tuple[int, str]]:
    return [(it.line, it.code) for it in check_text(HEAD + text)]


FUNCTION = "use: {functions: {planOne: {call: find-routes, with: {schedule: '${ input.number }'}}}}\n"


async def test_a_function_is_called_with_arguments() -> None:
    """What a task gives it is its input; its output is the task's, and the context sees nothing of it."""
    flow = draft(
        """\
  - a: {call: planOne, with: {number: '${ input[0].seq + 1 }'}, output: {as: '${ output.outcome }'}}
""",
        extra=FUNCTION,
    )
    runner = ScriptedRunner({"find-routes": [{"outcome": "NO_STOCK", "attempt": 1}]})

    assert await run(flow, runner, event("order.placed")) == "NO_STOCK"
    assert [(it.what, it.arguments) for it in runner.asked] == [("find-routes@1", {"schedule": 2})]


def test_a_call_of_a_function_is_what_the_function_is() -> None:
    """It becomes a block with the function in it; what the task says beside the call stays with the task."""
    flow = resolve(_document(FUNCTION + "do: [{a: {call: planOne, with: {number: 1}, then: end}}]"))

    function = {"call": "find-routes@1", "with": {"schedule": "${ input.number }"}, "input": {"from": {"number": 1}}}
    assert flow["do"] == [{"a": {"then": "end", "do": [{"planOne": function}]}}]
    assert "use" not in flow


def test_without_arguments_the_input_of_the_task_is_that_of_the_function() -> None:
    """Nothing is put in between."""
    flow = resolve(_document(FUNCTION + "do: [{a: {call: planOne}}]"))

    function = {"call": "find-routes@1", "with": {"schedule": "${ input.number }"}}
    assert flow["do"] == [{"a": {"do": [{"planOne": function}]}}]


def test_flows_that_share_a_function_by_hand_mean_the_same() -> None:
    """A flow without functions keeps its address."""
    flow = resolve(
        _document("use: {timeouts: {t: {after: PT1S}}}\ndo: [{a: {call: find-routes, with: {schedule: 1}}}]")
    )

    assert flow["use"] == {"timeouts": {"t": {"after": "PT1S"}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FUNCTION + "do: [{a: {call: planOne, with: {number: 1}}}]", []),
        (FUNCTION + "do: [{a: {call: planTwo}}]", [(5, "action.unknown")]),
        (
            FUNCTION + "do: [{a: {call: planOne, export: {as: '${ output.outcom }'}}}]",
            [(5, "expression.unknown_field")],
        ),
        ("use: {functions: {planOne: {call: find-rout}}}\ndo: [{a: {call: planOne}}]", [(4, "action.unknown")]),
        ("use: {functions: {planOne: {call: planOne}}}\ndo: [{a: {call: planOne}}]", [(4, "action.unknown")]),
        ("use: {functions: {plan: {call: find-routes}}}\ndo: [{a: {call: plan}}]", [(4, "flow.value")]),
        (
            "use: {functions: {planOne: {set: {a: 1}}}}\ndo: [{a: {call: planOne}}]",
            [(4, "flow.missing"), (4, "flow.unknown_field")],
        ),
    ],
    ids=["right", "unknown", "typed", "unknown-action", "nested", "name", "kind"],
)
def test_functions_are_checked_where_they_stand_and_where_they_are_called(
    text: str, expected: list[tuple[int, str]]
) -> None:
    """What they return is known; a function calls an action or the outside, no other function."""
    assert _findings(text) == expected

"""The JSON Schema of flows: true to the models and the catalog, and pointing at what is wrong."""

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flows_dsl import prebuilt
from flows_dsl.flow_schema import flow_schema, schema_text
from flows_dsl.outside_calls import OUTSIDE_CALLS
from flows_dsl.yaml_reader import read
from orderloom.cli.flows.schema import schema
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.contract import ActionContract, Runs
from orderloom.domain.model import Frozen

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "flow.schema.json"
VALIDATOR = Draft202012Validator(flow_schema(CORE_ACTIONS))
HEAD = "document: {dsl: 1.0.3, namespace: n, name: f, version: 1.0.0}\n"


class Part(Frozen):
    """A part of an input."""

    sku: str
    count: int


class Parts(Frozen):
    """An input with parts."""

    parts: list[Part]
    note: str | None = None


def places(text: str, validator: Draft202012Validator = VALIDATOR) -> list[str]:
    """Return where the schema finds something wrong, as JSON pointers."""
    value, _, _ = read(text)
    found = validator.iter_errors(value)  # pyright: ignore[reportUnknownMemberType]
    return sorted("".join(f"/{part}" for part in it.absolute_path) for it in found)


def test_the_file_is_what_the_models_and_the_catalog_say(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/reference/flow.schema.json is what `orderloom flows schema` writes, and a JSON Schema."""
    schema()

    text = PAGE.read_text("utf-8")
    assert text == schema_text(CORE_ACTIONS)
    assert capsys.readouterr() == (text, "")
    Draft202012Validator.check_schema(flow_schema(CORE_ACTIONS))


def test_every_action_completes_with_what_it_changes() -> None:
    """`call` offers each action with and without its major version, and calls outside; it says what each changes."""
    call = flow_schema(CORE_ACTIONS)["$defs"]["CallTask"]["properties"]["call"]["anyOf"][0]

    said = dict(zip(call["enum"], call["enumDescriptions"], strict=True))
    actions = {name: it.changes for it in CORE_ACTIONS for name in (it.name, it.activity)}
    assert said == actions | {name: it.changes for name, it in OUTSIDE_CALLS.items()}


@pytest.mark.parametrize("name", prebuilt.names())
def test_flows_that_ship_are_valid(name: str) -> None:
    """Nothing is wrong with a flow that ships."""
    assert places(prebuilt.text(name)) == []


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("[{a: {call: find-routes, with: {schedule: 1}}}]", []),
        ("[{a: {call: find-routes@1, with: {schedule: '${ input.schedule }'}, if: true}}]", []),
        ("[{a: {call: find-route, with: {schedule: 1}}}]", ["/do/0/a/call"]),
        ("[{a: {call: findRoute, with: {schedule: one}}}]", []),
        ("[{a: {call: http, with: {method: get, endpoint: 'http://x', redirects: true}}}]", ["/do/0/a/with"]),
        ("[{a: {call: openapi, with: {document: {endpoint: 'http://x'}, operationId: a}}}]", []),
        ("[{a: {call: find-routes@9, with: {schedule: 1}}}]", ["/do/0/a/call"]),
        ("[{a: {call: find-routes, with: {schedule: one}}}]", ["/do/0/a/with/schedule"]),
        ("[{a: {call: find-routes, with: {schedule: 0}}}]", ["/do/0/a/with/schedule"]),
        ("[{a: {call: find-routes, with: {schedule: 1, more: 1}}}]", ["/do/0/a/with"]),
        ("[{a: {call: find-routes, with: {}}}]", ["/do/0/a/with"]),
        ("[{a: {call: find-routes}}]", ["/do/0/a"]),
        ("[{a: {cal: find-routes}}]", ["/do/0/a"]),
        ("[{a: {set: {x: 1}, thn: end}}]", ["/do/0/a"]),
        ("[{1a: {set: {x: 1}}}]", ["/do/0"]),
        ("[{a: {set: {x: 1}}, b: {set: {x: 1}}}]", ["/do/0"]),
        ("[{a: {for: {each: 1, in: .x}, do: [{b: {set: {x: 1}}}]}}]", ["/do/0/a/for/each"]),
        ("[{a: {try: [{b: {call: nothing}}], catch: {errors: {with: {}}}}}]", ["/do/0/a/try/0/b/call"]),
        ("[{a: {fork: {branches: [{b: {do: [{c: {wait: PT1H, then: 1}}]}}]}}}]",
         ["/do/0/a/fork/branches/0/b/do/0/c/then"]),
        ("[]", ["/do"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_pointed_at(tasks: str, expected: list[str]) -> None:
    """The field that is wrong is named, however deep it stands, and nothing else is."""
    assert places(f"{HEAD}do: {tasks}\n") == expected


@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("pack", "{parts: [{sku: x, count: 1}], note: y}", []),
        ("pack", "{parts: '${ input.parts }'}", []),
        ("pack@2", "{parts: [{sku: x, count: '${ 1 + 1 }'}, '${ input.part }']}", []),
        ("pack", "{parts: [{sku: x, count: 1}, {sku: 1, count: one}]}",
         ["/do/0/a/with/parts/1/count", "/do/0/a/with/parts/1/sku"]),
        ("pack@1", "{}", []),
        ("pack@1", "{parts: []}", ["/do/0/a/with"]),
    ],
)  # fmt: skip
def test_actions_of_ones_own(call: str, arguments: str, expected: list[str]) -> None:
    """Inputs with parts inside are checked at any depth; without a major version the highest one is meant."""

    class Empty(Frozen):
        """No arguments."""

    def pack(major: int, input: type[Frozen]) -> ActionContract[Frozen, Frozen]:
        return ActionContract(
            name="pack",
            major=major,
            input=input,
            output=Empty,
            changes="Packs.",
            runs=Runs.LOCAL,
            final="It is packed.",
        )

    validator = Draft202012Validator(flow_schema([pack(2, Parts), pack(1, Empty)]))

    assert places(f"{HEAD}do: [{{a: {{call: {call}, with: {arguments}}}}}]\n", validator) == expected

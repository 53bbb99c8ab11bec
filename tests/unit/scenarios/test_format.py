"""The scenario format: what authors may write, and what they are told when it is wrong."""

from decimal import Decimal
from pathlib import Path

import pytest

from flows_dsl import prebuilt
from flows_dsl.loader import load
from orderloom.scenarios.base import seconds
from orderloom.scenarios.compare import differences, tree
from orderloom.scenarios.document import read_cases
from orderloom.scenarios.expectation import Expectation
from orderloom.scenarios.schema import reference_page, schema_text
from orderloom.scenarios.source import ScenarioInvalid, Source

ROOT = Path(__file__).parents[3]

SMALL = """\
scenario: Small
world:
  locations:
    A: {stock: {S: 10}}
  prices: {S: 9.90}
orders:
  O: {lines: {S: 2}}
steps:
  - place: O
"""


def scenario(folder: Path, text: str) -> Path:
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_money_is_read_to_the_last_digit() -> None:
    """A decimal in the file never passes through a float; a date stays text."""
    source = Source("x.yaml", "a: 93.50\nb: 0.1\nc: 12\nd: 2011-01-01\ne: yes it is\nf: [true, null]\n")

    assert source.value == {
        "a": Decimal("93.50"),
        "b": Decimal("0.1"),
        "c": 12,
        "d": "2011-01-01",
        "e": "yes it is",
        "f": [True, None],
    }


def test_anchors_and_merge_keys_are_understood() -> None:
    """What is written once can be used again, and changed."""
    source = Source("x.yaml", "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n")

    assert source.value == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        pytest.param("prices:", "price:", "5:3: world.price: unknown key; did you mean 'prices'?", id="key"),
        pytest.param("- place: O", "- palce: O", "9:5: steps.0.palce: unknown key; did you mean 'place'?", id="step"),
        pytest.param("{S: 2}", "{S: 0}", "7:15: orders.O.lines.S", id="quantity"),
        pytest.param("{S: 10}", "{S: 10.5}", "4:17: world.locations.A.stock.S", id="fraction"),
        pytest.param("place: O", "place: P", "9:5: order 'P' is not known; there is O", id="order"),
        pytest.param("- place: O", "- {place: O, advance: 1h}", "a step has exactly one key", id="two steps"),
        pytest.param("- place: O", "- advance: 1 hour", "'1 hour' is no duration", id="duration"),
        pytest.param("scenario: Small", "scenario: Small\nscenario: S", "2:1: 'scenario' is given twice", id="twice"),
        pytest.param(
            "- place: O", "- place: O\n  - cancel: {order: O, items: {T: 1}}", "line 'T' is not known", id="line"
        ),
        pytest.param("- place: O", "- place: O\n  - place: O", "order 'O' is placed twice", id="placed twice"),
        pytest.param("{S: 9.90}", "{S: [", "small.yaml:7:", id="no YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, before: str, after: str, message: str) -> None:
    """The message holds file, line and column of what is wrong, and what was meant."""
    path = scenario(tmp_path, SMALL.replace(before, after))

    with pytest.raises(ScenarioInvalid) as refused:
        read_cases(path)

    assert message in refused.value.detail
    assert str(path) in refused.value.detail


def test_cases_take_over_what_the_file_gives(tmp_path: Path) -> None:
    """A case replaces keys of the world that it gives, keeps the others, and runs the file's steps first."""
    text = SMALL + "cases:\n  one: {}\n  two: {world: {tax: 10%}, steps: [{advance: 1h}]}\n"

    one, two = read_cases(scenario(tmp_path, text))

    assert (one.title, two.title) == ("Small: one", "Small: two")
    assert (one.world.tax, two.world.tax) == (Decimal(0), Decimal("0.1"))
    assert two.world.locations == one.world.locations
    assert [step.kind for step in two.steps] == ["place", "advance"]


def test_only_given_keys_are_compared_and_all_of_a_list() -> None:
    """A key left out is not compared; numbers by name and lists are compared as a whole."""
    given = {"orders": {"O": {"status": "fulfilled", "captures": [20], "reservations": {"A": 1}, "journal": {"x": 1}}}}
    expected = tree(Expectation.model_validate(given))
    actual = {
        "orders": {
            "O": {
                "status": "waiting",
                "captures": [Decimal("20.00"), Decimal("5.00")],
                "reservations": {"A": 1, "B": 2},
                "journal": {"x": 1, "y": 7},
                "refunds": [Decimal(1)],
            }
        }
    }

    found = differences(expected, actual)  # pyright: ignore[reportArgumentType]

    assert sorted((one.path, one.expected, one.actual) for one in found) == [
        ("orders.O.captures", "[20]", "[20.00, 5.00]"),
        ("orders.O.reservations.B", "nothing", "2"),
        ("orders.O.status", "fulfilled", "waiting"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"), [("45s", 45), ("30m", 1800), ("2h", 7200), ("1d12h", 129_600), ("1d1h1m1s", 90_061)]
)
def test_durations(text: str, expected: float) -> None:
    """A duration is days, hours, minutes and seconds, in that order."""
    assert seconds(text) == expected


def test_the_schema_is_that_of_the_models() -> None:
    """The JSON Schema that editors use is written from the models."""
    path = ROOT / "docs" / "reference" / "scenario.schema.json"

    assert path.read_text(encoding="utf-8") == schema_text()


def test_the_reference_is_that_of_the_models() -> None:
    """The reference page is written from the models."""
    path = ROOT / "docs" / "reference" / "scenario.md"

    assert path.read_text(encoding="utf-8") == reference_page()


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "scenarios").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_scenarios_are_valid(path: Path) -> None:
    """Every scenario of the suite can be read, without a server."""
    assert read_cases(path)


def test_the_swapped_flow_is_the_prebuilt_one_with_the_capture_first() -> None:
    """What the scenario on capturing before routing puts in force differs in this one task, and in its version."""
    ours = load((ROOT / "tests" / "scenarios" / "flows" / "fulfilment-capture-first.yaml").read_text(encoding="utf-8"))
    assert ours.document is not None
    assert ours.findings == ()
    swapped = ours.document.model_dump(by_alias=True)
    shipped = prebuilt.document("fulfilment").model_dump(by_alias=True)

    first, *rest = swapped["do"]

    assert "capture-payment" in str(first)
    assert rest == shipped["do"]
    assert swapped["document"]["version"] == f"{shipped['document']['version']}-capture-first"
    assert {**swapped, "do": None, "document": None} == {**shipped, "do": None, "document": None}

"""Routing policies as files: what is read, and what is told of what is wrong."""

from json import loads
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from flows_dsl.policies import ConditionFailed, holds, read_policy, schema_text
from flows_dsl.yaml_reader import read

GOOD = """# Stay in the country, and keep cheap orders together.
name: at-home
version: 1.2.0
eligible:
  countries: destination
  when: location.priority < 50 || order.value > 10000
objectives: [fewest_splits, shipping_cost]
by_value:
  - {below: 2000, max_splits: 0}
"""


def _findings(text: str) -> list[tuple[int, int, str, str]]:
    policy, findings = read_policy(text)
    assert policy is None
    return [(it.line, it.column, it.code, it.remedy) for it in findings]


def test_a_policy_is_read() -> None:
    """Everything that is left out has a default."""
    policy, findings = read_policy(GOOD)

    assert findings == []
    assert policy is not None
    assert (policy.label, policy.objectives, policy.max_attempts) == (
        "at-home:1.2.0",
        ("fewest_splits", "shipping_cost"),
        5,
    )
    assert (policy.splits_for(1_999), policy.splits_for(2_000)) == (0, None)


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "code", "remedy"),
    [
        ("countries:", "contries:", 5, 3, "policy.unknown_field", "Did you mean 'countries'?"),
        ("by_value:", "by_values:", 8, 1, "policy.unknown_field", "Did you mean 'by_value'?"),
        ("max_splits: 0", "max_split: 0", 9, 5, "policy.missing", "Add max_splits."),
        ("shipping_cost", "shiping_cost", 7, 29, "policy.objective", "Did you mean 'shipping_cost'?"),
        ("2000", "20.00", 9, 13, "policy.value", "Input should be a valid integer."),
        ("version: 1.2.0", "version: 1.2", 3, 10, "policy.value", "Input should be a valid string."),
        ("name: at-home", "title: At home", 2, 1, "policy.missing", "Add name."),
        ("shipping_cost", "fewest_splits", 2, 1, "policy.value", "name each objective once."),
        ("location.priority", "location.prio", 6, 9, "policy.condition", None),
        ("order.value >", "order.value", 6, 9, "policy.condition", None),
        ("location.priority <", "location.priority +", 6, 9, "policy.condition", None),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(  # noqa: PLR0917
    old: str, new: str, line: int, column: int, code: str, remedy: str | None
) -> None:
    """With line and column, and what was meant."""
    found = _findings(GOOD.replace(old, new, 1))

    assert (line, column, code) in [it[:3] for it in found]
    assert remedy is None or remedy in [it[3] for it in found]


@pytest.mark.parametrize(
    "line",
    ["backoff: 1e300", "backoff_limit: 1e300", "backoff_factor: 1e300", "rejections_half_life: 1e300"],
)
def test_a_time_that_is_no_date_is_refused(line: str) -> None:
    """Were it published, an order that waits would ask for a day that no calendar has, and stop there."""
    name = line.partition(":")[0]
    assert _findings(f"{GOOD}{line}\n")[0][:3] == (10, len(name) + 3, "policy.value")


@pytest.mark.parametrize("line", ["name: at:home", "version: 1234567890.0.0"])
def test_a_policy_that_nobody_could_name_is_refused(line: str) -> None:
    """``name:version`` must say which it is."""
    begun = f"{line.partition(':')[0]}:"
    text = "\n".join(line if each.startswith(begun) else each for each in GOOD.splitlines())
    assert [it[2] for it in _findings(text)] == ["policy.value"]


def test_a_list_is_no_policy() -> None:
    """It is told, and nothing else goes wrong."""
    assert [it[2] for it in _findings("- a")] == ["policy.shape"]


def test_a_condition_without_an_answer_is_an_error_of_ours() -> None:
    """It names the condition."""
    assert holds("order.value > 3", {"value": 4}, {}) is True
    with pytest.raises(ConditionFailed) as failed:
        holds("order.price > 3", {"value": 4}, {})
    assert failed.value.facts == {"condition": "order.price > 3"}


def test_the_schema_is_what_the_model_says() -> None:
    """docs/reference/routing-policy.schema.json is what `orderloom policies schema` prints; the example fits it."""
    root = Path(__file__).parents[3]
    text = (root / "docs" / "reference" / "routing-policy.schema.json").read_text("utf-8")
    example = (root / "examples" / "routing-policy" / "near-and-cheap.yaml").read_text("utf-8")

    assert text == schema_text()
    assert read_policy(example)[1] == []
    assert list(Draft202012Validator(loads(text)).iter_errors(read(example)[0])) == []  # pyright: ignore[reportUnknownMemberType]

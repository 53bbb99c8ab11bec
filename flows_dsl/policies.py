"""Routing policies as files: read and checked as flows are, with every finding at its line."""

import json
from datetime import UTC, datetime
from functools import lru_cache
from typing import get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flows_dsl.cases.places import Places
from flows_dsl.expressions import Condition, ExpressionFailed, ExpressionRefused
from flows_dsl.findings import Finding, did_you_mean
from flows_dsl.yaml_reader import YamlRefused, read
from orderloom.domain.eligibility import LocationFacts, OrderFacts, as_location, as_order
from orderloom.domain.errors import FieldProblem, OrderloomError
from orderloom.domain.model import Frozen, Json, JsonObject
from orderloom.domain.routing_policy import Eligibility, Objective, RoutingPolicy, ValueStep, Wave

_PARTS: dict[str, type[Frozen]] = {
    "": RoutingPolicy,
    "eligible": Eligibility,
    "by_value": ValueStep,
    "wave": Wave,
}
"""The models of a policy by the key under which they stand."""


class ConditionFailed(OrderloomError):
    """The condition of a routing policy has no answer.

    Correct it: it must be true or false for every order and location.
    """

    code = "policy.condition_failed"
    status = 422


class PolicyRefused(OrderloomError):
    """The routing policy is not valid.

    Correct what is named; ``orderloom policies check FILE`` shows all of it by line.
    """

    code = "policy.refused"
    status = 422


_SAMPLE = (
    as_order(OrderFacts(now=datetime(2026, 3, 2, 9, tzinfo=UTC), channel="web", country="AT", value=1, skus=("a",))),
    as_location(LocationFacts(id="a", country="AT")),
)
"""What a condition is tried on when it is checked: one that fails here fails for every order."""


def read_policy(text: str) -> tuple[RoutingPolicy | None, list[Finding]]:
    """Return the policy that *text* holds, in YAML or JSON, and everything that is wrong with it."""
    try:
        value, source, findings = read(text)
    except YamlRefused as refused:
        return None, [refused.finding]
    places = Places(value, source)
    policy = _validated(value, places)
    if policy is not None:
        _check_condition(policy, places)
    found = sorted([*findings, *places.findings], key=lambda it: (it.line, it.column, it.code))
    return (None, found) if found else (policy, [])


def policy_from(text: str, at: str | None = None) -> RoutingPolicy:
    """
    Return the policy that *text* holds.

    Args:
        text: YAML or JSON.
        at: JSON pointer to the policy where it is an object of a larger document; None: places are lines and columns.

    Raises:
        PolicyRefused: something is wrong with it.
    """
    policy, findings = read_policy(text)
    if policy is not None:
        return policy
    problems = tuple(
        FieldProblem(pointer="/text", detail=str(each), code=each.code)
        if at is None
        else FieldProblem(pointer=at + each.pointer, detail=f"{each.message} {each.remedy}".strip(), code=each.code)
        for each in findings
    )
    count = f"{len(findings)} finding{'s' if len(findings) != 1 else ''}"
    raise PolicyRefused(f"{count}. {problems[0].detail}".rstrip("."), errors=problems)


def schema_text() -> str:
    """Return the JSON Schema of routing policies as it stands in a file; the name and the version must be given."""
    schema = RoutingPolicy.model_json_schema()
    named = {"required": ["name", "version"]}
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, **named}, indent=2) + "\n"


def _validated(value: Json, places: Places) -> RoutingPolicy | None:
    if not isinstance(value, dict):
        places.add((), "policy.shape", "A policy is an object.", "Begin with name and version.")
        return None
    for name in ("name", "version"):
        if name not in value:
            places.add((), "policy.missing", f"{name!r} is missing.", f"Add {name}.")
    try:
        return RoutingPolicy.model_validate_json(json.dumps(value))
    except ValidationError as error:
        for each in error.errors(include_url=False):
            location = tuple(part for part in each["loc"] if not str(part).endswith("]"))
            _told(places, location, each)
        return None


def _told(places: Places, location: tuple[str | int, ...], error: ErrorDetails) -> None:
    name = str(location[-1]) if location else ""
    around = next((part for part in reversed(location[:-1]) if isinstance(part, str)), "")
    match error["type"]:
        case "extra_forbidden":
            known = _PARTS.get(around, RoutingPolicy).model_fields
            places.add(
                location, "policy.unknown_field", f"{name!r} is unknown here.", did_you_mean(name, known), key=True
            )
        case "missing":
            places.add(location, "policy.missing", f"{name!r} is missing.", f"Add {name}.")
        case "literal_error" if "objectives" in location:
            given = str(error["input"])
            hint = did_you_mean(given, get_args(Objective))
            places.add(location, "policy.objective", f"There is no objective {given!r}.", hint)
        case _:
            places.add(
                location, "policy.value", f"{name or 'The policy'} is not valid.", f"{error['msg'].rstrip('.')}."
            )


def _check_condition(policy: RoutingPolicy, places: Places) -> None:
    text = policy.eligible.when
    if text is None:
        return
    try:
        _condition(text).holds(dict(zip(("order", "location"), _SAMPLE, strict=True)))
    except ExpressionRefused as refused:
        places.add(("eligible", "when"), "policy.condition", f"CEL: {refused.detail}.", refused.remedy)
    except ExpressionFailed as failed:
        order, location = _SAMPLE
        remedy = f"order has {', '.join(order)}; location has {', '.join(location)}."
        places.add(("eligible", "when"), "policy.condition", f"It has no answer: {failed}.", remedy)


def holds(text: str, order: JsonObject, location: JsonObject) -> bool:
    """
    Return whether the condition *text* of a policy holds; see ``orderloom.domain.eligibility`` for what it sees.

    Raises:
        ConditionFailed: it has no answer.
    """
    try:
        return _condition(text).holds({"order": order, "location": location})
    except (ExpressionRefused, ExpressionFailed) as error:
        raise ConditionFailed(f"{text}: {error}", condition=text) from None


@lru_cache(maxsize=512)
def _condition(text: str) -> Condition:
    return Condition(text, "cel", ("location",))

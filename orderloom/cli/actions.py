"""`actions`: what flows may call."""

import json
import sys
from collections.abc import Iterator
from typing import Any, cast

from cyclopts import App

from flows_dsl.findings import did_you_mean
from orderloom.contracts.actions import CORE_ACTIONS, ActionContract
from orderloom.contracts.contract import Runs
from orderloom.domain.errors import NotFound
from orderloom.domain.exceptions import category_of
from orderloom.domain.model import Frozen, Json, JsonObject

type Contract = ActionContract[Frozen, Frozen]

actions_app = App(name="actions", help="What flows may call.")

_RUNS = {
    Runs.LOCAL: "here, in one transaction",
    Runs.OUTSIDE: "outside: a transaction before, the call, and a transaction after",
}


@actions_app.command(name="list")
def show_all(*, format: str = "text") -> None:
    """
    List the actions that flows may call.

    Parameters
    ----------
    format: str
        `text`, or `json` for all that is known of each.
    """
    if format == "json":
        _print(json.dumps([described(contract) for contract in CORE_ACTIONS], indent=2, ensure_ascii=False))
        return
    width = max(len(contract.activity) for contract in CORE_ACTIONS)
    for contract in CORE_ACTIONS:
        _print(f"{contract.activity:{width}}  {contract.changes}")


@actions_app.command
def show(name: str, *, format: str = "text") -> None:
    """
    Show one action: what it takes and returns, what it changes, how it fails, and what undoes it.

    Parameters
    ----------
    name: str
        Such as `find-routes`, or with its major version, `find-routes@1`.
    format: str
        `text` or `json`.
    """
    found = described(action(name))
    _print(json.dumps(found, indent=2, ensure_ascii=False) if format == "json" else "\n".join(lines(found)))


def action(name: str) -> Contract:
    """
    Return the contract of an action; without a major version the highest one.

    Raises:
        NotFound: there is no such action.
    """
    bare, _, major = name.partition("@")
    found = [it for it in CORE_ACTIONS if it.name == bare and major in {"", str(it.major)}]
    if not found:
        hint = did_you_mean(bare, {it.name for it in CORE_ACTIONS})
        raise NotFound(f"There is no action {name!r}. {hint}", action=name)
    return max(found, key=lambda it: it.major)


def described(contract: Contract) -> JsonObject:
    """Return all that is known of an action."""
    errors: list[Json] = [
        {"code": error.code, "title": _title(error), "category": category_of(error.code)} for error in contract.errors
    ]
    return {
        "name": contract.name,
        "major": contract.major,
        "call": contract.activity,
        "changes": contract.changes,
        "runs": contract.runs.value,
        "input": cast("Json", contract.input.model_json_schema()),
        "output": cast("Json", contract.output.model_json_schema()),
        "errors": errors,
        "undone_by": contract.undone_by,
        "final": contract.final or None,
    }


def _title(error: type[Exception]) -> str:
    return (error.__doc__ or error.__name__).strip().splitlines()[0]


def lines(found: JsonObject) -> Iterator[str]:
    """Yield the description of an action for people, line by line."""
    yield f"{found['call']}: {found['changes']}"
    yield f"runs {_RUNS[Runs(str(found['runs']))]}"
    for part in ("input", "output"):
        schema = cast("dict[str, Any]", found[part])
        yield ""
        yield f"{part}: {' '.join(str(schema.get('description', '')).split())}"
        yield from (f"  {line}" for line in _fields(schema))
    yield ""
    yield "errors:" if found["errors"] else "errors: none of its own"
    for error in cast("list[dict[str, str]]", found["errors"]):
        yield f"  {error['code']}: {error['title']} If nobody catches it: {error['category']}."
    yield ""
    if found["undone_by"]:
        yield f"undone by {found['undone_by']}"
    else:
        yield f"nothing undoes it: {found['final'] or 'it changes nothing.'}"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    for name, field in schema.get("properties", {}).items():
        given = "" if name in schema.get("required", ()) else f", {json.dumps(field.get('default'))} unless given"
        about = " ".join(str(field.get("description", "")).split())
        yield f"{name}: {type_of(field, schema)}{given}{'. ' + about if about else ''}"


def type_of(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the type of a field of a JSON Schema in words."""
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field:
        return " | ".join(map(json.dumps, field["enum"]))
    if "const" in field:
        return json.dumps(field["const"])
    if "anyOf" in field:
        return " | ".join(type_of(each, schema) for each in field["anyOf"])
    if field.get("type") == "array":
        return f"list of {type_of(field.get('items', {}), schema)}"
    return f"{field.get('type', 'any')}{' (' + field['format'] + ')' if 'format' in field else ''}"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")

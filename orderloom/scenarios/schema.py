"""The scenario format for editors and readers: its JSON Schema, and its reference page, both from the models."""

import json
from collections.abc import Iterator
from typing import Any, cast

from orderloom.scenarios.document import ScenarioFile

SCHEMA_ID = "urn:orderloom:scenario:1"


BARE: dict[str, dict[str, Any]] = {
    "Line": {"type": "integer", "minimum": 1},
    "Place": {"type": "string"},
    "Release": {"type": "string"},
    "Route": {"type": "string"},
    "ScheduleOutcome": {"type": "string"},
    "StockOutcome": {"type": "integer"},
}
"""Parts that may be written as a bare value."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario files."""
    schema = _models()
    parts: dict[str, Any] = schema["$defs"]
    for name, bare in BARE.items():
        parts[name] = {"anyOf": [bare, parts[name]]}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def _models() -> dict[str, Any]:
    schema = ScenarioFile.model_json_schema(by_alias=True)
    schema["$defs"]["Step"] |= {"minProperties": 1, "maxProperties": 1}
    return schema


def schema_text() -> str:
    """Return the schema as it stands in ``docs/reference/scenario.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_page() -> str:
    """Return ``docs/reference/scenario.md``: every part of the format with its keys."""
    schema = _models()
    parts = [("ScenarioFile", schema), *sorted(cast("dict[str, Any]", schema["$defs"]).items())]
    head = [
        "# Scenario files",
        "",
        "Generated from the models by `orderloom scenario reference`; a test compares. How to write one is told in",
        "[write a scenario](../how-to/write-a-scenario.md); the JSON Schema is in `scenario.schema.json`.",
        "",
        "Money is written as plain decimals in the channel's currency (`93.50`), durations as `45s`, `30m`, `2h`,",
        "`1d`, tax as `10%` or `0.10`. A key marked with * must be given.",
        "",
    ]
    return "\n".join([*head, *(line for name, part in parts for line in _section(name, part))]).rstrip() + "\n"


def _section(name: str, part: dict[str, Any]) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    if "description" in part:
        yield " ".join(str(part["description"]).split())
        yield ""
    required = set(cast("list[str]", part.get("required", [])))
    properties = cast("dict[str, dict[str, Any]]", part.get("properties", {}))
    if properties:
        yield "| key | what | |"
        yield "|---|---|---|"
    for key, value in properties.items():
        star = "*" if key in required else ""
        about = " ".join(str(value.get("description", "")).split()).replace("|", "\\|")
        yield f"| `{key}`{star} | {_kind(value)} | {about} |"
    yield ""


def _kind(value: dict[str, Any]) -> str:
    """Return what a value may be, in a few words."""
    given = cast("list[dict[str, Any]]", value.get("anyOf", []))
    options = [option for option in given if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    if "$ref" in value:
        name = str(value["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in cast("list[Any]", value["enum"]))
    if value.get("type") == "array":
        return f"list of {_kind(cast('dict[str, Any]', value.get('items') or {'type': 'number'}))}"
    if value.get("type") == "object":
        known = cast("dict[str, dict[str, Any]]", value.get("patternProperties") or {"": value["additionalProperties"]})
        return f"by name: {_kind(next(iter(known.values())))}"
    return _PLAIN.get(str(value.get("type")), "value")


_PLAIN = {"integer": "number", "number": "number", "boolean": "`true`, `false`", "string": "text"}

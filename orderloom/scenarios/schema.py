"""The scenario format for editors and readers: its JSON Schema, and its reference page, both from the models."""

import json
from collections.abc import Iterator
from typing import Any, cast

from orderloom.scenarios.document import ScenarioFile

SCHEMA_ID = "urn:orderloom:scenario:1"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of scenario files."""
    schema = ScenarioFile.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def schema_text() -> str:
    """Return the schema as it stands in ``docs/reference/scenario.schema.json``."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def reference_page() -> str:
    """Return ``docs/reference/scenario.md``: every part of the format with its keys."""
    schema = json_schema()
    parts = [("ScenarioFile", schema), *sorted(cast("dict[str, Any]", schema["$defs"]).items())]
    head = [
        "# Scenario files",
        "",
        "Generated from the models by `orderloom scenario reference`; a test compares. How to write one is told in",
        "[write a scenario](../how-to/write-a-scenario.md); the JSON Schema is in `scenario.schema.json`.",
        "",
        "Money is written as plain decimals in the channel's currency (`93.50`), durations as `45s`, `30m`, `2h`, `1d`,",
        "tax as `10%` or `0.10`. A key marked with * must be given.",
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
    if "$ref" in value:
        name = str(value["$ref"]).rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{item}`" for item in cast("list[Any]", value["enum"]))
    options = [option for option in cast("list[dict[str, Any]]", value.get("anyOf", [])) if option.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    match value.get("type"):
        case "array":
            items = value.get("items") or {"type": "value"}
            return f"list of {_kind(cast('dict[str, Any]', items))}"
        case "object":
            inside = value.get("additionalProperties")
            return f"map to {_kind(cast('dict[str, Any]', inside))}" if isinstance(inside, dict) else "map"
        case "integer" | "number":
            return "number"
        case "boolean":
            return "`true`, `false`"
        case "string":
            return "text"
        case _:
            return "value"

"""The format of case files for readers, made from the models."""

from collections.abc import Iterator
from typing import Any, cast

from flows_dsl.cases.model import CaseFile


def reference_page() -> str:
    """Return ``docs/reference/flow-cases.md``: every part of a case file with its fields."""
    schema = CaseFile.model_json_schema(by_alias=True)
    parts = [("CaseFile", schema), *sorted(cast("dict[str, Any]", schema["$defs"]).items())]
    head = (
        "# Cases of flows",
        "",
        "Made from the models; a test compares. How to write one is told in [test a flow](../how-to/test-a-flow.md).",
        "Durations are ISO 8601, such as `PT30M` or `P1D`. A field marked with * must be given.",
        "",
    )
    return "\n".join([*head, *(line for name, part in parts for line in _section(name, part))]).rstrip() + "\n"


def _section(name: str, part: dict[str, Any]) -> Iterator[str]:
    part = next((it for it in part.get("anyOf", ()) if "properties" in it), part)
    if "properties" not in part:
        return
    yield f"## {name}"
    yield ""
    if "description" in part:
        yield from (" ".join(str(part["description"]).split()), "")
    yield from ("| field | what | |", "|---|---|---|")
    required = cast("list[str]", part.get("required", []))
    for field, value in cast("dict[str, dict[str, Any]]", part["properties"]).items():
        about = " ".join(str(value.get("description", "")).split()).replace("|", "\\|")
        yield f"| `{field}`{'*' if field in required else ''} | {_kind(value)} | {about} |"
    yield ""


def _kind(value: dict[str, Any]) -> str:
    """Return what a value may be, in a few words."""
    options = [it for it in cast("list[dict[str, Any]]", value.get("anyOf", [])) if it.get("type") != "null"]
    if options:
        return " or ".join(dict.fromkeys(map(_kind, options)))
    if "$ref" in value:
        name = str(value["$ref"]).rpartition("/")[2]
        if name.startswith("Json"):
            return "object" if name == "JsonObject" else "any value"
        return f"[{name}](#{name.lower()})"
    if "enum" in value:
        return ", ".join(f"`{it}`" for it in value["enum"])
    return _plain(value)


def _plain(value: dict[str, Any]) -> str:
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}"
    inner = value.get("additionalProperties")
    if value.get("type") == "object" and isinstance(inner, dict):
        return f"by name: {_kind(cast('dict[str, Any]', inner))}"
    return {"integer": "number", "object": "object", "string": "text"}.get(str(value.get("type")), "any value")

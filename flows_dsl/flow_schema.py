"""
The JSON Schema of flows for editors: the language, generated from its models, joined with the actions to call.

Each kind of task has a condition of its own (``if``/``then``) instead of one choice of all kinds, so that editors and
validators point at the field that is wrong and not at the task around it.
"""

import json
from collections.abc import Iterable
from typing import Any, cast

from flows_dsl.model import FUNCTION, MODELS, TASKS, FlowDocument
from flows_dsl.outside_calls import OUTSIDE_CALLS
from orderloom.contracts.contract import ActionContract
from orderloom.domain.model import Frozen

type Schema = dict[str, Any]

CONDITIONS = frozenset({"if", "when", "exceptWhen", "while"})
"""The fields that hold conditions: YAML reads some of them as true or false."""

_EXPRESSION = r"^\s*\$\{"


def flow_schema(actions: Iterable[ActionContract[Frozen, Frozen]]) -> Schema:
    """Return the schema of flows that may call *actions*, and the outside."""
    schema: Schema = _plain(FlowDocument.model_json_schema(by_alias=True))
    parts: Schema = schema["$defs"]
    del parts["BrokenTask"]
    parts["AnyTask"] = _task()
    parts["CallTask"] |= _calls(parts, [*actions, *OUTSIDE_CALLS.values()])
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Flow"}


def schema_text(actions: Iterable[ActionContract[Frozen, Frozen]]) -> str:
    """Return the schema as it stands in a file."""
    return json.dumps(flow_schema(actions), indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Return a part of the models' schema without null for what is left out, and without titles."""
    if isinstance(value, list):
        return [_plain(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found = cast("Schema", value)
    node: Schema = {key: _plain(each) for key, each in found.items() if not (key == "title" and isinstance(each, str))}
    if "patternProperties" in node:
        node["additionalProperties"] = False
    if node.get("default", ...) is None:
        del node["default"]
    choices: list[Schema] = node.get("anyOf", [])
    given = [it for it in choices if it != {"type": "null"}]
    if len(given) == 1 and len(choices) > 1:
        del node["anyOf"]
        node = given[0] | node
    elif choices:
        node["anyOf"] = given
    for name in CONDITIONS & node.get("properties", {}).keys():
        if node["properties"][name].get("type") == "string":
            node["properties"][name] |= {"type": ["string", "boolean"]}
    return node


def _task() -> Schema:
    """Return the schema of a task: by the key that says its kind; ``do`` stands inside other kinds too."""
    others = [{"required": [kind]} for kind in TASKS if kind != "do"]
    kinds: list[Schema] = [
        {
            "if": {"required": [kind], **({"not": {"anyOf": others}} if kind == "do" else {})},
            "then": {"$ref": f"#/$defs/{MODELS[kind].__name__}"},
        }
        for kind in TASKS
    ]
    return {
        "type": "object",
        "description": f"A task has one of: {', '.join(TASKS)}.",
        "properties": {kind: {"description": MODELS[kind].__doc__} for kind in TASKS},
        "anyOf": [{"required": ["do"]}, *others],
        "allOf": kinds,
    }


def _calls(parts: Schema, actions: list[ActionContract[Frozen, Frozen]]) -> Schema:
    """Return what a call is beside its fields: a known action with its arguments, whose schemas go to *parts*."""
    latest = {it.name: it for it in sorted(actions, key=lambda it: it.major)}
    cases: list[Schema] = []
    for action in actions:
        names = list(dict.fromkeys([action.activity, *([action.name] if latest[action.name] is action else [])]))
        key = f"{action.activity}.input"
        parts[key] = _arguments(action, parts)
        then: Schema = {"properties": {"with": {"$ref": f"#/$defs/{key}"}}}
        if parts[key].get("required"):
            then["required"] = ["with"]
        cases.append({"if": {"required": ["call"], "properties": {"call": {"enum": names}}}, "then": then})
    about = {name: action.changes for action in actions for name in (action.name, action.activity)}
    known: Schema = {
        "description": "The action that is called; with `@` its major version, else the highest.",
        "enum": list(about),
        "enumDescriptions": list(about.values()),
        "markdownEnumDescriptions": list(about.values()),
    }
    function: Schema = {"description": "A function under `use.functions`.", "type": "string", "pattern": FUNCTION}
    call: Schema = {"description": "The action or function that is called.", "anyOf": [known, function]}
    return {"properties": parts["CallTask"]["properties"] | {"call": call}, "allOf": cases}


def _arguments(action: ActionContract[Frozen, Frozen], parts: Schema) -> Schema:
    """Return the schema of an action's arguments, each of which may be an expression instead."""
    template = f"#/$defs/{action.activity}.{{model}}"
    schema = _plain(action.input.model_json_schema(by_alias=True, ref_template=template))
    for name, part in schema.pop("$defs", {}).items():
        parts[f"{action.activity}.{name}"] = _inside(part)
    return _inside(schema)


def _inside(schema: Schema) -> Schema:
    """Return *schema* with expressions allowed for what is inside the value, at any depth."""
    changed = dict(schema)
    if "properties" in schema:
        changed["properties"] = {name: _or_expression(it) for name, it in schema["properties"].items()}
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            changed[key] = _or_expression(schema[key])
    if "anyOf" in schema:
        changed["anyOf"] = [_inside(it) for it in schema["anyOf"]]
    return changed


def _or_expression(schema: Schema) -> Schema:
    """Return what accepts an expression in place of a value; any text may be one anyway."""
    if schema.get("type") == "string" and not schema.keys() & {"pattern", "format", "enum", "const", "maxLength"}:
        return schema
    about = {key: schema[key] for key in ("description",) if key in schema}
    return {**about, "if": {"type": "string", "pattern": _EXPRESSION}, "else": _inside(schema)}

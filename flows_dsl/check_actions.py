"""Checks calls against the contracts of the actions: names, majors, arguments, and what is known of their types."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from flows_dsl import model
from flows_dsl.findings import did_you_mean, escape
from flows_dsl.notes import Note
from flows_dsl.outside_calls import OUTSIDE_CALLS
from orderloom.contracts.actions import ActionContract
from orderloom.domain.model import Frozen

_REASONS = {
    "grpc": "It is not supported in flows of orders.",
    "asyncapi": "Events are emitted with emit and heard with listen.",
}
_JSON_TYPES = {
    "BOOL": {"boolean"},
    "INT": {"integer", "number"},
    "UINT": {"integer", "number"},
    "DOUBLE": {"number", "integer"},
    "STRING": {"string"},
    "TIMESTAMP": {"string"},
    "DURATION": {"string"},
    "NULL": {"null"},
}


def action_findings(
    pointer: str,
    task: model.CallTask,
    actions: Mapping[str, ActionContract[Frozen, Frozen]],
    types: Mapping[str, str],
) -> Iterator[Note]:
    """Yield what is wrong with a call; *types* are those of the expressions in its arguments, by pointer."""
    name, at, major = task.call.partition("@")
    if task.call in _REASONS:
        yield Note(f"{pointer}/call", "unsupported.call", f"call: {task.call} is not supported.", _REASONS[task.call])
        return
    if (outside := OUTSIDE_CALLS.get(task.call)) is not None:
        yield from _arguments(f"{pointer}/with", task, task.call, outside.input, types)
        return
    contract = actions.get(task.call)
    if contract is None and at and name in actions:
        known = ", ".join(str(it.major) for key, it in sorted(actions.items()) if key.startswith(f"{name}@"))
        message = f"The action {name!r} has no major version {major!r}."
        yield Note(f"{pointer}/call", "action.unknown_major", message, f"Its major versions: {known}.")
        return
    if contract is None:
        message = f"There is no action {task.call!r}."
        names = {it.name for it in actions.values()}
        yield Note(f"{pointer}/call", "action.unknown", message, did_you_mean(name, names))
        return
    yield from _arguments(f"{pointer}/with", task, contract.name, contract.input, types)


def _arguments(
    pointer: str, task: model.CallTask, action: str, input: type[BaseModel], types: Mapping[str, str]
) -> Iterator[Note]:
    fields = {info.alias or name: info for name, info in input.model_fields.items()}
    try:
        input.model_validate(task.with_)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            here = pointer + "".join(f"/{escape(part)}" for part in each["loc"])
            if any(here == it or here.startswith(f"{it}/") for it in types):
                continue
            name = str(each["loc"][-1]) if each["loc"] else ""
            match each["type"]:
                case "extra_forbidden":
                    message = f"{action} has no argument {name!r}."
                    yield Note(here, "action.unknown_argument", message, did_you_mean(name, fields), key=True)
                case "missing":
                    message = f"{action} needs the argument {name!r}."
                    where = pointer if task.with_ else pointer.rpartition("/")[0] + "/call"
                    yield Note(
                        where, "action.missing_argument", message, f"Add {name} under with.", key=bool(task.with_)
                    )
                case _:
                    message = f"The argument {name!r} of {action} is not valid."
                    yield Note(here, "action.argument", message, f"{each['msg']}.")
    yield from _types(pointer, action, input, types)


def _types(pointer: str, action: str, input: type[BaseModel], types: Mapping[str, str]) -> Iterator[Note]:
    for name, described in _properties(input):
        here = f"{pointer}/{escape(name)}"
        given = _JSON_TYPES.get(types.get(here, "DYN"))
        choices = [described, *described.get("anyOf", [])]
        wanted = {str(it["type"]) for it in choices if "type" in it}
        if given and wanted and not given & wanted:
            message = f"The argument {name!r} of {action} is {types[here]}."
            yield Note(here, "action.argument_type", message, f"It must be of type {' or '.join(sorted(wanted))}.")


@lru_cache(maxsize=512)
def _properties(input: type[BaseModel]) -> list[tuple[str, dict[str, Any]]]:
    schema = input.model_json_schema()
    return sorted(cast("dict[str, dict[str, Any]]", schema.get("properties", {})).items())

"""Reads a flow's text into its model, and tells everything that is wrong with its shape, each with its place."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from flows_dsl.findings import Finding, did_you_mean, escape
from flows_dsl.model import LISTS, MODELS, TASKS, FlowDocument, Task, kind_of
from flows_dsl.yaml_reader import Source, YamlRefused, read
from orderloom.domain.model import Json


@dataclass(frozen=True)
class Loaded:
    """A flow's text as far as it could be understood. ``document`` is None when nothing could."""

    document: FlowDocument | None
    source: Source
    findings: tuple[Finding, ...]


def load(text: str) -> Loaded:
    """
    Read *text*, which is YAML or JSON.

    Tasks whose shape is wrong are reported and replaced by stand-ins, so that the rest can be checked in the same go.
    """
    try:
        value, source, findings = read(text)
    except YamlRefused as error:
        return Loaded(None, Source(text), (error.finding,))
    if not isinstance(value, dict):
        message = "A flow is an object with document and do."
        return Loaded(None, source, (Finding(code="flow.shape", message=message, remedy="See the specification."),))
    return _shape(value, source, findings)


def _shape(value: dict[str, Json], source: Source, findings: list[Finding]) -> Loaded:
    # Each round replaces at least one task, so there are at most as many rounds as tasks.
    while True:
        try:
            return Loaded(FlowDocument.model_validate(value), source, tuple(findings))
        except ValidationError as error:
            broken: set[str] = set()
            for each in error.errors(include_url=False):
                pointer = _pointer(value, each["loc"], each["type"])
                if each["loc"][-1:] == ("str",) and isinstance(_resolve(value, pointer), dict):
                    continue  # the other way to write it was meant, and is reported too
                findings.append(_finding(dict(each), pointer, value, source))
                broken.add(_task_around(value, pointer))
            if "" in broken or not _replace(value, broken):
                return Loaded(None, source, tuple(findings))


def _pointer(value: Json, location: Sequence[str | int], kind: str) -> str:
    """Return the JSON pointer of an error's location, which also names kinds of tasks and types on the way."""
    pointer = ""
    here: Any = value
    for index, part in enumerate(location):
        if index >= 3 and location[index - 3] in LISTS and isinstance(location[index - 2], int):
            continue  # the kind of the task, which is no part of the document
        if _has(here, part):
            here = here[part]
        elif kind != "missing" or index < len(location) - 1:
            continue
        pointer += f"/{escape(part)}"
    return pointer


def _has(holder: Any, part: str | int) -> bool:
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(cast("list[Any]", holder))
    return isinstance(holder, dict) and part in holder


def _resolve(value: Json, pointer: str) -> Any:
    here: Any = value
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = cast("Any", here.get(name))  # pyright: ignore[reportUnknownMemberType]
        elif isinstance(here, list) and name.isdigit() and int(name) < len(cast("list[Any]", here)):
            here = cast("Any", here[int(name)])
        else:
            return None
    return here


def _task_around(value: Json, pointer: str) -> str:
    """Return the pointer of the innermost task that holds *pointer*; empty when it stands in none."""
    parts = pointer.split("/")
    for end in range(len(parts), 3, -1):
        if parts[end - 3] in LISTS and parts[end - 2].isdigit():
            candidate = "/".join(parts[:end])
            item = _resolve(value, candidate.rpartition("/")[0])
            if isinstance(item, dict) and len(cast("dict[str, Any]", item)) == 1:
                return candidate
    return ""


def _replace(value: Json, tasks: set[str]) -> bool:
    replaced = False
    for pointer in sorted(tasks):
        holder_at, _, name = pointer.rpartition("/")
        holder = _resolve(value, holder_at)
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(holder, dict) and holder.get(key) != {"broken": True}:  # pyright: ignore[reportUnknownMemberType]
            holder[key] = {"broken": True}
            replaced = True
    return replaced


def _finding(error: Mapping[str, Any], pointer: str, value: Json, source: Source) -> Finding:
    kind = str(error["type"])
    field = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    code, remedy = f"flow.{kind}", ""
    match kind:
        case "extra_forbidden":
            code, message = "flow.unknown_field", f"{field!r} is unknown here."
            remedy = did_you_mean(field, _fields(value, pointer))
        case "missing":
            code, message, remedy = "flow.missing", f"{field!r} is missing.", f"Add {field}."
        case "too_long" if isinstance(_resolve(value, pointer), dict):
            code, message = "flow.list_item", "An item of this list holds more than one name."
            remedy = "Begin each with a dash of its own."
        case "task_kind" | "union_tag_invalid" | "union_tag_not_found":
            code, message = "flow.task_kind", f"The task {field!r} has no kind."
            remedy = _task_remedy(_resolve(value, pointer))
        case "literal_error" | "string_pattern_mismatch":
            code, message = "flow.value", f"{_resolve(value, pointer)!r} is not a valid {field}."
            remedy = f"{error['msg']}."
        case _:
            code, message = "flow.value", f"The value of {field or 'the document'!r} is not valid."
            remedy = f"{error['msg']}."
    at = source.at(pointer, key=kind in {"extra_forbidden", "missing", "task_kind"})
    return Finding(code=code, message=message, remedy=remedy, pointer=pointer, line=at.line, column=at.column)


def _task_remedy(task: Any) -> str:
    keys = [str(key) for key in cast("dict[Any, Any]", task)] if isinstance(task, dict) else []
    for key in keys:
        if (hint := did_you_mean(key, TASKS)).startswith("Did"):
            return hint
    return f"A task needs exactly one of: {', '.join(TASKS)}."


def _fields(value: Json, pointer: str) -> Iterator[str]:
    """Yield the fields that the object around *pointer* may have."""
    model = _model_at(value, pointer.rpartition("/")[0])
    for name, info in model.model_fields.items() if model else ():
        yield info.alias or name


def _model_at(value: Json, pointer: str) -> type[BaseModel] | None:
    here = _resolve(value, pointer)
    task = _task_around(value, pointer) if pointer else ""
    if task and (kind := kind_of(_resolve(value, task))) in MODELS:
        return MODELS[kind] if task == pointer else _inner(MODELS[kind], pointer.removeprefix(task))
    return _inner(FlowDocument, pointer) if isinstance(here, dict) else None


def _inner(model: type[BaseModel], pointer: str) -> type[BaseModel] | None:
    """Follow *pointer* through the fields of *model*; names and numbers in between lead to the same model."""
    found: type[BaseModel] | None = model
    for part in pointer.split("/")[1:]:
        if found is None or part.isdigit():
            continue
        info = next((it for name, it in found.model_fields.items() if (it.alias or name) == part), None)
        found = _model_in(info.annotation) if info else found
    return found


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in cast("tuple[Any, ...]", getattr(cast("Any", annotation), "__args__", ())):
        if (found := _model_in(inner)) is not None and not issubclass(found, Task):
            return found
    return None


def document(value: Json) -> FlowDocument:
    """
    Return the document that *value* holds, which was checked before.

    Raises:
        pydantic.ValidationError: it is none.
    """
    return _DOCUMENT.validate_python(value)


_DOCUMENT: TypeAdapter[FlowDocument] = TypeAdapter(FlowDocument)

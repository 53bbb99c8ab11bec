"""The resolved form of a flow: what is hashed, published and run. Positions are gone, majors are locked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, cast

from flows_dsl.canonical import canonical_json
from flows_dsl.functions import inlined
from flows_dsl.model import FlowDocument, dumped
from orderloom.contracts.actions import CORE_ACTIONS, ActionContract
from orderloom.domain.model import Frozen, Json, JsonObject

type Catalog = Iterable[ActionContract[Frozen, Frozen]]


def by_name(catalog: Catalog) -> dict[str, ActionContract[Frozen, Frozen]]:
    """Return the actions by ``name@major`` and by bare name, which means the highest major."""
    found: dict[str, ActionContract[Frozen, Frozen]] = {}
    for action in sorted(catalog, key=lambda it: (it.name, it.major)):
        found[f"{action.name}@{action.major}"] = found[action.name] = action
    return found


def resolve(document: FlowDocument, catalog: Catalog = CORE_ACTIONS, flows: Sequence[FlowDocument] = ()) -> JsonObject:
    """
    Return the document with every ``call`` locked to a major version, and the flows that it runs beside it.

    Calls of its functions are replaced by what these are.

    Unknown actions and flows stay as they are.
    """
    value = dumped(document)
    inlined(value, _tasks(value["do"]))
    actions = by_name(catalog)
    inner: dict[str, JsonObject] = {}
    for task in _tasks(value["do"]):
        if isinstance(name := task.get("call"), str) and name in actions:
            task["call"] = actions[name].activity
        if (found := run_by(task, flows)) is not None:
            head = found.document
            task["run"]["workflow"]["version"] = head.version
            inner[label(head.namespace, head.name, head.version)] = resolve(found, catalog, flows)
    return value | {"flows": cast("Json", inner)} if inner else value


def run_by(task: Mapping[str, Any], flows: Sequence[FlowDocument]) -> FlowDocument | None:
    """Return which of *flows* the task runs, if it runs one of them; ``latest`` is the one with the highest version."""
    named = cast("Mapping[str, Any]", task.get("run", {}).get("workflow"))
    if not named:
        return None
    found = [
        it
        for it in flows
        if it.document.namespace == named.get("namespace")
        and it.document.name == named.get("name")
        and named.get("version", "latest") in {"latest", it.document.version.partition("+")[0]}
    ]
    return max(found, key=lambda it: precedence(it.document.version), default=None)


def precedence(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return what versions are compared by: a release comes after all that led to it; what layers added is the same."""
    core, _, before = version.partition("+")[0].partition("-")
    return tuple(map(int, core.split("."))), not before, before


def label(namespace: str, name: str, version: str) -> str:
    """Return the name that a flow has among those that another one runs."""
    return f"{namespace}/{name}:{version}"


def _tasks(items: Any) -> Iterator[dict[str, Any]]:
    for item in cast("list[dict[str, dict[str, Any]]]", items):
        for task in item.values():
            yield task
            inside = (
                task.get("do"),
                task.get("try"),
                task.get("catch", {}).get("do"),
                task.get("fork", {}).get("branches"),
                task.get("foreach", {}).get("do"),
            )
            for inner in inside:
                if inner:
                    yield from _tasks(inner)


def digest(value: object) -> str:
    """Return the address of *value*: 128 bits of the SHA-256 of its canonical JSON, in hexadecimal."""
    return sha256(canonical_json(value).encode()).hexdigest()[:32]

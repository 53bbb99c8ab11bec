"""The resolved form of a flow: what is hashed, published and run. Positions are gone, majors are locked."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, cast

from flows_dsl.canonical import canonical_json
from flows_dsl.model import FlowDocument, dumped
from orderloom.contracts.actions import CORE_ACTIONS, ActionContract
from orderloom.domain.model import Frozen, JsonObject

type Catalog = Iterable[ActionContract[Frozen, Frozen]]


def by_name(catalog: Catalog) -> dict[str, ActionContract[Frozen, Frozen]]:
    """Return the actions by ``name@major`` and by bare name, which means the highest major."""
    found: dict[str, ActionContract[Frozen, Frozen]] = {}
    for action in sorted(catalog, key=lambda it: (it.name, it.major)):
        found[f"{action.name}@{action.major}"] = found[action.name] = action
    return found


def resolve(document: FlowDocument, catalog: Catalog = CORE_ACTIONS) -> JsonObject:
    """Return the document with every ``call`` locked to a major version; unknown actions stay as they are."""
    value = dumped(document)
    actions = by_name(catalog)
    for task in _tasks(value["do"]):
        if isinstance(name := task.get("call"), str) and name in actions:
            task["call"] = actions[name].activity
    return value


def _tasks(items: Any) -> Iterator[dict[str, Any]]:
    for item in cast("list[dict[str, dict[str, Any]]]", items):
        for task in item.values():
            yield task
            for inner in (task.get("do"), task.get("try"), task.get("catch", {}).get("do")):
                if inner:
                    yield from _tasks(inner)


def digest(value: object) -> str:
    """Return the address of *value*: 128 bits of the SHA-256 of its canonical JSON, in hexadecimal."""
    return sha256(canonical_json(value).encode()).hexdigest()[:32]

"""What a flow means: its tasks by name with everything spelled out, so that two ways to write the same are the same."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from flows_dsl.durations import NotDuration, duration, iso_duration
from flows_dsl.expressions import Language, unwrap
from flows_dsl.model import FlowDocument
from flows_dsl.parts import Case
from flows_dsl.resolved import Catalog, resolve
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.domain.model import Json, JsonObject

CONDITIONS = frozenset({"if", "when", "exceptWhen", "while", "until"})
"""Fields that hold an expression whether or not it stands in ``${ }``."""
DURATIONS = frozenset({"wait", "after", "delay", "duration", "maxDelay", "increment", "from", "to"})
"""Fields that hold durations, when they hold a constant that is one."""
LISTS = (("do",), ("try",), ("catch", "do"), ("fork", "branches"), ("foreach", "do"))
"""Where a task holds other tasks."""
KINDS = ("call", "emit", "for", "fork", "listen", "raise", "run", "set", "switch", "try", "wait", "do")
"""The keys that say what kind of task it is; ``do`` may stand beside another one."""
REMARKS = frozenset({"metadata", "title", "summary", "tags", "description"})
END_OF_LIST = "exit"

_TOKEN = re.compile(r"""(?P<space>\s+)|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>\w+)|(?P<other>.)""",
                    re.DOTALL)  # fmt: skip


@dataclass
class TaskMeaning:
    """A task without the tasks inside it; ``next`` is where it leads, spelled out."""

    kind: str
    fields: JsonObject
    next: str
    inner: dict[str, "ListMeaning"] = field(default_factory=dict[str, "ListMeaning"])


@dataclass
class ListMeaning:
    """Tasks by name, in the order of the document; ``first`` is where it begins."""

    tasks: dict[str, TaskMeaning]

    @property
    def first(self) -> str:
        """Return the name of the task that it begins with."""
        return next(iter(self.tasks))


@dataclass
class FlowMeaning:
    """A flow: what concerns it as a whole, and its tasks."""

    name: str
    version: str
    fields: JsonObject
    tasks: ListMeaning

    def all(self) -> Iterator[tuple[str, TaskMeaning]]:
        """Yield every task with the names on the way to it, each before those inside it."""
        yield from _all("", self.tasks)


def _all(around: str, tasks: ListMeaning) -> Iterator[tuple[str, TaskMeaning]]:
    for name, task in tasks.tasks.items():
        here = f"{around}/{name}" if around else name
        yield here, task
        for inner in task.inner.values():
            yield from _all(here, inner)


def meaning(document: FlowDocument, catalog: Catalog = CORE_ACTIONS) -> FlowMeaning:
    """Return what *document* means."""
    value = cast("dict[str, Any]", resolve(document, catalog))
    language: Language = document.evaluate.language
    use = cast("dict[str, Any]", value.pop("use", {}))
    head, tasks = cast("dict[str, Any]", value.pop("document")), value.pop("do")
    concurrency = head.get("metadata", {}).get("concurrency", "queue")
    reader = _Reader(language, use)
    fields = reader.fields({name: each for name, each in value.items() if name != "evaluate"})
    whole: JsonObject = {**fields, "concurrency": concurrency, "language": language}
    return FlowMeaning(str(head["name"]), str(head["version"]), whole, reader.list(tasks))


class _Reader:
    def __init__(self, language: Language, use: dict[str, Any]) -> None:
        self._language = language
        self._use = use

    def list(self, items: Any) -> ListMeaning:
        names = [next(iter(item)) for item in items]
        following = [*names[1:], END_OF_LIST]
        tasks = {name: self._task(item[name], after) for item, name, after in zip(items, names, following, strict=True)}
        return ListMeaning(tasks)

    def _task(self, task: dict[str, Any], after: str) -> TaskMeaning:
        task = dict(task)
        inner: dict[str, ListMeaning] = {}
        for path in LISTS:
            holder = task.get(path[0]) if len(path) > 1 else task
            if isinstance(holder, dict) and isinstance(cast("dict[str, Any]", holder).get(path[-1]), list):
                held = dict(cast("dict[str, Any]", holder))
                inner["/".join(path)] = self.list(held.pop(path[-1]))
                task = held if len(path) == 1 else {**task, path[0]: held}
        kind = next((kind for kind in KINDS if kind in task or kind in inner), "unknown")
        then = task.pop("then", "continue")
        if "switch" in task:
            task["switch"] = [self._cases(item, after) for item in task["switch"]]
        fields = self.fields({name: each for name, each in task.items() if name not in REMARKS})
        return TaskMeaning(kind, fields, after if then == "continue" else str(then), inner)

    def _cases(self, item: dict[str, dict[str, Any]], after: str) -> dict[str, Any]:
        spelled = {name: Case.model_validate(case).then for name, case in item.items()}
        return {
            name: {**case, "then": after if spelled[name] == "continue" else spelled[name]}
            for name, case in item.items()
        }

    def fields(self, given: dict[str, Any]) -> JsonObject:
        """Return fields with references written out, expressions and durations in one form."""
        return {name: self._value(name, each) for name, each in sorted(given.items())}

    def _value(self, name: str, value: Any) -> Json:
        for kind, section in (("timeout", "timeouts"), ("retry", "retries"), ("error", "errors")):
            if name == kind and isinstance(value, str) and value in self._use.get(section, {}):
                value = self._use[section][value]
        if isinstance(value, str):
            text = unwrap(value)
            if text is not None or name in CONDITIONS:
                return f"${{ {spaced(value if text is None else text)} }}"
        if name in DURATIONS and isinstance(value, str | dict):
            try:
                return iso_duration(duration(cast("object", value)))
            except NotDuration:
                pass
        if isinstance(value, dict):
            return self.fields(cast("dict[str, Any]", value))
        if isinstance(value, list):
            return [self._value("", each) for each in cast("list[Any]", value)]
        return value


def spaced(text: str) -> str:
    """Return an expression with single spaces where words meet, and none elsewhere; strings stay as they are."""
    found: list[str] = []
    gap = False
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "space":
            gap = True
            continue
        token = match[0]
        if gap and found and _could_be_one(found[-1], token):
            found.append(" ")
        found.append(token)
        gap = False
    return "".join(found)


def _could_be_one(left: str, right: str) -> bool:
    """Return whether two tokens would be read as one, or as others, without a space between them."""
    ends = left[-1], right[0]
    return all(end.isalnum() or end in "_.$@" for end in ends) or all(end in "<>=!|&/?-+*%" for end in ends)

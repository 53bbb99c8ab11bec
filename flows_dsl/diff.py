"""
What is different between two versions of flows, by meaning, and what of it breaks orders in flight.

Remarks, layout, the spelling of expressions and durations are no differences; nor is where a task stands in the
document, as long as the order in which tasks are carried out is the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from flows_dsl.canonical import canonical_json
from flows_dsl.findings import escape
from flows_dsl.meaning import FlowMeaning, ListMeaning, TaskMeaning
from orderloom.domain.model import Frozen, Json, JsonObject

WAITING = frozenset({"listen", "wait", "call", "try", "fork", "run", "for"})
"""Kinds of task at which an instance may wait without any error: for an event, a time, an answer, another try."""

type What = Literal["added", "removed", "changed", "order"]


class Change(Frozen):
    """One difference."""

    flow: str
    task: str | None = None
    """Names on the way to the task; None for the flow as a whole."""
    what: What
    """``order``: what is carried out after the task is another one, or a list begins with another one."""
    field: str = ""
    """Which part has changed, as a JSON pointer into the task."""
    before: Json = None
    after: Json = None
    breaking: str | None = None
    """Why it breaks orders in flight that are moved from the one to the other; None when it does not."""

    def __str__(self) -> str:
        """Return it as a line for people."""
        sign = {"added": "+", "removed": "-", "changed": "~", "order": ">"}[self.what]
        subject = f"{self.task or '(flow)'}{self.field}"
        values = f": {_short(self.before)} -> {_short(self.after)}" if self.what in {"changed", "order"} else ""
        return f"{sign} {subject}{values}" + (f"  BREAKING: {self.breaking}" if self.breaking else "")


class Difference(Frozen):
    """All differences between two sets of flows."""

    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        """Return those that break orders in flight."""
        return tuple(change for change in self.changes if change.breaking)


def diff(before: Sequence[FlowMeaning], after: Sequence[FlowMeaning]) -> Difference:
    """Return what is different in *after*, flow by flow."""
    old, new = ({flow.name: flow for flow in flows} for flows in (before, after))
    changes: list[Change] = []
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            reason = "an instance of it has no place in the other release"
            changes.append(Change(flow=name, what="removed", before=old[name].version, breaking=reason))
        elif name not in old:
            changes.append(Change(flow=name, what="added", after=new[name].version))
        else:
            changes += _Flow(old[name], new[name]).changes()
    return Difference(changes=tuple(changes))


class _Flow:
    def __init__(self, old: FlowMeaning, new: FlowMeaning) -> None:
        self._old, self._new = old, new

    def changes(self) -> list[Change]:
        old, new = dict(self._old.all()), dict(self._new.all())
        found = [self._change(None, *each) for each in different(self._old.fields, self._new.fields)]
        found += self._order("", self._old.tasks, self._new.tasks)
        for name in dict.fromkeys([*old, *new]):
            if name not in new:
                found.append(self._removed(name, old[name], new))
            elif name not in old:
                found.append(Change(flow=self._old.name, task=name, what="added", after=new[name].kind))
            else:
                found += self._task(name, old[name], new[name])
        return found

    def _removed(self, name: str, task: TaskMeaning, new: Mapping[str, TaskMeaning]) -> Change:
        bare = name.rpartition("/")[2]
        elsewhere = next((path for path in new if path.rpartition("/")[2] == bare), None)
        moved = f"; a task of that name stands at {elsewhere}, with other keys" if elsewhere else ""
        reason = f"an instance may wait at it{moved}" if waits(task) else None
        return Change(flow=self._old.name, task=name, what="removed", before=task.kind, breaking=reason)

    def _task(self, name: str, old: TaskMeaning, new: TaskMeaning) -> Iterator[Change]:
        flow = self._old.name
        if old.kind != new.kind:
            reason = "an instance may wait at it, and it is of another kind" if waits(old) else None
            yield Change(
                flow=flow, task=name, what="changed", field="", before=old.kind, after=new.kind, breaking=reason
            )
            return
        for pointer, before, after in different(old.fields, new.fields):
            yield self._change(name, pointer, before, after)
        for part in dict.fromkeys([*old.inner, *new.inner]):
            if part in old.inner and part in new.inner:
                yield from self._order(name, old.inner[part], new.inner[part])
            else:
                at = old.inner.get(part) or new.inner[part]
                what: What = "removed" if part in old.inner else "added"
                yield Change(flow=flow, task=name, what=what, field=f"/{part}", before=[*at.tasks])

    def _order(self, around: str, old: ListMeaning, new: ListMeaning) -> Iterator[Change]:
        """Yield where a list begins, and where its tasks lead, as far as tasks of both are concerned."""
        both = [name for name in old.tasks if name in new.tasks]
        if both and (starts := (_known(old, old.first, both), _known(new, new.first, both)))[0] != starts[1]:
            yield self._changed_order(around or None, "/do", *starts)
        for name in both:
            leads = _known(old, old.tasks[name].next, both), _known(new, new.tasks[name].next, both)
            if leads[0] != leads[1]:
                yield self._changed_order(f"{around}/{name}" if around else name, "/then", *leads)

    def _changed_order(self, task: str | None, field: str, before: str, after: str) -> Change:
        return Change(flow=self._old.name, task=task, what="order", field=field, before=before, after=after)

    def _change(self, task: str | None, field: str, before: Json, after: Json) -> Change:
        reason = None if task is None else _reason(field, before, after)
        flow = self._old.name
        return Change(flow=flow, task=task, what="changed", field=field, before=before, after=after, breaking=reason)


def waits(task: TaskMeaning) -> bool:
    """Return whether an instance may wait at *task* without an error; at an error it may wait at any."""
    return task.kind in WAITING


def _known(tasks: ListMeaning, name: str, both: Sequence[str]) -> str:
    """Follow *name* over tasks that only one side has, to one that both have, or to a directive."""
    seen: set[str] = set()
    while name in tasks.tasks and name not in both and name not in seen:
        seen.add(name)
        name = tasks.tasks[name].next
    return name


def _reason(field: str, before: Json, after: Json) -> str | None:
    if field == "/call":
        old, new = (str(value).partition("@") for value in (before, after))
        if old[0] == new[0]:
            return f"the action's major changes from {old[2]} to {new[2]}: arguments and answers are others"
        return "an instance that waits for this action goes on with another one"
    if field.startswith(("/output/schema", "/export/schema")):
        return "instances that have passed it carry what fits the old schema"
    if field.startswith(("/output/as", "/export/as")):
        return "instances that have passed it carry what the old expression made"
    if field.startswith("/listen/to"):
        return "an instance that waits at it waits for other events from then on"
    return None


def different(old: Json, new: Json, pointer: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Yield pointer, old and new value of each part in which two values differ; None stands for what is missing."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted({*old, *new}):
            yield from different(old.get(name), new.get(name), f"{pointer}/{escape(name)}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for at, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from different(left, right, f"{pointer}/{at}")
    elif canonical_json(old) != canonical_json(new):
        yield pointer, old, new


def _short(value: Json) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def as_json(difference: Difference) -> JsonObject:
    """Return a difference for programs."""
    changes: list[Json] = [change.model_dump(mode="json", exclude_none=True) for change in difference.changes]
    return {"changes": changes, "breaking": len(difference.breaking)}

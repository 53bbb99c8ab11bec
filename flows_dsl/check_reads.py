"""Finds what a flow makes and never reads: the output of a ``set``, and fields of the context."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from flows_dsl import model
from flows_dsl.check_jumps import ways
from flows_dsl.compiled import CONTINUE, DIRECTIVES
from flows_dsl.compiler import Items
from flows_dsl.expressions import unwrap
from flows_dsl.findings import escape
from flows_dsl.notes import Note
from orderloom.domain.model import Json

type Reads = Mapping[str, AbstractSet[tuple[str, ...]]]
"""The paths that the expressions of each task read, by its pointer; ``""`` is the flow itself."""

_PASS_ON = (model.EmitTask, model.SwitchTask, model.WaitTask)
_FORGET = (model.CallTask, model.RaiseTask, model.SetTask)
_KEY = re.compile(r"""['"]([A-Za-z_]\w*)['"]\s*:""")


def set_findings(pointer: str, items: Items, reads: Reads) -> Iterator[Note]:
    """Yield each ``set`` of a list whose output another task replaces before anything reads it."""
    tasks = [(name, task) for item in items for name, task in item.items()]
    places = [f"{pointer}/{at}/{escape(name)}" for at, (name, _) in enumerate(tasks)]
    for at, (name, task) in enumerate(tasks):
        if not isinstance(task, model.SetTask) or not task.set or task.export is not None or task.output is not None:
            continue
        if not _read(at, tasks, places, reads):
            message = f"What {name!r} sets is never read."
            remedy = "Read it as input of the next task, or remove it."
            yield Note(f"{places[at]}/set", "set.never_read", message, remedy, key=True)


def _read(
    start: int, tasks: Sequence[tuple[str, model.Task | model.BrokenTask]], places: Sequence[str], reads: Reads
) -> bool:
    index = {name: at for at, (name, _) in reversed(list(enumerate(tasks)))}
    seen: set[int] = set()
    todo = _next(start, tasks, index)
    while todo:
        at = todo.pop()
        if at is None or at >= len(tasks):
            return True  # it is what the list hands on
        if at in seen:
            continue
        seen.add(at)
        task = tasks[at][1]
        if any(path[0] == "input" for path in reads.get(places[at], ())):
            return True
        if isinstance(task, model.BrokenTask) or not isinstance(task, (*_PASS_ON, *_FORGET)):
            return True  # tasks inside may read it
        if isinstance(task, _PASS_ON):
            todo += _next(at, tasks, index)
        elif task.if_ is not None:
            todo.append(at + 1)
    return False


def _next(
    at: int, tasks: Sequence[tuple[str, model.Task | model.BrokenTask]], index: Mapping[str, int]
) -> list[int | None]:
    """Return where the output of a task goes; None stands for the end of the list."""
    found: list[int | None] = []
    for way in ways(tasks[at][1]):
        if way.to == CONTINUE:
            found.append(at + 1)
        elif way.to in DIRECTIVES:
            found.append(None)
        else:
            found.append(index.get(way.to))
    return found


def export_findings(pointer: str, task: model.Task, reads: Reads) -> Iterator[Note]:
    """Yield each field that *task* exports to the context and that no expression of the flow reads."""
    if task.export is None:
        return
    used = {path for paths in reads.values() for path in paths if path[0] == "context"}
    if ("context",) in used or any(path[1].startswith("[") for path in used):
        return
    for name, place in _exported(task.export.as_, f"{pointer}/export/as"):
        if not any(path[1] == name for path in used):
            message = f"{name!r} is exported to the context and never read."
            yield Note(place, "export.never_read", message, f"Read context.{name}, or remove it.", key=True)


def _exported(value: Json, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        yield from ((name, f"{pointer}/{escape(name)}") for name in value)
    elif isinstance(value, str) and (text := unwrap(value)) is not None and text.startswith("{"):
        yield from ((name, pointer) for name in _KEY.findall(text))

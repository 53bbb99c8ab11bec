"""Checks where the tasks of one list lead: unknown targets, names used twice, tasks that nothing reaches."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flows_dsl import model
from flows_dsl.compiled import CONTINUE, DIRECTIVES
from flows_dsl.compiler import targets
from flows_dsl.findings import did_you_mean, escape
from flows_dsl.notes import Note


def jump_findings(
    pointer: str, items: Sequence[Mapping[str, model.Task | model.BrokenTask]], *, branches: bool = False
) -> Iterator[Note]:
    """Yield what is wrong with the names and jumps of the list at *pointer*; nothing jumps between *branches*."""
    tasks = [(name, task) for item in items for name, task in item.items()]
    index: dict[str, int] = {}
    for at, (name, _) in enumerate(tasks):
        here = f"{pointer}/{at}/{escape(name)}"
        if name in index:
            message = f"Two tasks of this list are named {name!r}."
            yield Note(here, "task.name_twice", message, "Give each a name of its own.", key=True)
        elif name in DIRECTIVES:
            yield Note(here, "task.name_reserved", f"{name!r} is a flow directive.", "Choose another name.", key=True)
        index.setdefault(name, at)
    for at, (name, task) in enumerate(tasks):
        yield from _targets(f"{pointer}/{at}/{escape(name)}", task, {} if branches else index)
    if branches:
        return
    for at in sorted(set(range(len(tasks))) - _reached(tasks, index)):
        name = tasks[at][0]
        message = f"Nothing leads to the task {name!r}."
        remedy = "Remove it, or let a then or a switch lead there."
        yield Note(f"{pointer}/{at}/{escape(name)}", "task.unreachable", message, remedy, key=True)


def _targets(pointer: str, task: model.Task | model.BrokenTask, index: Mapping[str, int]) -> Iterator[Note]:
    if isinstance(task, model.BrokenTask):
        return
    if task.then is not None:
        yield from _target(f"{pointer}/then", task.then, index)
    if not isinstance(task, model.SwitchTask):
        return
    default = False
    for at, (name, case) in enumerate((name, case) for item in task.switch for name, case in item.items()):
        here = f"{pointer}/switch/{at}/{escape(name)}"
        yield from _target(f"{here}/then", case.then, index)
        if default and case.when is None:
            yield Note(
                here,
                "switch.unreachable",
                f"The case {name!r} is never taken: another one without when stands before it.",
                "Give it a when.",
                key=True,
            )
        default |= case.when is None


def _target(pointer: str, then: str, index: Mapping[str, int]) -> Iterator[Note]:
    if then not in DIRECTIVES and then not in index:
        message = f"There is no task {then!r} in this list."
        yield Note(pointer, "then.unknown", message, did_you_mean(then, (*index, *DIRECTIVES)))


@dataclass(frozen=True, slots=True)
class Way:
    """A way out of a task; *skipped* when its ``if`` does not hold, so that it hands on its own input."""

    to: str
    skipped: bool = False


def ways(task: model.Task | model.BrokenTask) -> list[Way]:
    """Return the ways out of *task*: names of tasks and flow directives."""
    if isinstance(task, model.BrokenTask):
        return [Way(CONTINUE)]
    skipped = [Way(CONTINUE, skipped=True)] if task.if_ is not None else []
    if isinstance(task, model.RaiseTask):
        return skipped
    found = targets(task)
    if isinstance(task, model.SwitchTask) and any(case.when is None for item in task.switch for case in item.values()):
        # A case that says continue follows the task's own then.
        found = [task.then or CONTINUE if it == CONTINUE else it for it in found[:-1]]
    return [*skipped, *map(Way, found)]


def _reached(tasks: Sequence[tuple[str, model.Task | model.BrokenTask]], index: Mapping[str, int]) -> set[int]:
    reached: set[int] = set()
    todo = [0]
    while todo:
        at = todo.pop()
        if at in reached or at >= len(tasks):
            continue
        reached.add(at)
        for way in ways(tasks[at][1]):
            if way.to == CONTINUE:
                todo.append(at + 1)
            elif way.to not in DIRECTIVES:
                # An unknown target is told by itself; what stands after it is not unreachable by that.
                todo.append(index.get(way.to, at + 1))
    return reached

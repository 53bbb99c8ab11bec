"""How cases name tasks and errors."""

from flows_dsl.compiled import CompiledFlow, CompiledTask
from flows_dsl.problems import OURS, SPECIFICATION

STANDARD_ERRORS = (
    "authentication",
    "authorization",
    "communication",
    "configuration",
    "expression",
    "runtime",
    "timeout",
    "validation",
)
"""Codes of the specification's own errors; every other code is one of ours."""


def names_of(task: CompiledTask) -> tuple[str, ...]:
    """Return the names of the tasks around *task*, the outermost first, and its own."""
    parts = iter(task.reference.split("/")[1:])
    # A name follows the number that it has in its list.
    return tuple(next(parts).replace("~1", "/").replace("~0", "~") for part in parts if part.isdigit())


def named(task: CompiledTask, name: str) -> bool:
    """Return whether *name* means *task*: its own name, or that with names of tasks around before it."""
    whole = "/".join(names_of(task))
    return name == whole or whole.endswith(f"/{name}")


def tasks_of(flow: CompiledFlow) -> list[CompiledTask]:
    """Return all tasks of *flow*."""
    return [task for tasks in flow.lists.values() for task in tasks.tasks]


def error_type(name: str) -> str:
    """Return the URI of an error that a case names by its URI or its code."""
    if ":" in name:
        return name
    return f"{SPECIFICATION}{name}" if name in STANDARD_ERRORS else f"{OURS}{name}"


def all_tasks_of(flow: CompiledFlow) -> list[CompiledTask]:
    """Return all tasks of *flow*, and of the flows that run inside it."""
    return [*tasks_of(flow), *(task for inner in flow.inner.values() for task in all_tasks_of(inner))]

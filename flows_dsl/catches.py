"""Which ``try`` catches an error, seen from outside."""

from flows_dsl.compiled import CompiledFlow, CompiledTask, Try
from flows_dsl.runner import TaskEventKind


class Catches:
    """Tells from the lifecycle of tasks which ``try`` has caught an error."""

    def __init__(self, flow: CompiledFlow) -> None:
        """Take the flow whose tasks are told of."""
        self._tries = [task for tasks in flow.lists.values() for task in tasks.tasks if isinstance(task.body, Try)]
        self._open: list[str] = []

    def told(self, reference: str, kind: TaskEventKind) -> CompiledTask | None:
        """Return the ``try`` that is seen to have caught an error, if any."""
        if kind == "faulted":
            self._open.append(reference)
        if kind == "suspended":
            self._open = [it for it in self._open if it != reference]
        for task in self._tries:
            inside = f"{task.reference}/try/"
            goes_on = reference == task.reference and kind in {"retried", "completed"}
            handles = kind == "started" and reference.startswith(f"{task.reference}/catch/")
            if (goes_on or handles) and any(it.startswith(inside) for it in self._open):
                self._open = [it for it in self._open if not it.startswith(inside)]
                return task
        return None

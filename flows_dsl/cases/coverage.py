"""Which tasks and catches of a flow no case took."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from flows_dsl.cases.naming import tasks_of
from flows_dsl.compiled import CompiledFlow, Try
from flows_dsl.desk import Played


@dataclass(frozen=True, slots=True)
class Missed:
    """A task that no case did, or a ``try`` whose catch no case took."""

    kind: Literal["task", "catch"]
    reference: str
    """JSON pointer of the task."""
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """How much of a flow its cases took."""

    flow: str
    parts: int
    """Tasks and catches that there are."""
    missed: tuple[Missed, ...]

    @property
    def share(self) -> float:
        """Return what was taken, as a share of what there is."""
        return 1 - len(self.missed) / self.parts


def coverage(flow: CompiledFlow, played: Iterable[Played]) -> Coverage:
    """Return what the instances of *flow* in *played* took of it together."""
    done: set[str] = set()
    caught: set[str] = set()
    for each in played:
        done |= {passed.task.path for passed in each.tasks}
        caught |= {passed.task.path for passed in each.caught}
    return Coverage(flow=flow.label, parts=_parts(flow), missed=tuple(_missed(flow, done, caught)))


def _parts(flow: CompiledFlow) -> int:
    return sum(2 if isinstance(task.body, Try) else 1 for task in tasks_of(flow))


def _missed(flow: CompiledFlow, done: set[str], caught: set[str]) -> Iterator[Missed]:
    for task in tasks_of(flow):
        if task.path not in done:
            yield Missed("task", task.reference, task.name)
        if isinstance(task.body, Try) and task.path not in caught:
            yield Missed("catch", task.reference, task.name)

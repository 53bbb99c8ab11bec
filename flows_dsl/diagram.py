"""A flow as a graph of boxes and arrows: what the pictures of it are drawn from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from flows_dsl.model import (
    CallTask,
    DoTask,
    EmitTask,
    FlowDocument,
    ForEachEvent,
    ForkTask,
    ForTask,
    ListenTask,
    RaiseTask,
    RunTask,
    SwitchTask,
    Task,
    TaskList,
    TryTask,
    WaitTask,
    kind_of,
)
from flows_dsl.parts import EventFilter, Listen

LONGEST = 48
"""Characters of a line in a box; the rest is cut off."""

START, END = "start", "stop"
"""Ids of the boxes that every picture has."""


type Mark = Literal["done", "waits", "failed"]
"""What became of a task in one order."""


@dataclass(frozen=True)
class Box:
    """One box. ``kind`` is the task's, or ``start``, ``stop``, ``join``."""

    id: str
    kind: str
    lines: tuple[str, ...]
    pointer: str = ""
    """Where the task stands in the document; empty for what is no task."""
    mark: Mark | None = None


@dataclass(frozen=True)
class Arrow:
    """How the flow goes on from one box to another; ``dashed`` after an error."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True)
class Diagram:
    """A flow's boxes in the order of its document, and the arrows between them."""

    name: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def marked(drawn: Diagram, marks: Mapping[str, Mark]) -> Diagram:
    """Return *drawn* with what became of its tasks, by JSON pointer."""
    boxes = (replace(box, mark=marks.get(box.pointer)) if box.pointer else box for box in drawn.boxes)
    return replace(drawn, boxes=tuple(boxes))


def diagram(flow: FlowDocument) -> Diagram:
    """Return the graph of *flow*: each task is one box, and a ``fork`` has one more where its branches join."""
    drawing = _Drawing()
    on = flow.schedule.on if flow.schedule else None
    drawing.boxes.append(Box(START, "start", (flow.name, *(_events(on) if on else ()))))
    ways = drawing.tasks(flow.do, "/do", [_Way(START)])
    drawing.join(ways, END)
    drawing.boxes.append(Box(END, "stop", ("end",)))
    return Diagram(flow.name, tuple(drawing.boxes), tuple(dict.fromkeys(drawing.arrows)))


@dataclass(frozen=True)
class _Way:
    """An arrow whose head is not known yet."""

    source: str
    label: str = ""
    dashed: bool = False


type _Ways = list[_Way]
type _Named = dict[str, str]


@dataclass
class _Drawing:
    boxes: list[Box] = field(default_factory=list[Box])
    arrows: list[Arrow] = field(default_factory=list[Arrow])
    _count: int = 0

    def join(self, ways: Iterable[_Way], target: str) -> None:
        """Lead *ways* to *target*."""
        self.arrows += [Arrow(way.source, target, way.label, way.dashed) for way in ways]

    def tasks(self, tasks: TaskList, path: str, ways: _Ways, first: int = 0) -> _Ways:
        """Draw tasks that *ways* lead to, from number *first* of their list on; return the ways out."""
        ids: _Named = {name: self._id() for item in tasks for name in item}
        out: _Ways = []
        for index, item in enumerate(tasks, first):
            [(name, task)] = item.items()
            if not isinstance(task, Task):
                continue
            pointer = f"{path}/{index}/{name}"
            self.join(ways, ids[name])
            self.boxes.append(Box(ids[name], kind_of(task), tuple(_lines(name, task)), pointer))
            if isinstance(task, SwitchTask):
                done = self._switch(ids, out, ids[name], task)
            else:
                done = self._inside(ids[name], task, pointer)
            ways = self._go_on(ids, out, done, task.then)
            # What a box leads to anyway needs no second arrow when the task is left out.
            if task.if_ is not None and _Way(ids[name]) not in ways:
                ways.append(_Way(ids[name], "skipped"))
        return [*out, *ways]

    def _id(self) -> str:
        self._count += 1
        return f"t{self._count}"

    def _go_on(self, ids: _Named, out: _Ways, ways: _Ways, then: str | None) -> _Ways:
        """Lead *ways* where *then* says; return those that go on with the next task."""
        if then is None or then == "continue":
            return ways
        if then == "exit":
            out += ways
        else:
            self.join(ways, END if then == "end" else ids.get(then, END))
        return []

    def _inside(self, box: str, task: Task, pointer: str) -> _Ways:
        """Draw what is inside a task, and return the ways out of it."""
        match task:
            case DoTask():
                return self.tasks(task.do, f"{pointer}/do", [_Way(box)])
            case ForTask():
                return self._loop(box, task.do, f"{pointer}/do")
            case ListenTask(foreach=ForEachEvent(do=list() as tasks)):
                return self._loop(box, tasks, f"{pointer}/foreach/do")
            case ForkTask():
                return self._fork(box, task, pointer)
            case TryTask():
                return self._try(box, task, pointer)
            case _:
                return [] if isinstance(task, RaiseTask) else [_Way(box)]

    def _switch(self, ids: _Named, out: _Ways, box: str, task: SwitchTask) -> _Ways:
        ways: _Ways = []
        cases = [(name, case) for item in task.switch for name, case in item.items()]
        for name, case in cases:
            ways += self._go_on(ids, out, [_Way(box, name)], case.then)
        return ways if any(case.when is None for _, case in cases) else [*ways, _Way(box, "else")]

    def _loop(self, box: str, tasks: TaskList, path: str) -> _Ways:
        self.join(self.tasks(tasks, path, [_Way(box, "each")]), box)
        return [_Way(box, "done")]

    def _fork(self, box: str, task: ForkTask, pointer: str) -> _Ways:
        joint = self._id()
        for index, item in enumerate(task.fork.branches):
            # Each branch is a list of its own: no branch goes on with the next one.
            self.join(self.tasks([item], f"{pointer}/fork/branches", [_Way(box)], index), joint)
        self.boxes.append(Box(joint, "join", ("first" if task.fork.compete else "all",)))
        return [_Way(joint)]

    def _try(self, box: str, task: TryTask, pointer: str) -> _Ways:
        ways = self.tasks(task.try_, f"{pointer}/try", [_Way(box)])
        catch = task.catch
        label = _short(f"on {_values(catch.errors.with_)}" if catch.errors else "on any error")
        if catch.retry is not None:
            self.arrows.append(Arrow(box, box, f"again {label}", dashed=True))
        caught = [_Way(box, label, dashed=True)]
        return [*ways, *(self.tasks(catch.do, f"{pointer}/catch/do", caught) if catch.do else caught)]


def _lines(name: str, task: Task) -> Sequence[str]:
    """Return what stands in a task's box: its name, what it does, when, and for how long at most."""
    kind = kind_of(task)
    lines = [name, _short(f"{kind} {_TEXTS[kind](task)}".strip())]
    lines += _events(cast("ListenTask", task).listen.to) if kind == "listen" else []
    lines += [_short(f"if {task.if_}")] if task.if_ is not None else []
    timeout = task.timeout if isinstance(task.timeout, str) else task.timeout and task.timeout.after
    return [*lines, *([_short(f"timeout {_value(timeout)}")] if timeout is not None else [])]


def _call(task: CallTask) -> str:
    return task.call


def _emit(task: EmitTask) -> str:
    return str(task.emit.event.with_.get("type", ""))


def _for(task: ForTask) -> str:
    return f"{task.for_.each} in {task.for_.in_}" + (f" while {task.while_}" if task.while_ else "")


def _fork(task: ForkTask) -> str:
    return "compete" if task.fork.compete else ""


def _listen(task: ListenTask) -> str:
    return next((way for way in ("all", "any", "one") if getattr(task.listen.to, way)), "any")


def _raise(task: RaiseTask) -> str:
    error = task.raise_.error
    return error if isinstance(error, str) else str(error.get("type", ""))


def _run(task: RunTask) -> str:
    flow = task.run.workflow
    return "" if flow is None else flow.name + ("" if task.run.await_ else ", not awaited")


def _wait(task: WaitTask) -> str:
    return _value(task.wait)


def _nothing(_: Task) -> str:
    return ""


_TEXTS = cast(
    "dict[str, Callable[[Task], str]]",
    dict.fromkeys(("do", "set", "switch", "try"), _nothing)
    | {"call": _call, "emit": _emit, "for": _for, "fork": _fork, "listen": _listen}
    | {"raise": _raise, "run": _run, "wait": _wait},
)


def _events(on: Listen) -> list[str]:
    """Return the types of the events that are waited for, and what ends the waiting."""
    filters: list[EventFilter] = [*([on.one] if on.one else ()), *(on.any or ()), *(on.all or ())]
    lines = [_short(str(it.with_.get("type", "any event"))) for it in filters]
    if isinstance(on.until, Listen):
        lines += [f"until {line}" for line in _events(on.until)]
    elif isinstance(on.until, str):
        lines.append(_short(f"until {on.until}"))
    return lines


def _value(value: Any) -> str:
    return _values(cast("dict[str, Any]", value)) if isinstance(value, dict) else str(value)


def _values(value: dict[str, Any]) -> str:
    return ", ".join(f"{key} {item}" for key, item in value.items())


def _short(text: str) -> str:
    """Return *text* on one line, and no longer than fits in a box."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"

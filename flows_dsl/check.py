"""Tells everything that is wrong with a flow before it is published, each finding with its place and remedy."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta

from pydantic import BaseModel

from flows_dsl import model
from flows_dsl.check_actions import action_findings
from flows_dsl.check_control import ControlCheck
from flows_dsl.check_data import DataFlow
from flows_dsl.check_errors import error_findings
from flows_dsl.check_expressions import ExpressionCheck
from flows_dsl.check_jumps import jump_findings
from flows_dsl.check_reads import export_findings, set_findings
from flows_dsl.check_tasks import TaskCheck
from flows_dsl.durations import LONGEST
from flows_dsl.findings import Finding, escape
from flows_dsl.functions import functions_of
from flows_dsl.loader import Loaded, load
from flows_dsl.notes import Note, Notes
from flows_dsl.resolved import Catalog, by_name
from flows_dsl.yaml_reader import Source
from orderloom.contracts.actions import CORE_ACTIONS
from orderloom.contracts.header import OrderHeader

_UNSUPPORTED_USE = {
    "authentications": "Flows reach the outside by core actions only.",
    "catalogs": "Flows are self-contained: their hash covers all that they do.",
    "extensions": "Nothing runs around a task unseen.",
    "secrets": "Flows hold no secrets; gateways keep theirs.",
}
_UNSUPPORTED_SCHEDULE = {
    "every": "An order's flow begins with an event of the order.",
    "cron": "An order's flow begins with an event of the order.",
    "after": "An order's flow begins with an event of the order.",
}


def check_text(
    text: str,
    *,
    catalog: Catalog = CORE_ACTIONS,
    header: type[BaseModel] | None = OrderHeader,
    flows: Sequence[model.FlowDocument] = (),
) -> list[Finding]:
    """Return what is wrong with the flow in *text*, by line; an empty list means that it may be published."""
    loaded = load(text)
    return [] if loaded.document is None and not loaded.findings else check_loaded(loaded, catalog, header, flows)


def check_loaded(
    loaded: Loaded,
    catalog: Catalog = CORE_ACTIONS,
    header: type[BaseModel] | None = OrderHeader,
    flows: Sequence[model.FlowDocument] = (),
    longest: timedelta = LONGEST,
) -> list[Finding]:
    """Return what is wrong with a flow that was read, its shape included, by line."""
    found = list(loaded.findings)
    if loaded.document is not None:
        found += check(
            loaded.document, catalog=catalog, header=header, source=loaded.source, flows=flows, longest=longest
        )
    return sorted(found, key=lambda it: (it.line, it.column, it.code))


def check(
    document: model.FlowDocument,
    *,
    catalog: Catalog = CORE_ACTIONS,
    header: type[BaseModel] | None = OrderHeader,
    source: Source | None = None,
    flows: Sequence[model.FlowDocument] = (),
    longest: timedelta = LONGEST,
) -> list[Finding]:
    """
    Return what is wrong with *document*.

    Args:
        document: a flow whose shape is right.
        catalog: the contracts of the actions that it may call.
        header: what ``order`` holds in expressions; None checks no field of it.
        source: where its nodes stand; without it all findings are at line 1.
        flows: the flows that it may run.
        longest: what the timeout of a listen, or of a wait that is not constant, may be at most.
    """
    return _Check(document, catalog, header, source=source, flows=flows, longest=longest).run()


class _Check:
    def __init__(
        self,
        document: model.FlowDocument,
        catalog: Catalog,
        header: type[BaseModel] | None,
        *,
        source: Source | None,
        flows: Sequence[model.FlowDocument],
        longest: timedelta,
    ) -> None:
        self._document = document
        self._notes = Notes(source)
        self._broken = False
        self._actions = by_name(catalog)
        self._called = {**self._actions, **functions_of(document, self._actions)}
        scopes = DataFlow(document, self._called, header).run()
        self._expressions = ExpressionCheck(self._notes, document.evaluate.language, scopes)
        self._tasks = TaskCheck(self._notes, self._expressions, document.use, longest)
        self._control = ControlCheck(self._notes, self._expressions, document, flows)

    def run(self) -> list[Finding]:
        self._head()
        self._schedule()
        self._tasks.declared()
        for name, function in sorted(self._document.use.functions.items()):
            self._function(f"/use/functions/{escape(name)}", function)
        self._list("/do", self._document.do, ())
        self._add(error_findings("/do", self._document.do, self._called))
        if self._document.evaluate.language == "cel" and not self._broken and not self._expressions.refused:
            self._unread("/do", self._document.do)
        return self._notes.sorted()

    def _add(self, notes: Iterable[Note]) -> None:
        for note in notes:
            self._notes.add(note.pointer, note.code, note.message, note.remedy, key=note.key)

    def _unread(self, pointer: str, items: Sequence[Mapping[str, model.Task | model.BrokenTask]]) -> None:
        """Tell what is made and never read, once all expressions are known."""
        if not pointer.endswith("/fork/branches"):
            self._add(set_findings(pointer, items, self._expressions.reads))
        for at, (name, task) in enumerate(_named(items)):
            if isinstance(task, model.BrokenTask):
                continue
            here = f"{pointer}/{at}/{escape(name)}"
            self._add(export_findings(here, task, self._expressions.reads))
            for inner, block, _ in _blocks(here, task):
                self._unread(inner, block)

    def _head(self) -> None:
        document, notes = self._document, self._notes
        if document.evaluate.mode == "loose":
            notes.add("/evaluate/mode", "unsupported.loose", "Loose mode is not supported.", "Write ${ } around it.")
        for name, reason in _UNSUPPORTED_USE.items():
            if getattr(document.use, name) is not None:
                notes.add(f"/use/{name}", "unsupported.use", f"use.{name} is not supported.", reason, key=True)
        self._expressions.transform("", document.input, document.output, None, ())
        self._tasks.timeout("/timeout", document.timeout, ())

    def _schedule(self) -> None:
        notes, schedule = self._notes, self._document.schedule
        if schedule is None:
            if not self._control.is_run():
                remedy = "Add schedule.on, or check it together with the flow that runs it."
                notes.add("/schedule", "schedule.missing", "No event starts the flow.", remedy)
            return
        for name, reason in _UNSUPPORTED_SCHEDULE.items():
            if getattr(schedule, name) is not None:
                message = f"schedule.{name} is not supported."
                notes.add(f"/schedule/{name}", "unsupported.schedule", message, reason, key=True)
        if schedule.on is None:
            notes.add("/schedule/on", "schedule.missing", "No event starts the flow.", "Add on with one, any or all.")
            return
        self._control.schedule("/schedule/on", schedule.on, self._document.document.metadata.collects_for)

    def _function(self, pointer: str, function: model.CallTask) -> None:
        """Check what tasks call by the name of a function."""
        self._tasks.common(pointer, function, ())
        types = self._expressions.types(pointer, function, ())
        self._add(action_findings(pointer, function, self._actions, types))

    def _list(
        self, pointer: str, items: Sequence[Mapping[str, model.Task | model.BrokenTask]], names: tuple[str, ...]
    ) -> None:
        self._add(jump_findings(pointer, items, branches=pointer.endswith("/fork/branches")))
        for at, (name, task) in enumerate(_named(items)):
            here = f"{pointer}/{at}/{escape(name)}"
            if isinstance(task, model.BrokenTask):
                self._broken = True  # its shape was told already
                continue
            self._tasks.common(here, task, names)
            if isinstance(task, model.CallTask):
                types = self._expressions.types(here, task, names)
                if task.call not in self._document.use.functions:
                    self._add(action_findings(here, task, self._actions, types))
            else:
                self._tasks.kind(here, task, names)
                self._control.kind(here, task, names)
            for inner, block, more in _blocks(here, task):
                self._list(inner, block, (*names, *more))


def _named(
    items: Sequence[Mapping[str, model.Task | model.BrokenTask]],
) -> Iterator[tuple[str, model.Task | model.BrokenTask]]:
    for item in items:
        yield from item.items()


def _blocks(
    pointer: str, task: model.Task
) -> Iterator[tuple[str, Sequence[Mapping[str, model.Task | model.BrokenTask]], tuple[str, ...]]]:
    """Yield the lists of tasks inside *task*, each with the variables that it adds."""
    match task:
        case model.DoTask():
            yield f"{pointer}/do", task.do, ()
        case model.TryTask():
            yield f"{pointer}/try", task.try_, ()
            if task.catch.do is not None:
                yield f"{pointer}/catch/do", task.catch.do, (task.catch.as_,)
        case model.ForTask():
            yield f"{pointer}/do", task.do, (task.for_.each, task.for_.at)
        case model.ForkTask():
            yield f"{pointer}/fork/branches", task.fork.branches, ()
        case model.ListenTask() if task.foreach is not None and task.foreach.do is not None:
            yield f"{pointer}/foreach/do", task.foreach.do, (task.foreach.item, task.foreach.at)
        case _:
            return

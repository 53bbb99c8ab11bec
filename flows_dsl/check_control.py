"""Checks what leads a flow: loops, branches, events listened for, and flows inside flows."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from flows_dsl import model, parts
from flows_dsl.check_data import data_of, envelope_of
from flows_dsl.check_expressions import RESERVED, ExpressionCheck
from flows_dsl.compiler import Items, blocks
from flows_dsl.durations import LONGEST, NotDuration, duration
from flows_dsl.expressions import unwrap
from flows_dsl.findings import close, did_you_mean, escape
from flows_dsl.notes import Notes
from flows_dsl.resolved import label, run_by
from orderloom.contracts.events import EVENTS
from orderloom.domain.model import Json

ALIKE = 0.8
"""How much a type of event has to look like a known one to be taken for a slip: authors have types of their own."""

_ATTRIBUTES = ("data", "id", "source", "type")
_PROCESSES = {
    "container": "Flows start no containers: write a core action.",
    "script": "Flows run no code of their own: write a core action.",
    "shell": "Flows run no commands: write a core action.",
}


class ControlCheck:
    """Checks the tasks of one document that lead it."""

    def __init__(
        self,
        notes: Notes,
        expressions: ExpressionCheck,
        document: model.FlowDocument,
        flows: Sequence[model.FlowDocument],
    ) -> None:
        """Take where findings go, the document, and the flows that it may run."""
        self._notes = notes
        self._expressions = expressions
        self._document = document
        self._flows = flows
        self._events = {*EVENTS, *(type_ for flow in (document, *flows) for type_ in _emitted(flow.do))}

    def kind(self, pointer: str, task: model.Task, names: tuple[str, ...]) -> None:
        """Check what only a task of its kind has."""
        match task:
            case model.ForTask():
                self._for(pointer, task, names)
            case model.ListenTask():
                self._listen(pointer, task, names)
            case model.RunTask():
                self._run(f"{pointer}/run", task.run, names)
            case _:
                return

    def is_run(self) -> bool:
        """Return whether another flow runs this one."""
        runs = (run for flow in self._flows for run in _runs(flow.do))
        return any(run_by({"run": run}, [self._document]) is not None for run in runs)

    def schedule(self, pointer: str, on: parts.Listen, collects_for: Json) -> None:
        """Check the events that start the flow."""
        self._strategy(pointer, on, (), starts=True)
        if on.until is not None:
            message, remedy = "until has no meaning here.", "An instance starts with the first event."
            self._notes.add(f"{pointer}/until", "unsupported.schedule", message, remedy, key=True)
        place = "/document/metadata/collectsFor"
        if collects_for is None:
            return
        if on.all is None:
            message, remedy = "collectsFor has no meaning without schedule.on.all.", "Remove it."
            self._notes.add(place, "schedule.collects_for", message, remedy, key=True)
            return
        try:
            too_long = not timedelta(0) < duration(collects_for) <= LONGEST
        except NotDuration as error:
            self._notes.add(place, "duration.invalid", f"{error}.", "Write ISO 8601 such as PT15M.")
            return
        if too_long:
            self._notes.add(place, "timeout.too_long", "Events are collected for at most 90 days.", "Say P90D or less.")

    def _for(self, pointer: str, task: model.ForTask, names: tuple[str, ...]) -> None:
        text = unwrap(task.for_.in_) or task.for_.in_
        expression = self._expressions.compiled(f"{pointer}/for/in", text, names)
        if expression is not None and expression.type != "DYN" and not expression.type.startswith("LIST"):
            message = f"for needs a list, but this is {expression.type}."
            self._notes.add(f"{pointer}/for/in", "for.type", message, "Yield a list.")
        self._variables(f"{pointer}/for", {"each": task.for_.each, "at": task.for_.at})
        self._expressions.condition(f"{pointer}/while", task.while_, (*names, task.for_.each, task.for_.at))

    def _listen(self, pointer: str, task: model.ListenTask, names: tuple[str, ...]) -> None:
        here, to = f"{pointer}/listen/to", task.listen.to
        self._strategy(here, to, names)
        if to.until is not None and to.any is None:
            message, remedy = "Only a listen to any has an until.", "Say any, or remove until."
            self._notes.add(f"{here}/until", "listen.until", message, remedy, key=True)
        if isinstance(to.until, parts.Listen):
            self._strategy(f"{here}/until", to.until, names)
        elif isinstance(to.until, str):
            self._expressions.condition(f"{here}/until", to.until, (*names, "events"))
        if task.foreach is not None:
            self._variables(f"{pointer}/foreach", {"item": task.foreach.item, "at": task.foreach.at})
            inner = (*names, task.foreach.item, task.foreach.at)
            self._expressions.transform(f"{pointer}/foreach", None, task.foreach.output, task.foreach.export, inner)

    def _variables(self, pointer: str, names: Mapping[str, str]) -> None:
        for field, name in names.items():
            if name in RESERVED:
                message, remedy = f"{name!r} has a meaning of its own.", "Choose another name."
                self._notes.add(f"{pointer}/{field}", "variable.reserved", message, remedy)
        if len(set(names.values())) < len(names):
            message, remedy = "The item and its index have one name.", "Give each a name of its own."
            self._notes.add(f"{pointer}/at", "variable.twice", message, remedy)

    def _strategy(self, pointer: str, to: parts.Listen, names: tuple[str, ...], *, starts: bool = False) -> None:
        modes = [mode for mode in ("one", "any", "all") if getattr(to, mode) is not None]
        if len(modes) != 1:
            self._notes.add(pointer, "listen.mode", "Exactly one of one, any and all is needed.", "Choose one.")
        if to.one is not None:
            self._filter(f"{pointer}/one", to.one, names, starts=starts)
        for mode in ("any", "all"):
            filters: list[parts.EventFilter] | None = getattr(to, mode)
            if filters is not None and not filters:
                self._notes.add(f"{pointer}/{mode}", "listen.empty", "No event is named.", "Name at least one type.")
            for at, each in enumerate(filters or []):
                self._filter(f"{pointer}/{mode}/{at}", each, names, starts=starts, all_=mode == "all")

    def _of_ours(self, type_: str) -> bool:
        """Return whether a type looks like one of ours, by its first part or as a whole; others are their authors'."""
        family = type_.partition(".")[0]
        return close(type_, self._events, ALIKE) is not None or any(it.startswith(f"{family}.") for it in EVENTS)

    def _filter(
        self, pointer: str, wanted: parts.EventFilter, names: tuple[str, ...], *, starts: bool, all_: bool = False
    ) -> None:
        notes, given = self._notes, wanted.with_
        self._correlate(f"{pointer}/correlate", wanted, names, starts=starts, all_=all_)
        if not isinstance(given.get("type"), str) or unwrap(str(given["type"])) is not None:
            notes.add(f"{pointer}/with", "listen.type", "An event filter needs a literal type.", "Add type.")
        elif (type_ := str(given["type"])) not in self._events and self._of_ours(type_):
            message, remedy = f"No event of the type {type_!r} is known.", did_you_mean(type_, self._events)
            notes.add(f"{pointer}/with/type", "event.unknown", message, remedy)
        for name in sorted(given):
            here = f"{pointer}/with/{escape(name)}"
            if name not in _ATTRIBUTES:
                message, remedy = f"Events have no attribute {name!r}.", did_you_mean(name, _ATTRIBUTES)
                notes.add(here, "listen.attribute", message, remedy, key=True)
            elif starts and name != "type":
                message = f"A schedule cannot filter by {name}."
                remedy = "Look at workflow.input[0] in the first task."
                notes.add(here, "unsupported.schedule", message, remedy, key=True)
            elif name == "data":
                self._data(here, given[name], names, str(given.get("type", "")))
            elif not isinstance(given[name], str) or (name != "type" and unwrap(str(given[name])) is not None):
                notes.add(here, "listen.literal", f"{name} is compared literally.", "Write it as text.")

    def _correlate(
        self, pointer: str, wanted: parts.EventFilter, names: tuple[str, ...], *, starts: bool, all_: bool
    ) -> None:
        if starts and not all_ and wanted.correlate is not None:
            message, remedy = "One event alone has nothing to correlate with.", "Remove it, or start on all."
            self._notes.add(pointer, "unsupported.schedule", message, remedy, key=True)
            return
        for name, each in sorted((wanted.correlate or {}).items()):
            here = f"{pointer}/{escape(name)}"
            self._expressions.compiled(f"{here}/from", unwrap(each.from_) or each.from_, (*names, "data", "event"))
            if starts and each.expect is not None:
                message, remedy = "Nothing is known that could be expected.", "The events of a set must be equal in it."
                self._notes.add(f"{here}/expect", "unsupported.schedule", message, remedy, key=True)
            elif not starts and each.expect is None:
                message = "Without expect, which event comes first would decide what the flow hears."
                self._notes.add(here, "listen.no_expect", message, "Add expect.", key=True)
            else:
                self._expressions.value(f"{here}/expect", each.expect, names)

    def _data(self, pointer: str, data: Json, names: tuple[str, ...], type_: str) -> None:
        if isinstance(data, str) and unwrap(data) is not None:
            known = {"data": data_of(type_), "event": envelope_of(type_)}
            self._expressions.condition(pointer, data, (*names, *known), known)
        else:
            self._expressions.value(pointer, data, names)
            self._expressions.event_data(pointer, data, type_)

    def _run(self, pointer: str, run: parts.Run, names: tuple[str, ...]) -> None:
        for kind, reason in _PROCESSES.items():
            if getattr(run, kind) is not None:
                message = f"run.{kind} is not supported."
                self._notes.add(f"{pointer}/{kind}", f"unsupported.run_{kind}", message, reason, key=True)
                return
        wanted = run.workflow
        if wanted is None:
            self._notes.add(pointer, "run.nothing", "There is nothing to run.", "Add workflow.", key=True)
            return
        self._expressions.value(f"{pointer}/workflow/input", wanted.input, names)
        found = run_by({"run": {"workflow": wanted.model_dump()}}, self._flows)
        if found is None:
            message = f"There is no flow {label(wanted.namespace, wanted.name, wanted.version)!r} beside this one."
            known = {it.document.name for it in self._flows}
            remedy = did_you_mean(wanted.name, known) if known else "Check it together with the flow that it runs."
            self._notes.add(f"{pointer}/workflow/name", "run.unknown_flow", message, remedy)
        elif self._leads_back(found, ()):
            message = f"{found.name} leads back to a flow that runs already."
            self._notes.add(f"{pointer}/workflow/name", "run.recursion", message, "Jump back with then instead.")

    def _leads_back(self, flow: model.FlowDocument, seen: tuple[str, ...]) -> bool:
        if flow.document.name == self._document.document.name:
            return True
        inner = [it for run in _runs(flow.do) if (it := run_by({"run": run}, self._flows)) is not None]
        return any(it.name in seen or self._leads_back(it, (*seen, flow.name)) for it in inner)


def _emitted(items: Items) -> list[str]:
    """Return the types of the events that a list of tasks emits, at any depth."""
    found: list[str] = []
    for task in (task for item in items for task in item.values()):
        if isinstance(task, model.EmitTask):
            found.append(str(task.emit.event.with_.get("type", "")))
        for inner in blocks(task):
            found += _emitted(inner)
    return found


def _runs(items: Items) -> list[dict[str, object]]:
    """Return every ``run`` in a list of tasks, at any depth."""
    found: list[dict[str, object]] = []
    for task in (task for item in items for task in item.values()):
        if isinstance(task, model.RunTask) and task.run.workflow is not None:
            found.append({"workflow": task.run.workflow.model_dump()})
        for inner in blocks(task):
            found += _runs(inner)
    return found

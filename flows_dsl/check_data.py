"""Follows the data through a flow: what each task's input, output and context can hold, as far as it is known."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from flows_dsl import model, parts
from flows_dsl.check_jumps import ways
from flows_dsl.compiled import CONTINUE, DIRECTIVES, EXIT
from flows_dsl.compiler import Items
from flows_dsl.expressions import unwrap
from flows_dsl.findings import escape
from flows_dsl.shapes import ANY, Shape, join, list_of, obj, of_model, of_schema, of_value
from orderloom.contracts.actions import ActionContract
from orderloom.contracts.events import ENVELOPE, EVENTS
from orderloom.domain.errors import Problem
from orderloom.domain.model import Frozen, Json

ROUNDS = 6
"""How often a list with jumps backward is gone through before its inputs count as unknown."""


_ELSEWHERE = ("/while", "/foreach/", "/listen/to/")
"""Where input and output are those of a round or of an event, not of the task."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the expressions of one task see."""

    raw: Shape = ANY
    """The output of the task before."""
    input: Shape = ANY
    """What ``input.from`` makes of it."""
    output: Shape = ANY
    """Before ``output.as``."""
    result: Shape = ANY
    """After it."""
    variables: Mapping[str, Shape] = field(default_factory=dict[str, Shape])

    def shape(self, path: tuple[str, ...], at: str) -> Shape | None:
        """Return the shape of *path* in the expression at the place *at* within the task; None when it is wrong."""
        here = self.root(path[0], at)
        for part in path[1:]:
            found = here.get(part)
            if found is None:
                return None
            here = found
        return here

    def root(self, name: str, at: str) -> Shape:
        """Return the shape of a variable as the expression at *at* sees it."""
        if name in {"input", "output"} and at.startswith(_ELSEWHERE):
            return ANY
        if name == "input":
            return self.raw if at == "/if" or at.startswith("/input/") else self.input
        if name == "output":
            return self.result if at.startswith("/export/") else self.output
        return self.variables.get(name, ANY)


class DataFlow:
    """The data of one document."""

    def __init__(
        self,
        document: model.FlowDocument,
        actions: Mapping[str, ActionContract[Frozen, Frozen]],
        header: type[BaseModel] | None,
    ) -> None:
        self._document = document
        self._actions = actions
        self._typed = document.evaluate.language == "cel"
        self._order = of_model(header) if header is not None else ANY
        self._exports: list[Shape] = []
        self.scopes: dict[str, Scope] = {}

    def run(self) -> dict[str, Scope]:
        """Return the scope of each task by its pointer; that of the flow itself has the pointer ``""``."""
        if not self._typed:
            return {"": Scope(variables={"order": self._order}), **self.scopes}
        self._through({"context": ANY})
        # What is exported can depend on what was exported before: the second time it is known.
        self._through({"context": join(self._exports) if self._exports else obj({})})
        return self.scopes

    def _through(self, variables: Mapping[str, Shape]) -> None:
        given = _demanded(self._started_with(), self._document.input)
        known = {**variables, "order": self._order, "workflow": _workflow(given)}
        self.scopes, self._exports = {}, []
        start = Scope(given, given, ANY, ANY, known)
        if self._document.input is not None:
            start = replace(start, input=self.template(self._document.input.from_, start, "/input/from"))
        ends: list[Shape] = []
        result = self._list("/do", self._document.do, start.input, known, ends)
        self.scopes[""] = replace(start, output=join([*ends, *([result] if result is not None else [])]))

    def _started_with(self) -> Shape:
        on = self._document.schedule.on if self._document.schedule else None
        if on is None:
            return ANY
        return list_of(join(envelope_of(str(it.with_.get("type", ""))) for it in _filters(on)))

    def template(self, value: Json, scope: Scope, at: str) -> Shape:
        """Return the shape of what *value* yields."""
        if isinstance(value, str) and (text := unwrap(value)) is not None:
            return self._expression(text, scope, at)
        if isinstance(value, dict):
            return obj({name: self.template(inner, scope, at) for name, inner in value.items()})
        if isinstance(value, list):
            return list_of(join(self.template(inner, scope, at) for inner in value))
        return of_value(value)

    def _expression(self, text: str, scope: Scope, at: str) -> Shape:
        parts_ = text.split(".")
        if all(part.isidentifier() for part in parts_):
            return scope.shape(tuple(parts_), at) or ANY
        return ANY

    def _list(
        self, pointer: str, items: Items, entry: Shape, variables: Mapping[str, Shape], ends: list[Shape]
    ) -> Shape | None:
        """Return what the list hands on, None when nothing leaves it; *ends* takes what ends the flow."""
        tasks = [(name, task) for item in items for name, task in item.items()]
        index = {name: at for at, (name, _) in reversed(list(enumerate(tasks)))}
        inputs: dict[int, Shape] = {0: entry}
        seen: dict[int, int] = {}
        left: list[Shape] = []
        todo = [0]
        while todo:
            at = todo.pop(0)
            if at >= len(tasks):
                left.append(inputs[at])
                continue
            seen[at] = seen.get(at, 0) + 1
            name, task = tasks[at]
            raw = inputs[at] if seen[at] <= ROUNDS else ANY
            result = self._task(f"{pointer}/{at}/{escape(name)}", task, raw, variables, ends)
            for target in ways(task):
                handed = raw if target.skipped else result
                if handed is None:
                    continue
                if target.to in DIRECTIVES and target.to != CONTINUE:
                    (left if target.to == EXIT else ends).append(handed)
                    continue
                to = at + 1 if target.to == CONTINUE else index.get(target.to, at + 1)
                known = join([inputs[to], handed]) if to in inputs else handed
                if to not in inputs or known != inputs[to]:
                    inputs[to] = known
                    todo.append(to)
        return join(left) if left else None

    def _task(
        self,
        pointer: str,
        task: model.Task | model.BrokenTask,
        raw: Shape,
        variables: Mapping[str, Shape],
        ends: list[Shape],
    ) -> Shape | None:
        if isinstance(task, model.BrokenTask):
            return ANY
        raw = _demanded(raw, task.input)
        scope = Scope(raw, raw, ANY, ANY, variables)
        if task.input is not None and task.input.from_ is not None:
            scope = replace(scope, input=self.template(task.input.from_, scope, "/input/from"))
        self.scopes[pointer] = scope
        output = None if isinstance(task, model.RaiseTask) else self._body(pointer, task, scope, ends)
        if output is None:
            return None
        scope = replace(scope, output=output, result=output)
        if task.output is not None and task.output.as_ is not None:
            scope = replace(scope, result=self.template(task.output.as_, scope, "/output/as"))
        scope = replace(scope, result=_demanded(scope.result, task.output))
        if task.export is not None and task.export.as_ is not None:
            self._exports.append(_demanded(self.template(task.export.as_, scope, "/export/as"), task.export))
        self.scopes[pointer] = scope
        if isinstance(task, model.TryTask):
            known = {**scope.variables, task.catch.as_: of_model(Problem)}
            self.scopes[pointer] = replace(scope, variables=known)
        return scope.result

    def _body(self, pointer: str, task: model.Task, scope: Scope, ends: list[Shape]) -> Shape | None:
        match task:
            case model.CallTask():
                contract = self._actions.get(task.call)
                return of_model(contract.output) if contract is not None else ANY
            case model.SetTask():
                return self.template(task.set, scope, "/set")
            case model.SwitchTask() | model.EmitTask() | model.WaitTask():
                return scope.input
            case model.DoTask():
                return self._list(f"{pointer}/do", task.do, scope.input, scope.variables, ends)
            case model.TryTask():
                return self._try(pointer, task, scope, ends)
            case _:
                return self._lead(pointer, task, scope, ends)

    def _try(self, pointer: str, task: model.TryTask, scope: Scope, ends: list[Shape]) -> Shape | None:
        found = self._list(f"{pointer}/try", task.try_, scope.input, scope.variables, ends)
        if task.catch.do is None:
            caught: Shape | None = scope.input
        else:
            inner = {**scope.variables, task.catch.as_: of_model(Problem)}
            caught = self._list(f"{pointer}/catch/do", task.catch.do, scope.input, inner, ends)
        left = [it for it in (found, caught) if it is not None]
        return join(left) if left else None

    def _lead(self, pointer: str, task: model.Task, scope: Scope, ends: list[Shape]) -> Shape | None:
        match task:
            case model.ForTask():
                inner = {**scope.variables, task.for_.each: ANY, task.for_.at: of_value(0)}
                first = self._list(f"{pointer}/do", task.do, scope.input, inner, [])
                entry = join([scope.input, *([first] if first is not None else [])])
                again = self._list(f"{pointer}/do", task.do, entry, inner, ends)
                if again != first:
                    again = self._list(f"{pointer}/do", task.do, ANY, inner, ends)
                return join([scope.input, *([again] if again is not None else [])])
            case model.ForkTask():
                for at, item in enumerate(task.fork.branches):
                    for name, branch in item.items():
                        here = f"{pointer}/fork/branches/{at}/{escape(name)}"
                        self._task(here, branch, scope.input, scope.variables, ends)
                return ANY
            case model.ListenTask():
                return self._listen(pointer, task, scope, ends)
            case _:
                return ANY

    def _listen(self, pointer: str, task: model.ListenTask, scope: Scope, ends: list[Shape]) -> Shape:
        read = join(_read(str(it.with_.get("type", "")), task.listen.read) for it in _filters(task.listen.to))
        each = task.foreach
        if each is None:
            return list_of(read)
        if each.do is not None:
            inner = {**scope.variables, each.item: read, each.at: of_value(0)}
            self._list(f"{pointer}/foreach/do", each.do, scope.input, inner, ends)
        return list_of(ANY)


def _demanded(known: Shape, edge: parts.Input | parts.Output | None) -> Shape:
    """Return *known*, or where nothing is known what the schema at the edge demands."""
    if known != ANY or edge is None or edge.schema_ is None:
        return known
    return of_schema(edge.schema_.document)


def _filters(to: parts.Listen) -> list[parts.EventFilter]:
    return [*([to.one] if to.one is not None else []), *(to.any or []), *(to.all or [])]


def _read(type_: str, how: str) -> Shape:
    return data_of(type_) if how == "data" else envelope_of(type_)


def data_of(type_: str) -> Shape:
    """Return the shape of the data of an event of this type; to one without facts authors may add their own."""
    known = EVENTS.get(type_)
    return of_model(known) if known is not None and known.model_fields else ANY


def envelope_of(type_: str) -> Shape:
    """Return the shape of a whole event of this type."""
    return obj({**(of_model(ENVELOPE).fields or {}), "data": data_of(type_)})


_TEXT = of_value("")
_WORKFLOW: Mapping[str, Any] = {
    "id": _TEXT,
    "definition": obj({"document": obj({"namespace": _TEXT, "name": _TEXT, "version": _TEXT})}),
    "startedAt": obj({"iso8601": _TEXT}),
}


def _workflow(input: Shape) -> Shape:
    return obj({**_WORKFLOW, "input": input})

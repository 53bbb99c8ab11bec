"""Checks expressions: that they compile, what type they have, and which fields of the order they read."""

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from flows_dsl import model, parts
from flows_dsl.cel_engine import SIMPLE, VARIABLES, typed_cel
from flows_dsl.check_data import Scope, data_of
from flows_dsl.expression import Expression, ExpressionRefused
from flows_dsl.expressions import Language, embedded, unwrap
from flows_dsl.expressions import compile as compile_expression
from flows_dsl.findings import close, did_you_mean, escape
from flows_dsl.notes import Notes
from flows_dsl.schemas import wrong
from flows_dsl.shapes import Shape
from orderloom.domain.model import Json

ANYWHERE = ("context", "input", "order", "task", "workflow")
"""Variables that every expression may read; ``output`` exists only where an output becomes something."""

RESERVED = frozenset((*ANYWHERE, "data", "event", "output", "runtime", "secrets", "true", "false", "null", "in"))
"""Names that no variable of an author may have."""


_UNKNOWN = Scope()
_NOTHING: Mapping[str, Shape] = MappingProxyType({})
_QUOTED = re.compile(r"'([^']+)'")
_WHOSE = {"order": "The order's header", "input": "The input here", "context": "The context", "output": "The output"}
_NO_FIELDS = {"LIST": "It is a list: take an item, such as [0]."}
_LENIENT = ("double", "null_type")
"""Types that are compared with others when the flow runs, although the checker would not have it."""


class ExpressionCheck:
    """Checks the expressions of one document."""

    def __init__(self, notes: Notes, language: Language, scopes: Mapping[str, Scope]) -> None:
        """Take where findings go, the language, and what the expressions of each task see, by its pointer."""
        self._notes = notes
        self._language: Language = language
        self._scopes = scopes
        self.refused = False
        """Whether an expression does not compile, so that not all that is read is known."""
        self.reads: dict[str, set[tuple[str, ...]]] = {}
        """What the expressions of each task read, by its pointer."""

    def compiled(
        self,
        pointer: str,
        text: str,
        names: tuple[str, ...],
        known: Mapping[str, Shape] = _NOTHING,
        *,
        output: bool = False,
    ) -> Expression | None:
        """
        Return the expression *text* at *pointer* compiled, or None after saying what is wrong with it.

        *known* are the shapes of variables that it alone has; *output* says whether there is one already.
        """
        try:
            expression = compile_expression(text, self._language, tuple(sorted(names)))
        except ExpressionRefused as error:
            self.refused = True
            remedy = self._remedy(error, names)
            self._notes.add_within(pointer, error.code, error.detail, remedy, text=text, offset=error.offset)
            return None
        task, at = self._around(pointer)
        self.reads.setdefault(task, set()).update(expression.paths)
        scope = _UNKNOWN if pointer.startswith("/use/") else self._scopes.get(task, _UNKNOWN)
        if known and self._language == "cel":
            scope = replace(scope, variables={**scope.variables, **known})
        typed: dict[str, str] = {}
        for path in expression.paths:
            shape = self._path(pointer, text, path, scope, at, output=output)
            if shape is None:
                return expression
            typed[written(path)] = shape.type
        return self._typed(pointer, text, names, typed) or expression

    def _around(self, pointer: str) -> tuple[str, str]:
        """Return the pointer of the task around *pointer*, and the rest."""
        task = pointer
        while task and task not in self._scopes:
            task = task.rpartition("/")[0]
        return task, pointer[len(task) :]

    def _remedy(self, error: ExpressionRefused, names: tuple[str, ...]) -> str:
        if error.code == "expression.unknown_name" and (unknown := _QUOTED.match(error.remedy)):
            hint = did_you_mean(unknown[1].partition(".")[0], (*VARIABLES, *names))
            return hint if hint.startswith("Did") else error.remedy
        return error.remedy

    def _path(
        self, pointer: str, text: str, path: tuple[str, ...], scope: Scope, at: str, *, output: bool
    ) -> Shape | None:
        """Return the shape of a field, or None after saying that there is none."""
        place = max(text.find(written(path)), 0)
        if path[0] == "output" and not output:
            message, remedy = "There is no output yet.", "Use input, or read it in output.as or export.as."
            self._notes.add_within(pointer, "expression.no_output", message, remedy, text=text, offset=place)
            return None
        here = scope.root(path[0], at)
        for depth, part in enumerate(path[1:], 1):
            found = here.get(part)
            if found is None:
                whose = _WHOSE.get(path[0], written(path[:1]))
                wrong = written(path[1 : depth + 1])
                remedy = did_you_mean(part, here.names()) if here.names() else _NO_FIELDS.get(here.type, "")
                message = f"{whose} has no field {wrong!r}."
                self._notes.add_within(pointer, "expression.unknown_field", message, remedy, text=text, offset=place)
                return None
            here = found
        return here

    def _typed(self, pointer: str, text: str, names: tuple[str, ...], types: Mapping[str, str]) -> Expression | None:
        """Return the expression compiled anew with the types that are known of what it reads; None for nothing new."""
        known = {path: type_ for path, type_ in types.items() if type_ in SIMPLE}
        if self._language != "cel" or not known:
            return None
        try:
            return typed_cel(text, tuple(sorted(names)), known)
        except ExpressionRefused as error:
            if not any(word in error.detail for word in _LENIENT):
                remedy = "See what types the fields have, and convert with string() or int()."
                detail = error.detail
                self._notes.add_within(pointer, "expression.type", detail, remedy, text=text, offset=error.offset)
            return None

    def condition(
        self, pointer: str, text: str | None, names: tuple[str, ...], known: Mapping[str, Shape] = _NOTHING
    ) -> None:
        """Check a condition; it may stand with or without ``${ }``, as in the specification's examples."""
        if text is None:
            return
        expression = self.compiled(pointer, unwrap(text) or text, names, known)
        if expression is not None and expression.type not in {"BOOL", "DYN"}:
            message = f"A condition must be true or false, but this is {expression.type}."
            self._notes.add(pointer, "expression.not_a_condition", message, "Compare it with something.")

    def value(self, pointer: str, value: Json, names: tuple[str, ...], *, output: bool = False) -> dict[str, str]:
        """Check all expressions in *value*; return the type of each by its pointer."""
        found: dict[str, str] = {}
        for inner, text in embedded(value, pointer):
            expression = self.compiled(inner, text, names, output=output)
            found[inner] = "DYN" if expression is None else expression.type
        return found

    def event_data(self, pointer: str, data: Json, type_: str) -> None:
        """Tell fields in *data* that look like slips for those of an event of this type; authors may add their own."""
        fields = data_of(type_).fields
        if not isinstance(data, dict) or fields is None:
            return
        for name in sorted(set(data) - set(fields)):
            if close(name, fields):
                message = f"An event of the type {type_!r} has no field {name!r}."
                place = f"{pointer}/{escape(name)}"
                self._notes.add(place, "event.unknown_field", message, did_you_mean(name, fields), key=True)

    def types(self, pointer: str, task: model.CallTask, names: tuple[str, ...]) -> Mapping[str, str]:
        """Check the arguments of a call; return the type of each expression by its pointer."""
        return self.value(f"{pointer}/with", task.with_, names)

    def transform(
        self,
        pointer: str,
        input: parts.Input | None,
        output: parts.Output | None,
        export: parts.Output | None,
        names: tuple[str, ...],
    ) -> None:
        """Check what changes input, output and context."""
        if input is not None:
            self.value(f"{pointer}/input/from", input.from_, names)
        for field, it in (("output", output), ("export", export)):
            if it is not None:
                self.value(f"{pointer}/{field}/as", it.as_, names, output=True)
        for field, part in (("input", input), ("output", output), ("export", export)):
            if part is not None and part.schema_ is not None:
                self._schema(f"{pointer}/{field}/schema", part.schema_)
        if export is not None and export.schema_ is not None and export.as_ is None:
            message, remedy = "Without as nothing is exported.", "Add as, or remove the schema."
            self._notes.add(f"{pointer}/export/schema", "schema.no_export", message, remedy, key=True)

    def _schema(self, pointer: str, schema: parts.EdgeSchema) -> None:
        """Check a schema itself."""
        if schema.resource is not None:
            message, remedy = "A schema elsewhere is not supported.", "Write it here, under document."
            self._notes.add(f"{pointer}/resource", "unsupported.schema", message, remedy, key=True)
        elif "document" not in schema.model_fields_set:
            message, remedy = "There is no schema here.", "Write it under document."
            self._notes.add(pointer, "schema.missing", message, remedy, key=True)
        else:
            for at, message, remedy in wrong(schema.document, f"{pointer}/document"):
                self._notes.add(at, "schema.invalid", message, remedy)


def written(path: tuple[str, ...]) -> str:
    """Return a path as it is written in an expression."""
    return ".".join(path).replace(".[", "[")

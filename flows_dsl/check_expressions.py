"""Checks expressions: that they compile, what type they have, and which fields of the order they read."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from flows_dsl import model, parts
from flows_dsl.expression import Expression, ExpressionRefused
from flows_dsl.expressions import Language, embedded, unwrap
from flows_dsl.expressions import compile as compile_expression
from flows_dsl.findings import did_you_mean
from flows_dsl.notes import Notes
from orderloom.domain.model import Json

ANYWHERE = ("context", "input", "order", "task", "workflow")
"""Variables that every expression may read; ``output`` exists only where an output becomes something."""

RESERVED = frozenset((*ANYWHERE, "data", "event", "output", "runtime", "secrets", "true", "false", "null", "in"))
"""Names that no variable of an author may have."""


class ExpressionCheck:
    """Checks the expressions of one document."""

    def __init__(self, notes: Notes, language: Language, header: type[BaseModel] | None) -> None:
        self._notes = notes
        self._language: Language = language
        self._header = header

    def compiled(self, pointer: str, text: str, names: tuple[str, ...], *, output: bool = False) -> Expression | None:
        """Return the expression *text* at *pointer* compiled, or None after saying what is wrong with it."""
        try:
            expression = compile_expression(text, self._language, tuple(sorted(names)))
        except ExpressionRefused as error:
            self._notes.add_within(pointer, error.code, error.detail, error.remedy, text=text, offset=error.offset)
            return None
        for path in expression.paths:
            self._path(pointer, text, path, output=output)
        return expression

    def _path(self, pointer: str, text: str, path: tuple[str, ...], *, output: bool) -> None:
        at = max(text.find(".".join(path)), 0)
        if path[0] == "output" and not output:
            message, remedy = "There is no output yet.", "Use input, or read it in output.as or export.as."
            self._notes.add_within(pointer, "expression.no_output", message, remedy, text=text, offset=at)
        if path[0] == "order" and self._header is not None:
            holder: type[BaseModel] | None = self._header
            for depth, field in enumerate(path[1:], 1):
                if holder is None:
                    return
                if field not in holder.model_fields:
                    message = f"The order's header has no field {'.'.join(path[1 : depth + 1])!r}."
                    remedy = did_you_mean(field, holder.model_fields)
                    self._notes.add_within(pointer, "expression.unknown_field", message, remedy, text=text, offset=at)
                    return
                holder = _model(holder.model_fields[field].annotation)

    def condition(self, pointer: str, text: str | None, names: tuple[str, ...]) -> None:
        """Check a condition; it may stand with or without ``${ }``, as in the specification's examples."""
        if text is None:
            return
        expression = self.compiled(pointer, unwrap(text) or text, names)
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
                message = f"{field}.schema is not supported."
                remedy = "Actions check their own input and output."
                self._notes.add(f"{pointer}/{field}/schema", "unsupported.schema", message, remedy, key=True)


def _model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None

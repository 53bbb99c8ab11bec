"""Collects findings while a document is checked, and gives each its place."""

from dataclasses import dataclass

from flows_dsl.findings import Finding, Position
from flows_dsl.yaml_reader import Source


@dataclass(frozen=True, slots=True)
class Note:
    """A finding without its place; ``key`` points at the field's name instead of its value."""

    pointer: str
    code: str
    message: str
    remedy: str
    key: bool = False


class Notes:
    """The findings of one document."""

    def __init__(self, source: Source | None) -> None:
        self._source = source
        self._found: list[Finding] = []

    def add(self, pointer: str, code: str, message: str, remedy: str, *, key: bool = False) -> None:
        """Add a finding about the node at *pointer*."""
        at = self._source.at(pointer, key=key) if self._source else Position(line=1, column=1)
        self._append(pointer, code, message, remedy, at)

    def add_within(self, pointer: str, code: str, message: str, remedy: str, *, text: str, offset: int) -> None:
        """Add a finding about the character at *offset* of *text*, which stands in the string at *pointer*."""
        at = self._source.within(pointer, text, offset) if self._source else Position(line=1, column=1)
        self._append(pointer, code, message, remedy, at)

    def _append(self, pointer: str, code: str, message: str, remedy: str, at: Position) -> None:
        finding = Finding(code=code, message=message, remedy=remedy, pointer=pointer, line=at.line, column=at.column)
        if finding not in self._found:
            self._found.append(finding)

    def sorted(self) -> list[Finding]:
        """Return all findings by line and column."""
        return sorted(self._found, key=lambda it: (it.line, it.column, it.code))

"""Where the parts of a case file stand, also those that are written the short way."""

from collections.abc import Sequence
from typing import Any, cast

from flows_dsl.findings import Finding, Position, escape
from flows_dsl.yaml_reader import Source
from orderloom.domain.model import Json

type Location = Sequence[str | int]


class Places:
    """A file as it was written, and where its nodes stand."""

    def __init__(self, value: Json, source: Source) -> None:
        """Take what was read from the file."""
        self._value = value
        self._source = source
        self.findings: list[Finding] = []

    def at(self, location: Location, *, key: bool = False) -> Position:
        """Return the place of the node at *location*, of its key if wanted, or of the nearest node around it."""
        return self._source.at(self.pointer(location), key=key)

    def add(self, location: Location, code: str, message: str, remedy: str, *, key: bool = False) -> None:
        """Add a finding about the node at *location*."""
        at = self.at(location, key=key)
        pointer = self.pointer(location)
        finding = Finding(code=code, message=message, remedy=remedy, pointer=pointer, line=at.line, column=at.column)
        if finding not in self.findings:
            self.findings.append(finding)

    def pointer(self, location: Location) -> str:
        """Return *location* as a JSON pointer into the file; what the short way leaves out is no part of it."""
        here: Any = self._value
        pointer = ""
        for index, part in enumerate(location):
            if isinstance(here, list) and isinstance(part, int) and part < len(cast("list[Any]", here)):
                here = cast("list[Any]", here)[part]
            elif isinstance(here, dict) and part in here:
                here = cast("dict[Any, Any]", here)[part]
            elif index < len(location) - 1 or not isinstance(here, dict):
                continue
            pointer += f"/{escape(part)}"
        return pointer

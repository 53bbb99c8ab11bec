"""Reads the part of YAML that flows need, keeping where everything stands: no tags, anchors, aliases or merges."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from flows_dsl.findings import Finding, Position, escape
from orderloom.domain.model import Json

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64

_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)")
_NUMBER = re.compile(r"[-+]?(\.\d+|(0|[1-9]\d*)(\.\d*)?)([eE][-+]?\d+)?")
_HALF = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Json] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


@dataclass
class Source:
    """Where the nodes of a document stand, by JSON pointer."""

    text: str
    values: dict[str, Position] = field(default_factory=dict[str, Position])
    keys: dict[str, Position] = field(default_factory=dict[str, Position])

    def at(self, pointer: str, *, key: bool = False) -> Position:
        """Return the place of the node at *pointer*, of its key if wanted, or of the nearest node around it."""
        while pointer:
            if key and pointer in self.keys:
                return self.keys[pointer]
            if pointer in self.values:
                return self.values[pointer]
            pointer = pointer.rpartition("/")[0]
            key = True
        return self.values.get("", Position(line=1, column=1))

    def within(self, pointer: str, fragment: str, offset: int) -> Position:
        """Return the place of a character of *fragment*, which stands in the string at *pointer*."""
        begin = self.at(pointer)
        starts = [0]
        for line in self.text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        found = self.text.find(fragment, starts[begin.line - 1] + begin.column - 1)
        if found < 0:
            return begin
        line = bisect_right(starts, found + offset)
        return Position(line=line, column=found + offset - starts[line - 1] + 1)


class YamlRefused(Exception):
    """The text cannot be read at all; ``finding`` says where and why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def read(text: str) -> tuple[Json, Source, list[Finding]]:
    """
    Return the one document in *text* as plain JSON, where its nodes stand, and what is wrong with single nodes.

    Raises:
        YamlRefused: it is too big or too deep, no YAML, or uses what could hide its real size.
    """
    if (bytes_ := len(text.encode(errors="replace"))) > MAX_BYTES:
        detail = f"The document has {bytes_} bytes; at most {MAX_BYTES} are allowed."
        raise YamlRefused(Finding(code="yaml.too_large", message=detail, remedy="Split the flow."))
    reader = _Reader(text)
    try:
        return reader.document(), reader.source, reader.findings
    except MarkedYAMLError as marked:
        error: Any = marked
        mark: Any = error.problem_mark or error.context_mark
        raise YamlRefused(
            Finding(
                code="yaml.syntax",
                message=f"This is no valid YAML: {error.problem or error.context}.",
                remedy="Check the indentation and the quotes around here.",
                line=mark.line + 1 if mark else 1,
                column=mark.column + 1 if mark else 1,
            )
        ) from None
    except (YAMLError, ValueError) as other:  # a ValueError is of an escape that stands for no character
        message = f"This is no valid YAML: {str(other).splitlines()[0]}."
        raise YamlRefused(Finding(code="yaml.syntax", message=message, remedy="Use printable UTF-8 text.")) from None


class _Reader:
    def __init__(self, text: str) -> None:
        self.source = Source(text)
        self.findings: list[Finding] = []
        self._events: Iterator[Any] = iter(YAML(typ="safe", pure=True).parse(text))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]

    def document(self) -> Json:
        value: Json = None
        documents = 0
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refusal(
                        event, "yaml.documents", "There is more than one document.", "Use one file each."
                    )
                value = self._node(next(self._events), "", 0)
        return value

    def _node(self, event: Any, pointer: str, depth: int) -> Json:
        if isinstance(event, AliasEvent) or event.anchor is not None:
            raise self._refusal(event, "yaml.alias", "Anchors and aliases are not allowed.", "Write the value out.")
        if event.ctag is not None:
            raise self._refusal(event, "yaml.tag", f"The tag {event.ctag} is not allowed.", "Write a plain value.")
        if depth > MAX_DEPTH:
            message = f"The document is nested deeper than {MAX_DEPTH}."
            raise self._refusal(event, "yaml.too_deep", message, "Flatten it.")
        self.source.values[pointer] = _position(event)
        if isinstance(event, ScalarEvent):
            self._whole(event)
        match event:
            case MappingStartEvent():
                return self._mapping(pointer, depth)
            case SequenceStartEvent():
                return self._sequence(pointer, depth)
            case _:
                return _scalar(event)

    def _whole(self, event: Any) -> None:
        """Make characters whole that JSON writes as two escapes; refuse half ones, which no encoding can hold."""
        if _HALF.search(event.value):
            try:
                event.value = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                message, remedy = "Half of a character stands here.", "Use printable UTF-8 text."
                raise self._refusal(event, "yaml.syntax", message, remedy) from None

    def _mapping(self, pointer: str, depth: int) -> Json:
        found: dict[str, Json] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            if not isinstance(event, ScalarEvent):
                raise self._refusal(event, "yaml.key", "A key must be plain text.", "Write the key as text.")
            self._node(event, f"{pointer}/", depth + 1)
            key = str(cast("Any", event).value)
            inner = f"{pointer}/{escape(key)}"
            if key in found:
                self.findings.append(
                    self._finding(event, "yaml.duplicate", f"{key!r} stands here twice.", "Keep one of them.", inner)
                )
            self.source.keys[inner] = _position(event)
            found[key] = self._node(next(self._events), inner, depth + 1)
        self.source.values.pop(f"{pointer}/", None)
        return found

    def _sequence(self, pointer: str, depth: int) -> Json:
        found: list[Json] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            found.append(self._node(event, f"{pointer}/{len(found)}", depth + 1))
        return found

    def _refusal(self, event: Any, code: str, message: str, remedy: str) -> YamlRefused:
        return YamlRefused(self._finding(event, code, message, remedy))

    def _finding(self, event: Any, code: str, message: str, remedy: str, pointer: str = "") -> Finding:
        at = _position(event)
        return Finding(code=code, message=message, remedy=remedy, pointer=pointer, line=at.line, column=at.column)


def _position(event: Any) -> Position:
    return Position(line=event.start_mark.line + 1, column=event.start_mark.column + 1)


def _scalar(event: Any) -> Json:
    text = str(event.value)
    if event.style is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) < 20:
        return int(text)
    if _NUMBER.fullmatch(text) and not _INTEGER.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text

"""Reads scenario files: YAML to plain values with decimals kept exact, and the place in the file of each of them."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from io import StringIO
from pathlib import Path
from typing import Any, Protocol, cast

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from orderloom.domain.errors import OrderloomError

type Plain = str | int | bool | Decimal | list["Plain"] | dict[str, "Plain"] | None
"""What a scenario file holds: decimals stay decimals."""

type Path_ = tuple[str | int, ...]
"""Keys and indexes from the document's root."""

_MERGE = "tag:yaml.org,2002:merge"


class _Mark(Protocol):
    line: int
    column: int


class _Node(Protocol):
    """A node of ruamel's, as far as it is used here: the library carries no types."""

    id: str
    tag: object
    value: Any
    start_mark: _Mark


class ScenarioInvalid(OrderloomError):
    """The scenario file is not valid.

    Correct the places that are named; docs/reference/scenario.md lists every key.
    """

    code = "scenario.invalid"
    status = 422


class Source:
    """A parsed file: ``value`` is its content, ``place`` tells where a part of it stands."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self._places: dict[Path_, tuple[int, int]] = {}
        try:
            root = cast("_Node | None", YAML(typ="safe", pure=True).compose(StringIO(text)))  # pyright: ignore[reportUnknownMemberType]
        except MarkedYAMLError as error:
            mark = cast("_Mark | None", error.problem_mark)  # pyright: ignore[reportUnknownMemberType]
            where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
            raise ScenarioInvalid(f"{where}: {cast('Any', error).problem or 'no valid YAML'}") from None
        self.value: Plain = self._plain(root, ()) if root is not None else None

    @classmethod
    def read(cls, path: Path) -> "Source":
        """Read *path*. Raises ScenarioInvalid when it cannot be read or is no YAML."""
        try:
            return cls(str(path), path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ScenarioInvalid(f"{path}: {error}") from None

    def place(self, path: Sequence[str | int]) -> str:
        """Return ``file:line:column`` of *path*, or of the nearest enclosing part that the file holds."""
        known: Path_ = ()
        for part in path:
            if (*known, part) in self._places:
                known = (*known, part)
        line, column = self._places.get(known, (1, 1))
        return f"{self.name}:{line}:{column}"

    def model[M: BaseModel](self, model: type[M]) -> M:
        """Return the content as *model*. Raises ScenarioInvalid with one line per problem."""
        try:
            return model.model_validate(self.value)
        except ValidationError as error:
            lines = [self._problem(problem) for problem in error.errors(include_url=False)]
            raise ScenarioInvalid("\n".join(dict.fromkeys(lines))) from None

    def _problem(self, problem: Any) -> str:
        context: dict[str, Any] = problem.get("ctx") or {}
        path = (*problem["loc"], context["key"]) if "key" in context else tuple(problem["loc"])
        message = str(problem["msg"]).removeprefix("Value error, ")
        return f"{self.place(path)}: {_dotted(path)}: {message}"

    def _plain(self, node: _Node, path: Path_) -> Plain:
        self._places.setdefault(path, _at(node))
        if node.id == "mapping":
            return self._mapping(node, path)
        if node.id == "sequence":
            items = cast("list[_Node]", node.value)
            return [self._plain(item, (*path, index)) for index, item in enumerate(items)]
        return _scalar(str(node.tag), str(node.value))

    def _mapping(self, node: _Node, path: Path_) -> dict[str, Plain]:
        own: dict[str, Plain] = {}
        merged: dict[str, Plain] = {}
        for key, value in cast("list[tuple[_Node, _Node]]", node.value):
            if str(key.tag) == _MERGE:
                for source in cast("list[_Node]", value.value) if value.id == "sequence" else [value]:
                    inherited = self._plain(source, path)
                    merged = {**(inherited if isinstance(inherited, dict) else {}), **merged}
                continue
            name = str(key.value)
            line, column = _at(key)
            if name in own:
                raise ScenarioInvalid(f"{self.name}:{line}:{column}: {name!r} is given twice")
            self._places[(*path, name)] = (line, column)
            own[name] = self._plain(value, (*path, name))
        return {**merged, **own}


def _at(node: _Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(tag: str, text: str) -> Plain:
    """Return what the scalar stands for; dates stay text, and 93.50 stays exactly that."""
    kind = tag.rsplit(":", 1)[-1]
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in {"true", "yes", "on"}
    if kind == "int":
        return int(text.replace("_", ""), 0) if text.lstrip("+-")[:2] in {"0x", "0o"} else int(text.replace("_", ""))
    if kind == "float":
        try:
            return Decimal(text.replace("_", ""))
        except InvalidOperation:
            return text
    return text


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path) or "document"

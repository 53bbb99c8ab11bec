"""Documents whose every part knows which line of which file it was written at, so that parts may be put together."""

from collections.abc import Iterator
from dataclasses import dataclass

from flows_dsl.findings import Position, escape
from flows_dsl.yaml_reader import Source, read
from orderloom.domain.model import Frozen, Json, JsonObject


class Origin(Frozen):
    """Where something was written."""

    file: str
    line: int
    column: int
    layer: str | None = None
    """Label of the layer; None for the flow itself."""

    def __str__(self) -> str:
        """Return it as one word for people."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(slots=True, eq=False)
class Piece:
    """A part of a document; ``value`` holds pieces again where it is an object or a list."""

    value: "dict[str, Piece] | list[Piece] | str | int | float | bool | None"
    origin: Origin

    def get(self, key: str) -> "Piece | None":
        """Return the part under *key*, if this is an object that has it."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def items(self) -> "list[Piece]":
        """Return the parts of a list; nothing for anything else."""
        return self.value if isinstance(self.value, list) else []


def locate(text: str, file: str, layer: str | None = None) -> Piece:
    """
    Return the document in *text*, part by part.

    Raises:
        YamlRefused: it cannot be read.
    """
    value, source, _ = read(text)
    return _located(value, "", source, file, layer)


def _located(value: Json, pointer: str, source: Source, file: str, layer: str | None) -> Piece:
    at: Position = source.at(pointer, key=pointer in source.keys)
    origin = Origin(file=file, line=at.line, column=at.column, layer=layer)
    if isinstance(value, dict):
        inner = {key: _located(each, f"{pointer}/{escape(key)}", source, file, layer) for key, each in value.items()}
        return Piece(inner, origin)
    if isinstance(value, list):
        return Piece([_located(each, f"{pointer}/{at}", source, file, layer) for at, each in enumerate(value)], origin)
    return Piece(value, origin)


def plain(piece: Piece) -> Json:
    """Return the document without its places."""
    if isinstance(piece.value, dict):
        return {key: plain(inner) for key, inner in piece.value.items()}
    if isinstance(piece.value, list):
        return [plain(inner) for inner in piece.value]
    return piece.value


def plain_object(piece: Piece) -> JsonObject:
    """Return an object without its places; an empty one for anything else."""
    value = plain(piece)
    return value if isinstance(value, dict) else {}


def leaves(piece: Piece, pointer: str = "") -> Iterator[tuple[str, Json, Origin]]:
    """Yield pointer, value and origin of every part that holds no others, in the order of the document."""
    if isinstance(piece.value, dict) and piece.value:
        for key, inner in piece.value.items():
            yield from leaves(inner, f"{pointer}/{escape(key)}")
    elif isinstance(piece.value, list) and piece.value:
        for at, inner in enumerate(piece.value):
            yield from leaves(inner, f"{pointer}/{at}")
    else:
        yield pointer, plain(piece), piece.origin


def origin_at(piece: Piece, pointer: str) -> Origin:
    """Return where the part at *pointer*, or the nearest part around it, was written."""
    here = piece
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        inner = here.get(name)
        if inner is None and name.isdigit() and int(name) < len(here.items()):
            inner = here.items()[int(name)]
        if inner is None:
            break
        here = inner
    return here.origin

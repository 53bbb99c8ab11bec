"""
Layers: changes of flows by the names of their tasks, for all channels, a brand, or one channel.

A layer replaces, removes and inserts tasks. It never counts positions, so it holds when the flow below is changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError, model_validator

from flows_dsl.findings import Finding, did_you_mean, escape
from flows_dsl.located import Origin, Piece, locate, origin_at, plain
from flows_dsl.model import Label, Name, Version
from flows_dsl.parts import Node
from flows_dsl.resolved import digest
from orderloom.contracts.flows import Written
from orderloom.domain.model import JsonObject

SCOPES = ("global", "brand", "channel")
"""In the order in which layers are applied: the later one wins."""

_TaskName = Annotated[str, Field(min_length=1, max_length=400)]
"""The name of a task, or with the names of those around it: ``outer/inner``."""

type NewTask = Annotated[dict[Name, JsonObject], Field(min_length=1, max_length=1)]


class LayerHead(Node):
    """What the layer is, and whose flows it changes."""

    name: Label
    version: Version
    scope: Literal["global", "brand", "channel"]
    of: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """The brand or channel."""
    title: str | None = None

    @model_validator(mode="after")
    def _names_whose(self) -> "LayerHead":
        if (self.of is None) != (self.scope == "global"):
            raise ValueError("a layer of a brand or channel names it under of, a global one does not")
        return self


class Insertion(Node):
    """Tasks to insert before or after another one."""

    before: _TaskName | None = None
    after: _TaskName | None = None
    tasks: Annotated[list[NewTask], Field(min_length=1, max_length=50)]

    @model_validator(mode="after")
    def _one_side(self) -> "Insertion":
        if (self.before is None) == (self.after is None):
            raise ValueError("an insertion has either before or after")
        return self


class Changes(Node):
    """What becomes of one flow."""

    replace: dict[_TaskName, JsonObject] = {}
    remove: list[_TaskName] = []
    insert: list[Insertion] = []


class Layer(Node):
    """A layer, as its author wrote it."""

    layer: LayerHead
    flows: Annotated[dict[Label, Changes], Field(min_length=1)]


@dataclass(frozen=True)
class LoadedLayer:
    """A layer, where its parts stand, and what is wrong with its shape."""

    layer: Layer | None
    piece: Piece
    findings: tuple[Finding, ...] = ()

    @property
    def label(self) -> str:
        """Return its name and version."""
        return "" if self.layer is None else f"{self.layer.layer.name}:{self.layer.layer.version}"


def load_layer(text: str, file: str) -> LoadedLayer:
    """
    Read a layer, and tell what is wrong with its shape.

    Raises:
        YamlRefused: the text cannot be read.
    """
    piece = locate(text, file)
    try:
        layer = Layer.model_validate(plain(piece))
    except ValidationError as error:
        found = (_shape(piece, each["type"], each["loc"], each["msg"]) for each in error.errors(include_url=False))
        return LoadedLayer(None, piece, tuple(found))
    return LoadedLayer(layer, locate(text, file, f"{layer.layer.name}:{layer.layer.version}"))


def _shape(piece: Piece, kind: str, location: Sequence[str | int], why: str) -> Finding:
    pointer = "".join(f"/{escape(part)}" for part in location)
    at = origin_at(piece, pointer)
    name = str(location[-1]) if location else ""
    if kind == "extra_forbidden":
        message, remedy = f"{name!r} is unknown here.", did_you_mean(name, _fields(location))
    else:
        message, remedy = f"The value of {name or 'the document'!r} is not valid.", f"{why}."
    return Finding(code="layer.shape", message=message, remedy=remedy, pointer=pointer, line=at.line, column=at.column)


def _fields(location: Sequence[str | int]) -> list[str]:
    models: dict[str, type[BaseModel]] = {"layer": LayerHead, "insert": Insertion, "flows": Changes}
    around = [str(part) for part in location[:-1]]
    found = next((models[part] for part in reversed(around) if part in models), Layer)
    return list(found.model_fields)


@dataclass(eq=False)
class _Place:
    """A task in a flow: the list that holds it, its item there, and the names on the way to it."""

    list: Piece
    item: Piece
    names: tuple[str, ...]

    @property
    def path(self) -> str:
        return "/".join(self.names)


def places(flow: Piece) -> list[_Place]:
    """Return all tasks of a flow, each before those inside it."""
    tasks = flow.get("do")
    return [] if tasks is None else list(_places(tasks, ()))


def _places(tasks: Piece, names: tuple[str, ...]) -> Iterator[_Place]:
    for item in tasks.items():
        for name, task in item.value.items() if isinstance(item.value, dict) else ():
            here = (*names, name)
            yield _Place(tasks, item, here)
            for inner in inner_lists(task):
                yield from _places(inner, here)


def inner_lists(task: Piece) -> list[Piece]:
    """Return the lists of tasks inside a task."""
    paths = (("do",), ("try",), ("catch", "do"), ("fork", "branches"), ("foreach", "do"))
    found: list[Piece] = []
    for path in paths:
        here: Piece | None = task
        for part in path:
            here = None if here is None else here.get(part)
        if here is not None and isinstance(here.value, list):
            found.append(here)
    return found


@dataclass
class Layered:
    """A flow on its way through the layers."""

    flow: Piece
    applied: list[LoadedLayer] = field(default_factory=list[LoadedLayer])
    removed: dict[str, Origin] = field(default_factory=dict[str, Origin])
    """What an earlier layer took away, and where it says so."""

    def apply(self, loaded: LoadedLayer, name: str) -> list[Finding]:
        """Apply what *loaded* says of the flow *name*, and return what is wrong with that. Then nothing is changed."""
        assert loaded.layer is not None
        if (changes := loaded.layer.flows.get(name)) is None:
            return []
        return _Application(self, loaded, name, changes).run()


class _Application:
    def __init__(self, layered: Layered, loaded: LoadedLayer, name: str, changes: Changes) -> None:
        self._layered = layered
        self._loaded = loaded
        self._changes = changes
        self._base = f"/flows/{escape(name)}"
        self._places = places(layered.flow)
        self._findings: list[Finding] = []

    def run(self) -> list[Finding]:
        changes = self._changes
        replaced = {name: self._find(name, f"/replace/{escape(name)}") for name in changes.replace}
        removed = [(name, self._find(name, f"/remove/{at}")) for at, name in enumerate(changes.remove)]
        anchors = [self._anchor(at, each) for at, each in enumerate(changes.insert)]
        self._conflicts(replaced, removed, anchors)
        if self._findings:
            return self._findings
        for name, place in replaced.items():
            self._replace(place, f"/replace/{escape(name)}")
        done: dict[tuple[int, bool], Piece] = {}
        for at, (each, place) in enumerate(zip(changes.insert, anchors, strict=True)):
            self._insert(place, at, each, done)
        for at, (_, place) in enumerate(removed):
            self._remove(place, f"/remove/{at}")
        self._layered.applied.append(self._loaded)
        return []

    def _find(self, name: str, pointer: str) -> "_Place | None":
        wanted = tuple(name.split("/"))
        found = [place for place in self._places if place.names[-len(wanted) :] == wanted]
        exact = [place for place in found if place.names == wanted]
        if len(found) == 1 or len(exact) == 1:
            return (exact or found)[0]
        if found:
            paths = ", ".join(place.path for place in found)
            self._add(pointer, "layer.ambiguous", f"Several tasks are named {name!r}.", f"Say which one: {paths}.")
        elif name in self._layered.removed:
            origin = self._layered.removed[name]
            message = f"The layer {origin.layer} has removed {name!r} at {origin}."
            self._add(pointer, "layer.conflict", message, "Change one of the two layers.")
        else:
            known = [place.path for place in self._places] + [place.names[-1] for place in self._places]
            self._add(pointer, "layer.unknown_task", f"There is no task {name!r}.", did_you_mean(name, set(known)))
        return None

    def _anchor(self, at: int, insertion: Insertion) -> "_Place | None":
        side = "before" if insertion.before is not None else "after"
        return self._find(insertion.before or insertion.after or "", f"/insert/{at}/{side}")

    def _conflicts(
        self,
        replaced: "dict[str, _Place | None]",
        removed: "list[tuple[str, _Place | None]]",
        anchors: "list[_Place | None]",
    ) -> None:
        gone: set[int] = set()
        changed = {id(place.item) for place in replaced.values() if place is not None}
        for at, (name, place) in enumerate(removed):
            if place is None:
                continue
            if id(place.item) in gone | changed:
                message = f"This layer changes {name!r} more than once."
                self._add(f"/remove/{at}", "layer.conflict", message, "Keep one of the changes.")
            gone.add(id(place.item))
        taken = {id(place.list): {other.names[-1] for other in self._places if other.list is place.list}
                 for place in anchors if place is not None}  # fmt: skip
        for at, (insertion, place) in enumerate(zip(self._changes.insert, anchors, strict=True)):
            if place is None:
                continue
            if id(place.item) in gone:
                message = f"This layer removes {place.path!r} and inserts beside it."
                self._add(f"/insert/{at}", "layer.conflict", message, "Insert beside a task that stays, or replace it.")
            for number, name in enumerate(name for task in insertion.tasks for name in task):
                if name in taken[id(place.list)]:
                    message = f"There is a task {name!r} in that list already."
                    self._add(f"/insert/{at}/tasks/{number}", "layer.conflict", message, "Give it another name.")
                taken[id(place.list)].add(name)

    def _replace(self, place: "_Place | None", pointer: str) -> None:
        assert place is not None
        assert isinstance(place.item.value, dict)
        place.item.value = {place.names[-1]: self._piece(pointer)}

    def _insert(
        self, place: "_Place | None", at: int, insertion: Insertion, done: dict[tuple[int, bool], Piece]
    ) -> None:
        """Insert tasks; several insertions at one place stand in the order of the layer."""
        assert place is not None
        assert isinstance(place.list.value, list)
        new = self._piece(f"/insert/{at}/tasks").items()
        before = insertion.before is not None
        mark = place.item if before else done.get((id(place.item), before), place.item)
        index = next(index for index, item in enumerate(place.list.value) if item is mark)
        index = index if before else index + 1
        place.list.value[index:index] = new
        done[id(place.item), before] = new[-1]

    def _remove(self, place: "_Place | None", pointer: str) -> None:
        assert place is not None
        assert isinstance(place.list.value, list)
        place.list.value[:] = [item for item in place.list.value if item is not place.item]
        origin = self._piece(pointer).origin
        self._layered.removed[place.names[-1]] = self._layered.removed[place.path] = origin

    def _piece(self, pointer: str) -> Piece:
        here = self._loaded.piece
        for part in (self._base + pointer).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            found = here.get(name) if isinstance(here.value, dict) else here.items()[int(name)]
            assert found is not None
            here = found
        return here

    def _add(self, pointer: str, code: str, message: str, remedy: str) -> None:
        whole = self._base + pointer
        at = origin_at(self._loaded.piece, whole)
        finding = Finding(code=code, message=message, remedy=remedy, pointer=whole, line=at.line, column=at.column)
        self._findings.append(finding)


def written_layer(loaded: LoadedLayer, text: str, file: str) -> Written:
    """Return a layer as it is kept."""
    assert loaded.layer is not None
    head = loaded.layer.layer
    meaning = digest(plain(loaded.piece))
    return Written(kind="layer", name=head.name, version=head.version, digest=meaning, file=file, text=text)

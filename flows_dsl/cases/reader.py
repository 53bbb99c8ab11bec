"""Reads case files: their shape, and the flow that they are about. Everything that is wrong is told at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from flows_dsl.cases.checking import check_cases
from flows_dsl.cases.model import Case, CaseFile
from flows_dsl.cases.places import Location, Places
from flows_dsl.check import check_loaded
from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.findings import Finding, did_you_mean
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument
from flows_dsl.resolved import Catalog
from flows_dsl.yaml_reader import Source, YamlRefused, read
from orderloom.contracts.actions import CORE_ACTIONS

SUFFIX = ".test.yaml"
"""How the name of a case file ends."""


@dataclass(kw_only=True)
class Book:
    """A case file, as far as it could be understood: with findings it has no cases to run."""

    path: Path
    flow_path: Path
    findings: list[tuple[Path, Finding]] = field(default_factory=list[tuple[Path, Finding]])
    flow: CompiledFlow | None = None
    flow_source: Source | None = None
    file: CaseFile | None = None
    places: Places | None = None

    @property
    def cases(self) -> list[Case]:
        """Return the cases that can be run."""
        return list(self.file.cases) if self.file is not None and not self.findings else []

    def line(self, number: int) -> int:
        """Return the line of case *number*, from 0."""
        return self.places.at(("cases", number)).line if self.places else 1


def flow_beside(path: Path) -> Path:
    """Return the flow's file that the case file *path* stands beside."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".yaml")


def cases_beside(path: Path) -> Path:
    """Return the case file that stands beside the flow's file *path*."""
    return path.with_name(path.stem + SUFFIX)


def read_book(path: Path, catalog: Catalog = CORE_ACTIONS) -> Book:
    """Return the case file *path* and its flow, or what is wrong with them."""
    book = Book(path=path, flow_path=flow_beside(path))
    text = _text(book, path)
    if text is None:
        return book
    _shape(book, text)
    if book.file is not None and book.file.flow is not None:
        book.flow_path = path.parent / book.file.flow
    _flow(book, catalog)
    if book.file is not None and book.flow is not None and book.places is not None:
        check_cases(book.places, book.file, book.flow, catalog)
        _keep(book)
    return book


def _text(book: Book, path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        message = f"The file cannot be read: {error.strerror}."
        remedy = "Check its name and its permissions."
        book.findings.append((path, Finding(code="file.unreadable", message=message, remedy=remedy)))
    except UnicodeDecodeError:
        finding = Finding(code="file.encoding", message="The file is no UTF-8 text.", remedy="Save it as UTF-8.")
        book.findings.append((path, finding))
    return None


def _shape(book: Book, text: str) -> None:
    try:
        value, source, findings = read(text)
    except YamlRefused as refused:
        book.findings.append((book.path, refused.finding))
        return
    book.places = Places(value, source)
    book.places.findings += findings
    try:
        book.file = CaseFile.model_validate(value)
    except ValidationError as error:
        for each in error.errors(include_url=False):
            _wrong(book.places, dict(each))
    _keep(book)


def _keep(book: Book) -> None:
    assert book.places is not None
    found = sorted(book.places.findings, key=lambda it: (it.line, it.column, it.code))
    book.findings = [(path, it) for path, it in book.findings if path != book.path] + [(book.path, it) for it in found]


def _flow(book: Book, catalog: Catalog) -> None:
    text = _text(book, book.flow_path)
    if text is None:
        return
    loaded = load(text)
    flows = _around(book.flow_path.parent)
    found = check_loaded(loaded, catalog, flows=flows)
    book.findings += [(book.flow_path, it) for it in found]
    if loaded.document is not None and not found:
        book.flow, book.flow_source = compile_flow(loaded.document, flows), loaded.source


@lru_cache(maxsize=16)
def _around(directory: Path) -> tuple[FlowDocument, ...]:
    """Return the flows in *directory*, which its flows may run."""
    files = sorted(it for it in directory.glob("*.yaml") if not it.name.endswith(SUFFIX))
    found = [load(it.read_text(encoding="utf-8", errors="replace")).document for it in files]
    return tuple(it for it in found if it is not None)


def _wrong(places: Places, error: Mapping[str, Any]) -> None:
    """Add a finding about one thing that does not have the shape of a case file."""
    location: Location = error["loc"]
    name = str(location[-1]) if location else ""
    match error["type"]:
        case "extra_forbidden":
            remedy = did_you_mean(name, _fields(location[:-1]))
            places.add(location, "cases.unknown_field", f"{name!r} is unknown here.", remedy, key=True)
        case "missing":
            places.add(location, "cases.missing", f"{name!r} is missing.", f"Add {name}.", key=True)
        case _:
            message = f"The value of {name or 'the file'!r} is not valid."
            places.add(location, "cases.value", message, f"{str(error['msg']).rstrip('.')}.")


def _fields(location: Location) -> list[str]:
    """Return the fields that the part at *location* may have."""
    model: type[BaseModel] = CaseFile
    for part in location:
        if isinstance(part, int):
            continue
        info = next((it for name, it in model.model_fields.items() if part == (it.alias or name)), None)
        model = _model_in(info.annotation) or model if info else model
    return [info.alias or name for name, info in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = get_args(annotation)
    return next((found for it in inner if (found := _model_in(it)) is not None), None)

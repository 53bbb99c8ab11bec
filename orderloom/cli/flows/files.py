"""Flows in files, and those that stand beside them."""

from collections.abc import Iterable
from pathlib import Path

from flows_dsl.findings import Finding
from flows_dsl.loader import load
from flows_dsl.model import FlowDocument

SUFFIXES = (".yaml", ".yml", ".json")
CASES = ".test"
"""What the name of a file with cases has before its suffix."""


class Unreadable(Exception):
    """A file cannot be read; *finding* says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


def text_of(file: Path) -> str:
    """
    Return what *file* holds.

    Raises:
        Unreadable: it is not there, or no text.
    """
    try:
        return file.read_bytes().decode()
    except OSError as error:
        message, remedy = f"The file cannot be read: {error.strerror}.", "Check its name and its permissions."
        raise Unreadable(Finding(code="file.unreadable", message=message, remedy=remedy)) from None
    except UnicodeDecodeError:
        message = "The file is no UTF-8 text."
        raise Unreadable(Finding(code="file.encoding", message=message, remedy="Save it as UTF-8.")) from None


def flow_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that *paths* name: of a directory all YAML files in it but cases, at any depth, by name."""
    return [file for path in paths for file in (_inside(path) if path.is_dir() else [path])]


def _inside(directory: Path) -> list[Path]:
    found = (path for path in directory.rglob("*") if path.suffix in SUFFIXES[:2] and not path.stem.endswith(CASES))
    return sorted(path for path in found if path.is_file())


def beside(file: Path) -> list[FlowDocument]:
    """Return the flows that stand in the same directory as *file*, itself among them: what it may run."""
    found: list[FlowDocument] = []
    for path in sorted(file.parent.iterdir()) if file.parent.is_dir() else []:
        if path.is_file() and path.suffix in SUFFIXES and not path.stem.endswith(CASES):
            try:
                document = load(text_of(path)).document
            except Unreadable:
                continue
            found += [document] if document is not None else []
    return found

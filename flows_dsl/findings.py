"""What is wrong with a flow's document: where, which rule, and how to put it right."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Literal

from pydantic import computed_field

from orderloom.domain.errors import FieldProblem, OrderloomError
from orderloom.domain.model import Frozen


class Position(Frozen):
    """A place in a text, counted from 1."""

    line: int
    column: int


WARNINGS = frozenset({"event.unknown", "event.unknown_field", "export.never_read", "set.never_read"})
"""Codes of what is suspicious and keeps nothing from being published. All others are errors."""


class Finding(Frozen):
    """One thing that is wrong. ``code`` is stable; ``remedy`` says what would be right."""

    code: str
    message: str
    remedy: str
    pointer: str = ""
    """JSON pointer into the document."""
    line: int = 1
    column: int = 1

    @computed_field
    @property
    def severity(self) -> Literal["error", "warning"]:
        """Return whether it keeps the flow from being published."""
        return "warning" if self.code in WARNINGS else "error"

    def __str__(self) -> str:
        """Return it as one line for people."""
        kind = "warning " if self.severity == "warning" else ""
        return f"{self.line}:{self.column} {kind}{self.code} {self.message} {self.remedy}".rstrip()


class FlowRefused(OrderloomError):
    """The flow is not valid.

    Correct what is named, line by line; ``orderloom flows check FILE`` shows all of it again.
    """

    code = "flow.refused"
    status = 422

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        super().__init__(
            f"{name}: {len(findings)} finding{'s' if len(findings) != 1 else ''}. {findings[0]}",
            errors=tuple(FieldProblem(pointer=it.pointer, detail=str(it), code=it.code) for it in findings),
        )
        self.findings = tuple(findings)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return those of *findings* that keep a flow from being published."""
    return [it for it in findings if it.severity == "error"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown *word*: the known one that looks most like it, or all of them."""
    names = sorted(known)
    if near := close(word, names):
        return f"Did you mean {near!r}?"
    return f"Known: {', '.join(names)}." if names else "None is declared."


def close(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known word that looks most like *word*; None when none does."""
    return next(iter(get_close_matches(word, sorted(known), n=1, cutoff=cutoff)), None)


def escape(part: str | int) -> str:
    """Return one part of a JSON pointer, escaped."""
    return str(part).replace("~", "~0").replace("/", "~1")

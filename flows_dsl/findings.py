"""What is wrong with a flow's document: where, which rule, and how to put it right."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from orderloom.domain.errors import FieldProblem, OrderloomError
from orderloom.domain.model import Frozen


class Position(Frozen):
    """A place in a text, counted from 1."""

    line: int
    column: int


class Finding(Frozen):
    """One thing that is wrong. ``code`` is stable; ``remedy`` says what would be right."""

    code: str
    message: str
    remedy: str
    pointer: str = ""
    """JSON pointer into the document."""
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        """Return it as one line for people."""
        return f"{self.line}:{self.column} {self.code} {self.message} {self.remedy}".rstrip()


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


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown *word*: the known one that looks most like it, or all of them."""
    names = sorted(known)
    if near := get_close_matches(word, names, n=1, cutoff=0.6):
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(names)}." if names else "None is declared."


def escape(part: str | int) -> str:
    """Return one part of a JSON pointer, escaped."""
    return str(part).replace("~", "~0").replace("/", "~1")

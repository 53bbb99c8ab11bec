"""What both expression languages share: the interface of a compiled expression, its bounds and its errors."""

from collections.abc import Mapping
from typing import Protocol

from flows_dsl.canonical import NotJson, canonical, size
from orderloom.domain.model import Json

MAX_LENGTH = 2_048
"""Characters of one expression."""

MAX_RESULT = 32 * 1024
"""Bytes of what one expression returns, as canonical JSON."""


LONGEST_ESCAPE = 6
"""Bytes that a character takes in JSON at most."""


class ExpressionRefused(Exception):
    """
    An expression that must not run, or cannot be compiled.

    ``offset`` is where in its text, as far as the engine tells; ``remedy`` what would be right.
    """

    def __init__(self, detail: str, *, code: str = "expression.invalid", offset: int = 0, remedy: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.offset = offset
        self.remedy = remedy


class ExpressionFailed(Exception):
    """An expression that has no value for what it was given. Its text is the same in every process."""


class Expression(Protocol):
    """A compiled expression."""

    @property
    def type(self) -> str:
        """Return the type of its value as far as it is known: ``BOOL``, ``INT``, ``STRING``, … or ``DYN``."""
        ...

    @property
    def paths(self) -> tuple[tuple[str, ...], ...]:
        """Return the fields that it reads, each from the variable down, as far as they can be told."""
        ...

    def evaluate(self, scope: Mapping[str, Json], here: Json = None) -> Json:
        """
        Return its value in *scope*; *here* is what jq calls ``.``.

        Raises:
            ExpressionFailed: it has none.
        """
        ...


def bounded(value: object) -> Json:
    """
    Return a result in canonical form.

    Raises:
        ExpressionFailed: JSON cannot hold it, or it is over the cap.
    """
    match value:
        case None | bool():
            return value
        case str() if len(value) < MAX_RESULT // LONGEST_ESCAPE:
            return value
        case _:
            pass
    try:
        result = canonical(value)
    except NotJson as error:
        raise ExpressionFailed(f"the result is not valid: {error}") from None
    if (bytes_ := size(result)) > MAX_RESULT:
        raise ExpressionFailed(f"the result is {bytes_} bytes; at most {MAX_RESULT} are allowed")
    return result


def check_length(text: str) -> None:
    """Refuse an expression that is empty or too long."""
    if not text.strip():
        raise ExpressionRefused("The expression is empty.", remedy="Write an expression between ${ and }.")
    if len(text) > MAX_LENGTH:
        raise ExpressionRefused(
            f"The expression has {len(text)} characters; at most {MAX_LENGTH} are allowed.",
            code="expression.too_long",
            remedy="Split it over several set tasks.",
        )

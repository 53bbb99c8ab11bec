"""Errors that tell what is wrong and how to put it right. Each is a class with a stable code."""

from typing import ClassVar

from orderloom.domain.model import Frozen, Json, JsonObject


class FieldProblem(Frozen):
    """One field that is wrong: where it stands (JSON pointer), why, and what would be right."""

    pointer: str
    detail: str
    code: str


class Problem(Frozen):
    """An error as RFC 9457 problem details; also what a flow's ``catch`` sees."""

    type: str
    """``urn:orderloom:`` followed by the code."""
    title: str
    status: int
    detail: str
    instance: str | None = None
    """JSON pointer of the task, or the path of the request, that it happened at."""
    code: str
    remedy: str
    facts: JsonObject = {}
    errors: tuple[FieldProblem, ...] = ()


class OrderloomError(Exception):
    """
    The root of all errors that Orderloom raises on purpose.

    The first line of a subclass's docstring is its title and the rest its remedy. Facts given to the
    constructor become attributes of the problem: tests and clients read those, never the text.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, detail: str, *, errors: tuple[FieldProblem, ...] = (), **facts: Json) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.facts: JsonObject = dict(facts)

    @classmethod
    def title(cls) -> str:
        """Return the first sentence of the docstring."""
        return (cls.__doc__ or cls.__name__).strip().split("\n", 1)[0].strip()

    @classmethod
    def remedy(cls) -> str:
        """Return what to do about it: the docstring after its first line."""
        _, _, rest = (cls.__doc__ or "").strip().partition("\n")
        return " ".join(rest.split())

    def problem(self, instance: str | None = None) -> Problem:
        """Return the error as problem details."""
        return Problem(
            type=f"urn:orderloom:{self.code}",
            title=self.title(),
            status=self.status,
            detail=self.detail,
            instance=instance,
            code=self.code,
            remedy=self.remedy(),
            facts=self.facts,
            errors=self.errors,
        )


class InvalidInput(OrderloomError):
    """The input is not valid.

    Correct the fields that are named and send it again; nothing was changed.
    """

    code = "input.invalid"
    status = 422


class NotFound(OrderloomError):
    """There is no such thing.

    Check the identifier; the resource may never have existed.
    """

    code = "not_found"
    status = 404

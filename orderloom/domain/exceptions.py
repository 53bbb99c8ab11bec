"""Process exceptions: what is shown of a failed task, and what may be decided about it."""

from typing import Literal

from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.domain.model import Frozen, Json, JsonObject

Decide = Literal["retry", "skip", "goto", "compensate", "resolved"]
"""What a person can decide about a process exception."""

MOST_SHOWN = 50
"""Entries of one array or object that are shown of a task's input."""
DEEPEST_SHOWN = 6
LONGEST_SHOWN = 64
"""Characters of a text that is shown; an id is shorter."""
_ID = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/-+")


class ExceptionUnknown(NotFound):
    """There is no process exception with this id.

    Check the id, such as ``100001-X1``.
    """

    code = "exception.unknown"


class ExceptionClosed(OrderloomError):
    """The process exception is closed.

    Read it again: somebody has decided about it, or the flow that waited was ended by something else. Should a flow
    fail once more, that is a new exception.
    """

    code = "exception.closed"
    status = 409


class NobodyWaits(OrderloomError):
    """No flow waits at the process exception.

    Put right what it tells of, then resolve it; there is no task to retry, skip or go on from, nothing to undo.
    """

    code = "exception.nobody_waits"
    status = 409


class TaskOutOfReach(OrderloomError):
    """The flow cannot go to this task from where it waits.

    Name one of the tasks in the facts: those of the failed task's own list, and of the lists around it.
    """

    code = "exception.task_out_of_reach"
    status = 422


class AlreadyUndoing(OrderloomError):
    """What the flow has done is being undone.

    Retry the compensation that failed, skip it to leave that call as it is, or resolve it to stop here.
    """

    code = "exception.undoing"
    status = 409


class Decision(Frozen):
    """What a person decides about a process exception."""

    exception: str
    kind: Decide
    input: JsonObject | None = None
    output: Json = None
    task: str | None = None


def shown(value: Json, depth: int = 0) -> Json:
    """
    Return *value* as it may be kept and shown: ids, numbers and flags.

    Of a text that is no id only its length is told; long lists, deep and wide objects are cut.
    """
    match value:
        case str():
            return value if len(value) <= LONGEST_SHOWN and _ID.issuperset(value) else f"({len(value)} characters)"
        case list() | dict() if depth == DEEPEST_SHOWN:
            return f"({len(value)} entries)"
        case list():
            more: list[Json] = [f"({len(value) - MOST_SHOWN} more)"] if len(value) > MOST_SHOWN else []
            return [*(shown(each, depth + 1) for each in value[:MOST_SHOWN]), *more]
        case dict():
            names = [name for name in value if len(name) <= LONGEST_SHOWN][:MOST_SHOWN]
            return {name: shown(value[name], depth + 1) for name in names}
        case _:
            return value


CATEGORIES = (
    ("payment", "Payment"),
    ("funds", "Payment"),
    ("refund", "Payment"),
    ("gateway", "Payment"),
    ("invoice", "Invoicing"),
    ("return", "Return"),
    ("approval", "Order Approval"),
    ("order", "Order Activation"),
    ("change", "Fulfillment"),
    ("fulfillment", "Fulfillment"),
    ("capacity", "Fulfillment"),
    ("not_found", "Fulfillment"),
    ("stock", "Fulfillment"),
)
"""Beginning of an error's code, and the category of the process exception that people see."""


def category_of(code: str) -> str:
    """Return the category of the process exception for an error with this code."""
    return next((category for beginning, category in CATEGORIES if code.startswith(beginning)), "Fulfillment")


def has_category(code: str) -> bool:
    """Return whether errors with this code have a category of their own; the others are told under Fulfillment."""
    return code.startswith(tuple(beginning for beginning, _ in CATEGORIES))

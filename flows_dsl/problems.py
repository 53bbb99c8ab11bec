"""The errors that the language itself raises, as problem details that ``catch`` can filter on."""

from flows_dsl.runner import FlowFailure
from orderloom.domain.errors import Problem
from orderloom.domain.model import JsonObject

SPECIFICATION = "https://serverlessworkflow.io/spec/1.0.0/errors/"
"""Where the specification's error types stand."""

OURS = "urn:orderloom:"
"""The prefix of our own error types."""

MAX_RESULT = 16 * 1024
"""Bytes of what a task yields that comes from outside of the flow: an action's result, the events of a listen."""

MAX_CONTEXT = 32 * 1024
"""Bytes of the context."""


class FlowCancelled(Exception):
    """An operator decided that the instance ends where it failed."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"cancelled after {problem.code}: {problem.detail}")
        self.problem = problem


class CompensationAsked(FlowCancelled):
    """An operator decided that the instance ends where it failed, and that all it has done is to be undone."""

    def __init__(self, problem: Problem, exception: str | None) -> None:
        super().__init__(problem)
        self.exception = exception
        """The process exception that this was decided about."""


class FlowUndone(Exception):
    """The instance has ended, and what it had done is undone."""


def expression_failure(detail: str, instance: str | None = None) -> FlowFailure:
    """Return the specification's error for an expression that has no value."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}expression",
            title="An expression could not be evaluated.",
            status=400,
            detail=detail,
            instance=instance,
            code="expression",
            remedy="Correct the expression, or check with has() that what it reads is there.",
        )
    )


def validation_failure(detail: str, instance: str | None = None) -> FlowFailure:
    """Return the specification's error for a value that does not fit its schema; *detail* begins with where in it."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}validation",
            title="A value does not fit its schema.",
            status=400,
            detail=detail,
            instance=instance,
            code="validation",
            remedy="Correct the value, or the schema.",
        )
    )


def configuration_failure(detail: str) -> FlowFailure:
    """Return the specification's error for something outside of the flow that it cannot work with."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}configuration",
            title="What the flow refers to cannot be used.",
            status=400,
            detail=detail,
            code="configuration",
            remedy="Correct what the flow refers to, or the reference.",
        )
    )


def communication_failure(detail: str, status: int = 500) -> FlowFailure:
    """Return the specification's error for a call that did not succeed; *status* is that of the answer, if one came."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}communication",
            title="A call to the outside did not succeed.",
            status=status,
            detail=detail,
            code="communication",
            remedy="See whether the other side works, or catch the error.",
        )
    )


def timeout_failure(instance: str) -> FlowFailure:
    """Return the specification's error for a task that took longer than its author allowed."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}timeout",
            title="The time allowed is over.",
            status=408,
            detail=f"{instance or 'The flow'} did not end within its timeout.",
            instance=instance,
            code="timeout",
            remedy="Catch the error, or allow more time.",
        )
    )


def too_large(what: str, bytes_: int, limit: int, instance: str) -> FlowFailure:
    """Return the error for a value over its cap."""
    return FlowFailure(
        Problem(
            type=f"{OURS}flow.too_large",
            title="A value of a flow is over its cap.",
            status=413,
            detail=f"{what} is {bytes_} bytes; at most {limit} are allowed.",
            instance=instance,
            code="flow.too_large",
            remedy="Keep ids and small facts; select the rest in an action.",
            facts={"bytes": bytes_, "limit": limit},
        )
    )


def too_many(what: str, count: int, limit: int, instance: str) -> FlowFailure:
    """Return the error for a loop with more rounds than are allowed."""
    return FlowFailure(
        Problem(
            type=f"{OURS}flow.too_many",
            title="A loop of a flow is over its cap.",
            status=413,
            detail=f"{what} would have {count} rounds; at most {limit} are allowed.",
            instance=instance,
            code="flow.too_many",
            remedy="Let an action do it in one statement.",
            facts={"count": count, "limit": limit},
        )
    )


def code_of(type: str) -> str:
    """Return the code of an error type: what follows our prefix, else the last segment of its URI."""
    if type.startswith(OURS):
        return type.removeprefix(OURS)
    return type.rstrip("/").replace("#", "/").rsplit("/", 1)[-1] or type


def raised(error: JsonObject, instance: str) -> FlowFailure:
    """Return the error that a ``raise`` task describes; a type that is no URI becomes one of ours."""
    type_, status = error.get("type"), error.get("status")
    if not isinstance(type_, str) or not type_ or isinstance(status, bool) or not isinstance(status, int):
        return expression_failure("An error needs a type (a string) and a status (a whole number).", instance)
    uri = type_ if ":" in type_ else f"{OURS}{type_}"
    title, detail = error.get("title"), error.get("detail")
    return FlowFailure(
        Problem(
            type=uri,
            title=title if isinstance(title, str) else code_of(uri),
            status=status,
            detail=detail if isinstance(detail, str) else "",
            instance=instance,
            code=code_of(uri),
            remedy="See the flow that raised it.",
        )
    )


def as_variable(problem: Problem) -> JsonObject:
    """Return *problem* as the variable that ``catch.as`` names."""
    return problem.model_dump(mode="json", exclude_none=True)

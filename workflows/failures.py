"""Failures as Temporal brings them, turned into problems as flows see them."""

from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError
from temporalio import exceptions
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError

from orderloom.contracts.failing import ActivityFailed, ActivityTimedOut
from orderloom.contracts.messages import Applied
from orderloom.domain.errors import Problem


def root(failure: BaseException) -> BaseException:
    """Return what failed: remote activities wrap it, local ones do not, and flows must not see the difference."""
    while isinstance(failure, ActivityError | ChildWorkflowError) and failure.cause is not None:
        failure = failure.cause
    return failure


def problem_of(failure: FailureError, task: str) -> Problem:
    """Return *failure* as problem details that happened at *task* (JSON pointer)."""
    cause = root(failure)
    if isinstance(cause, ApplicationError) and cause.details and isinstance(cause.details[0], Mapping):
        details = cast("Mapping[str, Any]", cause.details[0])
        try:
            return Problem.model_validate({**details, "instance": task})
        except ValidationError:
            return ActivityFailed(str(cause)).problem(task)
    if isinstance(cause, exceptions.TimeoutError | exceptions.CancelledError):
        return ActivityTimedOut(str(cause)).problem(task)
    return ActivityFailed(f"{getattr(cause, 'type', None) or type(cause).__name__}: {cause}").problem(task)


def applied_of(failure: FailureError) -> Applied | None:
    """Return what was committed although the activity failed: outcomes of money that has moved."""
    cause = root(failure)
    if isinstance(cause, ApplicationError) and len(cause.details) > 1:
        return Applied.model_validate(cause.details[1])
    return None

"""Which errors a ``try`` catches, and when it is tried again."""

from datetime import datetime
from typing import cast

from flows_dsl.canonical import canonical
from flows_dsl.compiled import Try
from flows_dsl.problems import as_variable
from flows_dsl.retries import delay_before, jitter_of
from flows_dsl.turn import Turn
from orderloom.domain.errors import Problem


def catches(turn: Turn, problem: Problem) -> bool:
    """
    Return whether the ``try`` at *turn* catches *problem*.

    Raises:
        FlowFailure: one of its conditions has no value.
    """
    body, active = cast("Try", turn.task.body), turn.active
    variable = as_variable(problem)
    for name, wanted in body.filter:
        if canonical(turn.evaluate(wanted, active.input)) != variable.get(name):
            return False
    named = {body.variable: variable}
    if not turn.holds(body.when, active.input, named):
        return False
    return not turn.holds(body.except_when, active.input, named, default=False)


def retry_at(turn: Turn, problem: Problem) -> datetime | None:
    """
    Return when the ``try`` at *turn* is to be tried again after *problem*, or None when it is not.

    Raises:
        FlowFailure: the policy's condition or delay has no value.
    """
    body, active = cast("Try", turn.task.body), turn.active
    policy, now = body.retry, turn.runner.now()
    if active.failed_at is None:
        active.failed_at = now
    if policy is None or (policy.count is not None and active.attempt >= policy.count):
        return None
    named = {body.variable: as_variable(problem)}
    if not turn.holds(policy.when, active.input, named):
        return None
    if turn.holds(policy.except_when, active.input, named, default=False):
        return None
    first = turn.after(policy.delay, active.input) - now
    attempt = active.attempt + 1
    due = now + delay_before(policy, first, attempt) + jitter_of(policy, turn.step(f"/catch/retry/{attempt}").key)
    if policy.within is not None and due > active.failed_at + policy.within:
        return None
    return due

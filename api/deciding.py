"""Decisions about process exceptions as commands to their orders, and what is known beforehand to be refused."""

from api.intaking import Command
from api.schemas import ResolveException
from flows_dsl.deciding import examine
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.exception_status import TRANSITIONS, ChangeException
from orderloom.domain.exceptions import Decision, ExceptionClosed, NobodyWaits
from orderloom.readmodels.exceptions import ExceptionView

OPERATORS = "operators"
"""The source of what people decide."""


def decision_command(order: str, exception: str, decision: ResolveException, key: str) -> Command:
    """Return the command that brings *decision* to the exception's order."""
    body = {"exception": exception, **decision.model_dump(mode="json", exclude_none=True)}
    return Command(type="exception.resolve.requested", order_id=order, source=OPERATORS, key=key, body=body)


def change_command(order: str, exception: str, wanted: ChangeException, key: str) -> Command:
    """Return the command that brings a change to the exception's order."""
    body = {"exception": exception, **wanted.model_dump(mode="json", exclude_unset=True)}
    return Command(type="exception.change.requested", order_id=order, source=OPERATORS, key=key, body=body)


def refuse_for_flows(exception: str, decision: ResolveException) -> None:
    """
    Refuse what only a flow that waits could do.

    Raises:
        NobodyWaits: the decision is one for a flow.
    """
    if decision.kind != "resolved":
        raise NobodyWaits(f"no flow waits at {exception}", exception=exception)


def foreseen(view: ExceptionView, decision: ResolveException) -> Problem | None:
    """Return why *decision* would be refused now; None: it would be done."""
    try:
        if not TRANSITIONS[view.status]:
            raise ExceptionClosed(f"process exception {view.id} is {view.status}", exception=view.id)
        if view.waiting is None:
            refuse_for_flows(view.id, decision)
        else:
            given = decision.model_dump(exclude={"by", "reason"})
            examine(Decision(exception=view.id, **given), view.waiting.model_dump(), view.task)
    except OrderloomError as error:
        return error.problem()
    return None

"""What people decide and change about process exceptions: as commands, as words, and what will be refused."""

from datetime import datetime

from api.dependencies import ApiDependencies
from api.intaking import Command
from api.schemas import ResolveException
from flows_dsl.deciding import examine
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.exception_status import CHANGEABLE, TRANSITIONS, ChangeException, Tracked, change
from orderloom.domain.exceptions import Decision, ExceptionClosed, NobodyWaits
from orderloom.persistence.exceptions import change_without_order, resolve_without_order
from orderloom.readmodels.exceptions import ExceptionView

OPERATORS = "operators"
"""The source of what people decide."""


type Wanted = ResolveException | ChangeException
"""What is decided about a process exception, or changed of it."""


def command_of(order: str, exception: str, wanted: Wanted, key: str) -> Command:
    """Return the command that brings what is wanted to the exception's order."""
    if isinstance(wanted, ChangeException):
        type, given = "exception.change.requested", wanted.model_dump(mode="json", exclude_unset=True)
    else:
        type, given = "exception.resolve.requested", wanted.model_dump(mode="json", exclude_none=True)
    return Command(type=type, order_id=order, source=OPERATORS, key=key, body={"exception": exception, **given})


async def settle(given: ApiDependencies, exception: str, wanted: Wanted, key: str) -> None:
    """
    Do what is wanted to an exception that belongs to no order, once for its *key*.

    Raises:
        NobodyWaits: the decision is one for a flow.
        ExceptionUnknown, ExceptionClosed, TransitionRefused: what ``persistence.exceptions`` refuses.
    """
    now = given.clock.now()
    if isinstance(wanted, ChangeException):
        await change_without_order(given.engine, exception, wanted, key=key, now=now)
        return
    refuse_for_flows(exception, wanted)
    await resolve_without_order(given.engine, exception, wanted.by or OPERATORS, wanted.reason or "", key, now)


def refuse_for_flows(exception: str, decision: ResolveException) -> None:
    """
    Refuse what only a flow that waits could do.

    Raises:
        NobodyWaits: the decision is one for a flow.
    """
    if decision.kind != "resolved":
        raise NobodyWaits(f"no flow waits at {exception}", exception=exception)


def foreseen(view: ExceptionView, wanted: Wanted, now: datetime) -> tuple[str, Problem | None]:
    """Return what is wanted in words, and why it would be refused now; None: it would be done."""
    if isinstance(wanted, ChangeException):
        return _foreseen_change(view, wanted, now)
    name = "resolve" if wanted.kind == "resolved" else wanted.kind
    does = next(each.does for each in view.allowed_actions if each.action == name)
    return f"the flow goes on at {wanted.task}" if wanted.kind == "goto" else does, _refusal(view, wanted)


def _refusal(view: ExceptionView, decision: ResolveException) -> Problem | None:
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


def _foreseen_change(view: ExceptionView, wanted: ChangeException, now: datetime) -> tuple[str, Problem | None]:
    current = Tracked(
        id=view.id,
        status=view.status,
        owner=view.owner,
        deadline=view.deadline,
        severity=view.severity,
        priority=view.priority,
        awaited=view.waiting is not None,
    )
    try:
        columns = change(now, current, wanted)
    except OrderloomError as error:
        return "nothing", error.problem()
    words = (
        f"{name} {getattr(current, name) or 'none'} → {columns[name] or 'none'}"
        for name in CHANGEABLE
        if name in columns
    )
    return ", ".join(words) or "it is so already", None

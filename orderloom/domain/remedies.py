"""What can be done about a process exception now, what each would do, and what helps against which error."""

from collections.abc import Sequence
from typing import Literal

from orderloom.domain.exception_status import TRANSITIONS, ExceptionStatus
from orderloom.domain.model import Frozen

type ActionName = Literal[
    "retry", "skip", "goto", "compensate", "resolve", "triage", "pause", "ignore", "void", "assign", "unassign"
]
"""What a person can do about a process exception itself."""

type Remedy = Literal["retry", "skip", "goto", "compensate", "resolve", "route again", "reschedule", "change order"]
"""What may help, also elsewhere than at the exception."""


class Situation(Frozen):
    """What of a process exception decides what can be done about it."""

    status: ExceptionStatus
    owner: str | None = None
    waits: bool = False
    """A flow waits at it."""
    undoing: bool = False
    """The flow's calls are being undone, and one of that failed."""
    action: str | None = None
    """The action that failed."""
    task: str | None = None
    """JSON pointer of the task that failed; empty for the flow itself."""
    within: Sequence[str] = ()
    undoable: int = 0
    """How many of the flow's calls can be undone."""
    calls: int = 0


class AllowedAction(Frozen):
    """One action: whether it can be done now, what it would do, and else why not."""

    action: ActionName
    allowed: bool
    does: str
    reason: str | None = None
    """Why it cannot be done now."""


class Suggestion(Frozen):
    """Something that helps against errors of this code, and why."""

    do: Remedy
    why: str


_MOVES: tuple[tuple[ActionName, ExceptionStatus, str], ...] = (
    ("triage", ExceptionStatus.TRIAGED, "somebody has seen it; it stays active"),
    ("pause", ExceptionStatus.PAUSED, "it does not count, and its deadline does not run, until it is triaged again"),
    ("ignore", ExceptionStatus.IGNORED, "it does not count, and the same is not raised again"),
    ("void", ExceptionStatus.VOIDED, "it never was one; final"),
)


def allowed_actions(now: Situation) -> tuple[AllowedAction, ...]:
    """Return every action in a fixed order, each with what it would do, or why it cannot be done now."""
    closed = None if TRANSITIONS[now.status] else f"it is {now.status}"
    decisions = (
        _action("retry", _retry(now), closed, _for_flow(now)),
        _action("skip", "the flow goes on as if the task had returned what you give", closed, _for_flow(now)),
        _action(
            "goto", "the flow goes on at another task: " + ", ".join(now.within), closed, _for_flow(now), _goto(now)
        ),
        _action("compensate", _compensate(now), closed, _for_flow(now), _undoing(now)),
        _action("resolve", _resolve(now), closed),
    )
    moves = (_action(name, does, closed, _move(now, name, to)) for name, to, does in _MOVES)
    unowned = None if now.owner else "nobody has it"
    owning = (
        _action("assign", "somebody sees to it", closed),
        _action("unassign", "nobody in particular sees to it", closed, unowned),
    )
    return (*decisions, *moves, *owning)


def _action(name: ActionName, does: str, *reasons: str | None) -> AllowedAction:
    reason = next((reason for reason in reasons if reason is not None), None)
    return AllowedAction(action=name, allowed=reason is None, does=does, reason=reason)


def _for_flow(now: Situation) -> str | None:
    return None if now.waits else "no flow waits at it"


def _undoing(now: Situation) -> str | None:
    return "what the flow has done is being undone" if now.undoing else None


def _goto(now: Situation) -> str | None:
    return _undoing(now) or (None if now.within else "there is no task to go to")


def _move(now: Situation, name: ActionName, to: ExceptionStatus) -> str | None:
    if now.status is to:
        return f"it is {to} already"
    if to not in TRANSITIONS[now.status]:
        return f"what is {now.status} does not become {to}"
    return "a flow waits at it: decide what the flow does" if name == "void" and now.waits else None


def _retry(now: Situation) -> str:
    what = now.action or "the task"
    if now.undoing:
        return "undoing the call is tried again"
    return f"{what} is tried again, with its input evaluated anew or with yours"


def _compensate(now: Situation) -> str:
    kept = f", {now.calls - now.undoable} stay" if now.calls > now.undoable else ""
    return f"{now.undoable} of the flow's {now.calls} calls are undone{kept}, and it ends"


def _resolve(now: Situation) -> str:
    if not now.waits:
        return "it is settled"
    return "undoing stops here" if now.undoing else "it is settled; the flow that waits ends where it is"


_SUGGESTED: tuple[tuple[str, tuple[tuple[Remedy, str], ...]], ...] = (
    ("payment.declined", (("retry", "once the customer's bank lets it through, or with another payment"),)),
    ("payment.insufficient", (("retry", "once the payment covers it"), ("change order", "cancel what is not covered"))),
    ("payment.", (("retry", "the gateway is asked by the same intent: nothing is charged twice"),)),
    ("refund.", (("retry", "the gateway is asked by the same intent: nothing is refunded twice"),)),
    (
        "routing.",
        (("route again", "once stock has come in"), ("reschedule", "look later"), ("change order", "cancel it")),
    ),
    ("units.unavailable", (("retry", "the order is looked at anew"), ("skip", "if what it was to do is done already"))),
    ("stock.", (("route again", "once stock has come in"), ("retry", "the stock is looked at anew"))),
    ("order.moved", (("retry", "the order is looked at anew"), ("skip", "if what it was to do is done already"))),
    (
        "fulfillment.not_accepted",
        (("route again", "once the location has rejected it"), ("resolve", "once it has accepted")),
    ),
    ("fulfillment_order.under_way", (("retry", "once the location has given it back"),)),
    ("invoice.", (("retry", "once what it tells of is put right"), ("skip", "if there is such an invoice already"))),
    ("approval.", (("retry", "to ask for the approval once more"), ("change order", "cancel the order"))),
    ("import.", (("resolve", "once the row is sent again, or its order is put right"),)),
    ("doctor.", (("resolve", "once the books are right again: `orderloom doctor` tells"),)),
    ("activity.", (("retry", "once what was asked answers: nothing is known to be wrong but that"),)),
)
"""Beginning of an error's code, and what helps; the first that fits counts."""


def suggestions(code: str, now: Situation) -> tuple[Suggestion, ...]:
    """Return what helps against errors of this *code*, the best first; of the flow's own only what can be done now."""
    can = {each.action for each in allowed_actions(now) if each.allowed}
    found = next((pairs for beginning, pairs in _SUGGESTED if code.startswith(beginning)), ())
    fitting = [Suggestion(do=do, why=why) for do, why in found if do not in _AT_EXCEPTION or do in can]
    if not fitting and "retry" in can:
        fitting = [Suggestion(do="retry", why="once what it tells of is put right")]
    if not fitting and "resolve" in can:
        fitting = [Suggestion(do="resolve", why="once what it tells of is put right")]
    return tuple(fitting)


_AT_EXCEPTION: frozenset[Remedy] = frozenset({"retry", "skip", "goto", "compensate", "resolve"})

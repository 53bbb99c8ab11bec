"""Process exceptions as lines of text."""

import json
from collections.abc import Iterator

from orderloom.readmodels.exceptions import ChangeView, CompensationView, ExceptionView


def line(view: ExceptionView) -> str:
    """Return an exception as one line of a list."""
    where = f"{view.flow or '-'} {view.task or ''}".rstrip()
    has = f"  {view.owner}" if view.owner else ""
    late = "  OVERDUE" if view.escalated_at and view.ended_at is None else ""
    status = "" if view.status == "new" else f"  {view.status}"
    return f"{view.id}  {view.created_at:%Y-%m-%d %H:%M}  {view.category}  {view.code}{status}{has}{late}  {where}"


def shown(view: ExceptionView) -> Iterator[str]:
    """Give all that is known of an exception, line by line."""
    yield f"{view.id}  {view.status}  {view.category}  {view.code}"
    yield f"  {view.detail}"
    facts = {
        "order": view.order,
        "flow": f"{view.flow} ({view.flow_hash})" if view.flow_hash else view.flow,
        "task": view.task or ("the flow itself" if view.waiting else None),
        "action": view.waiting.action if view.waiting else None,
        "input": json.dumps(view.input, ensure_ascii=False) if view.instance else None,
        "attempts": view.attempts,
        "since": view.created_at.isoformat(),
        "urgency": f"severity {view.severity}, priority {view.priority}",
        "owner": view.owner,
        "deadline": view.deadline.isoformat() if view.deadline else None,
        "overdue": f"told of at {view.escalated_at.isoformat()}" if view.escalated_at else None,
        "decided": json.dumps(view.decision, ensure_ascii=False) if view.decision else None,
    }
    yield from (f"  {name:<9} {value}" for name, value in facts.items() if value is not None)
    if view.result is not None:
        yield "  what became of it:"
        yield from (f"    {each.task}  {each.action}  {each.outcome}" for each in view.result.calls)
    elif view.ended_at is None:
        yield from _possible(view)
        yield from (f"  {each.do} helps {each.why}" for each in view.suggestions)
        yield from (f"  no {each.action}: {each.reason}" for each in view.allowed_actions if each.reason)
    yield from map(_changed, view.changes)


def _changed(change: ChangeView) -> str:
    what = ", ".join(
        f"{name} {each.get('from') or 'none'} → {each.get('to') or 'none'}"
        if isinstance(each, dict)
        else f"{name} {each}"
        for name, each in change.changes.items()
    )
    why = f": {change.reason}" if change.reason else ""
    return f"  {change.number}. {change.at:%Y-%m-%d %H:%M} {change.by}  {what or 'nothing'}{why}"


def _possible(view: ExceptionView) -> Iterator[str]:
    waiting = view.waiting
    if waiting is None:
        yield "  no flow waits: resolve it once it is put right"
    elif waiting.undoing:
        yield "  undoing a call failed: retry it, skip it with --output null, or resolve to stop here"
    else:
        yield f"  retry, skip, resolve, or goto one of: {', '.join(waiting.within)}"
        yield f"  compensate would undo, of {waiting.calls} calls:"
        yield from (f"    {line}" for line in planned(waiting.compensations))


def planned(calls: tuple[CompensationView, ...]) -> Iterator[str]:
    """Give what undoing a flow would do, a line for each call."""
    for each in calls:
        how = f"undone by {each.undone_by}" if each.undone_by else f"stays: {each.reason}"
        yield f"{each.task}  {each.action}  {how}"

"""What was changed of an order's process exceptions: each change with who, when and why."""

from sqlalchemy import bindparam, func, select

from activities.arrivals import Arrival
from activities.unit import Unit
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.operations import exception_changes
from orderloom.persistence.writes import Values

_COUNT = (
    select(func.count()).select_from(exception_changes).where(exception_changes.c.exception_id == bindparam("of_id"))
)


async def note_change(unit: Unit, arrival: Arrival, exception: str, changes: JsonObject) -> None:
    """Enter what *arrival* changed of an exception into its history."""
    by, reason = arrival.body.get("by"), arrival.body.get("reason")
    await _note(
        unit, exception, changes, {"key": arrival.id, "by": str(by or arrival.source), "reason": str(reason or "")}
    )


async def note_change_by_flow(unit: Unit, exception: str, changes: JsonObject) -> None:
    """Enter what the flow under way changed of an exception into its history."""
    flow, _, _ = unit.cause.partition("/")
    await _note(unit, exception, changes, {"key": unit.cause, "by": flow, "reason": ""})


async def _note(unit: Unit, exception: str, changes: JsonObject, who: Values) -> None:
    count: int = (await unit.read(_COUNT, {"of_id": exception})).scalar_one()  # the order is locked: no gap can come
    row = {"exception_id": exception, "number": count + 1, "at": unit.now, "changes": changes}
    unit.enter(exception_changes, {**row, **who})

"""What was changed of an order's process exceptions: each change with who, when and why."""

from sqlalchemy import bindparam, func, select

from activities.arrivals import Arrival
from activities.unit import Unit
from orderloom.domain.model import JsonObject
from orderloom.persistence.tables.operations import exception_changes

_COUNT = (
    select(func.count()).select_from(exception_changes).where(exception_changes.c.exception_id == bindparam("of_id"))
)


async def note_change(unit: Unit, arrival: Arrival, exception: str, changes: JsonObject) -> None:
    """Enter what *arrival* changed of an exception into its history; the order's row is locked, so no gap can come."""
    count: int = (await unit.read(_COUNT, {"of_id": exception})).scalar_one()
    by, reason = arrival.body.get("by"), arrival.body.get("reason")
    row = {"exception_id": exception, "number": count + 1, "at": unit.now, "key": arrival.id, "changes": changes}
    unit.enter(exception_changes, {**row, "by": str(by or arrival.source), "reason": str(reason or "")})

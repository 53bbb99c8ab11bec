"""What became of something that was taken in."""

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.messages import Receipt
from orderloom.domain.model import Frozen
from orderloom.persistence.tables.intake import intake


class IntakeStatus(Frozen):
    """One accepted command or outside event, and its receipt once there is one."""

    id: str
    type: str
    order: str
    status: str
    """``received``, then ``accepted``, ``refused`` by a precondition, or ``dead`` after too many attempts."""
    received_at: AwareDatetime
    receipt: Receipt | None = None


async def intake_status(conn: AsyncConnection, intake_id: str) -> IntakeStatus | None:
    """Return the state of an intake row, or None."""
    columns = (intake.c.type, intake.c.order_id, intake.c.status, intake.c.received_at, intake.c.answer)
    row = (await conn.execute(select(*columns).where(intake.c.id == intake_id))).one_or_none()
    if row is None:
        return None
    return IntakeStatus(
        id=intake_id,
        type=row.type,
        order=row.order_id,
        status=row.status,
        received_at=row.received_at,
        receipt=None if row.answer is None else Receipt.model_validate(row.answer),
    )

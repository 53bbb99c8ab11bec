"""What became of something that was taken in."""

from fastapi import APIRouter

from api.dependencies import Reading
from api.errors import IntakeUnknown
from api.openapi import problems
from api.routes import PlainRoute
from api.schemas import IntakeResource, intake_links
from orderloom.domain.errors import InvalidInput
from orderloom.readmodels.intake import intake_status

router = APIRouter(prefix="/v1/intake", tags=["intake"], route_class=PlainRoute)


@router.get("/{intake_id}", responses=problems(IntakeUnknown, InvalidInput))
async def intake(conn: Reading, intake_id: str) -> IntakeResource:
    """Read the state of a command or event: an answer 202 points here."""
    found = await intake_status(conn, intake_id)
    if found is None:
        raise IntakeUnknown(f"there is no intake {intake_id}")
    return IntakeResource(**found.model_dump(), links=intake_links(found.id, found.order))

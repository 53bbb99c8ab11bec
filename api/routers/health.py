"""Whether the service lives, and whether it can work."""

from fastapi import APIRouter

from api.dependencies import Given
from api.errors import NotReady
from api.openapi import problems
from api.routes import PlainRoute
from api.schemas import Health
from orderloom.bootstrap.health import database, missing

router = APIRouter(prefix="/health", tags=["health"], route_class=PlainRoute)


@router.get("/live")
async def live() -> Health:
    """Answer as long as the process does."""
    return Health()


@router.get("/ready", responses=problems(NotReady))
async def ready(given: Given) -> Health:
    """Answer 200 when the database and Temporal answer, else 503 with the one that does not."""
    silent = await missing({"database": database(given.engine), "workflows": given.workflows_ready})
    if silent:
        raise NotReady(f"the {silent[0]} cannot be reached", missing=silent[0])
    return Health()

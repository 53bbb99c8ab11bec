"""Whether the service lives, and whether it can work."""

import asyncio

from fastapi import APIRouter
from sqlalchemy import text

from api.dependencies import ApiDependencies, Given, Probe
from api.errors import NotReady
from api.openapi import problems
from api.schemas import Health

router = APIRouter(prefix="/health", tags=["health"])
_PATIENCE = 2.0


@router.get("/live")
async def live() -> Health:
    """Answer as long as the process does."""
    return Health()


@router.get("/ready", responses=problems(NotReady))
async def ready(given: Given) -> Health:
    """Answer 200 when the database and Temporal answer, else 503 with the one that does not."""
    probes: dict[str, Probe] = {"database": _database(given), "workflows": given.workflows_ready}
    for name, probe in probes.items():
        try:
            async with asyncio.timeout(_PATIENCE):
                await probe()
        except Exception as error:  # whatever it is, it is not ready
            raise NotReady(f"the {name} cannot be reached", missing=name) from error
    return Health()


def _database(given: ApiDependencies) -> Probe:
    async def ask() -> None:
        async with given.engine.connect() as conn:
            await conn.execute(text("SELECT 1"))

    return ask

"""The monitor: the port where a process says whether it lives and whether it can work."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orderloom.bootstrap.health import Health, Phase


def monitor_app(health: Health) -> Starlette:
    """
    Return the application of a monitor.

    ``/health/live`` answers as long as the process's event loop turns; ``/health/ready`` answers 200 while the process
    works and all that it needs answers, else 503 with what is missing.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        missing = await health.missing()
        if health.phase is Phase.WORKING and not missing:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": health.phase, "missing": missing}, 503)

    return Starlette(routes=[Route("/health/live", live), Route("/health/ready", ready)])

"""The monitor: the port where a process says whether it lives, whether it can work, and what it has counted."""

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orderloom.bootstrap.health import Health, Phase

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
"""The media type of Prometheus' text format."""


def monitor_app(health: Health, numbers: Callable[[], Awaitable[bytes]]) -> Starlette:
    """
    Return the application of a monitor.

    ``/health/live`` answers as long as the process's event loop turns; ``/health/ready`` answers 200 while the process
    works and all that it needs answers, else 503 with what is missing; ``/metrics`` answers with *numbers*.
    """

    async def live(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(_: Request) -> Response:
        missing = await health.missing()
        if health.phase is Phase.WORKING and not missing:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": health.phase, "missing": missing}, 503)

    async def metrics(_: Request) -> Response:
        return Response(await numbers(), media_type=PROMETHEUS)

    routes = {"/health/live": live, "/health/ready": ready, "/metrics": metrics}
    return Starlette(routes=[Route(path, answer) for path, answer in routes.items()])

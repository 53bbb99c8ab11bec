"""The documentation page: one HTML file without any outside asset, which renders ``/openapi.json``."""

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.routes import PlainRoute

router = APIRouter(include_in_schema=False, route_class=PlainRoute)

_PAGE = files("api").joinpath("docs.html").read_text("utf-8")
_POLICY = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


@router.get("/docs")
async def documentation() -> HTMLResponse:
    """Return the page; it needs no network but this server."""
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})

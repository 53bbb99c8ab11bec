"""The HTTP interface. It writes only to intake, reads by read models, and knows no order logic."""

from importlib.metadata import version

from api import docs, problems
from api.dependencies import ApiDependencies
from api.openapi import DESCRIPTION, TAGS, TITLE, DocumentedApi
from api.routers import changes, exceptions, fulfillment, gateways, health, intake, orders, stock

_ROUTERS = (orders, changes, fulfillment, gateways, exceptions, stock, intake, health, docs)


def create_app(dependencies: ApiDependencies) -> DocumentedApi:
    """Return the application, ready for uvicorn; it neither opens nor closes what it is given."""
    app = build()
    app.state.dependencies = dependencies
    return app


def build() -> DocumentedApi:
    """Return the application without its dependencies: enough to describe itself."""
    app = DocumentedApi(
        title=TITLE,
        description=DESCRIPTION,
        version=version("orderloom"),
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
    )
    problems.install(app)
    for area in _ROUTERS:
        app.include_router(area.router)
    return app

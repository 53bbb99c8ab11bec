"""The HTTP interface: orders go to intake, stock to its service, reads to read models; it knows no order logic."""

from importlib.metadata import version

from fastapi import Depends
from opentelemetry.trace import TracerProvider

from api import docs, problems
from api.dependencies import ApiDependencies, refuse_nul
from api.openapi import DESCRIPTION, TAGS, TITLE, DocumentedApi
from api.routers import (
    availability,
    changes,
    exceptions,
    fulfillment,
    fulfillment_changes,
    gateways,
    health,
    intake,
    locations,
    orders,
    pools,
    releases,
    reservations,
    routing,
    routing_attempts,
    routing_policies,
    scheduling,
    sell_ahead,
    stock,
    stock_changes,
)

_ROUTERS = (
    orders,
    routing_attempts,
    changes,
    scheduling,
    releases,
    routing,
    routing_policies,
    pools,
    fulfillment,
    fulfillment_changes,
    gateways,
    exceptions,
    locations,
    stock,
    availability,
    sell_ahead,
    reservations,
    stock_changes,
    intake,
    health,
    docs,
)


def create_app(dependencies: ApiDependencies, tracer_provider: TracerProvider | None = None) -> DocumentedApi:
    """
    Return the application, ready for uvicorn; it neither opens nor closes what it is given.

    Args:
        tracer_provider: makes a span of each request; without it there are none.
    """
    app = build(tracer_provider)
    app.state.dependencies = dependencies
    return app


def build(tracer_provider: TracerProvider | None = None) -> DocumentedApi:
    """Return the application without its dependencies: enough to describe itself."""
    app = DocumentedApi(
        title=TITLE,
        description=DESCRIPTION,
        version=version("orderloom"),
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(refuse_nul)],
        telemetry={
            "tracing": tracer_provider is not None,
            "tracer_provider": tracer_provider,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
            "auto_configure": False,
        },
    )
    problems.install(app)
    for area in _ROUTERS:
        app.include_router(area.router)
    app.include_router(stock_changes.feeds)
    app.include_router(scheduling.all_schedules)
    return app

"""The HTTP interface: orders go to intake, stock to its service, reads to read models; it knows no order logic."""

from importlib.metadata import version

from opentelemetry.trace import TracerProvider

from api import docs, problems
from api.dependencies import ApiDependencies
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
    fulfillment.router,
    gateways.router,
    orders.router,
    routing_attempts.router,
    changes.router,
    scheduling.router,
    releases.router,
    routing.router,
    routing_policies.router,
    pools.router,
    fulfillment_changes.router,
    exceptions.router,
    locations.router,
    stock.router,
    availability.router,
    sell_ahead.router,
    reservations.router,
    stock_changes.router,
    intake.router,
    health.router,
    docs.router,
    stock_changes.feeds,
    scheduling.all_schedules,
)
"""Routes are tried in this order: what is asked for most comes first."""


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
        # As they are: `include_router` would have every request matched twice, router by router.
        routes=[route for router in _ROUTERS for route in router.routes],
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
    return app

"""The routing worker: searches for routes that are too long for the order worker, and the waves of routing pools."""

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.worker import Worker

from activities.processors import PROCESSES, Processors
from activities.searches import Searches
from activities.waves import Waves
from orderloom.bootstrap.builds import build_id
from orderloom.contracts.queues import ROUTING
from orderloom.settings import Settings
from worker.order_worker import GRACE, workflow_runner
from workflows.routing_pool import RoutingPoolWorkflow


def routing_worker(client: Client, engine: AsyncEngine, processors: Processors, settings: Settings) -> Worker:
    """Return a worker for queue ``routing``; what it has no processor for waits in the queue, for any worker."""
    return Worker(
        client,
        task_queue=ROUTING,
        workflows=[RoutingPoolWorkflow],
        workflow_runner=workflow_runner(sandboxed=settings.sandbox),
        activities=[
            Searches(engine, processors).search_routes,
            Waves(engine, processors).route_wave,
        ],
        max_concurrent_activities=PROCESSES,
        graceful_shutdown_timeout=GRACE,
        build_id=build_id(settings),
    )

"""The routing worker: searches for routes that are too long for the order worker."""

from temporalio.client import Client
from temporalio.worker import Worker

from activities.searches import PROCESSES, Searches
from orderloom.contracts.queues import ROUTING
from orderloom.settings import Settings
from worker.order_worker import GRACE, build_id


def routing_worker(client: Client, searches: Searches, settings: Settings) -> Worker:
    """Return a worker for queue ``routing``; what it has no processor for waits in the queue, for any worker."""
    return Worker(
        client,
        task_queue=ROUTING,
        activities=[searches.search_routes],
        max_concurrent_activities=PROCESSES,
        graceful_shutdown_timeout=GRACE,
        build_id=build_id(settings),
    )

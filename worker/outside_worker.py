"""The outside worker: activities that ask parties outside. It has no database."""

from collections.abc import Mapping

from temporalio.client import Client
from temporalio.worker import Worker

from activities.outside import OutsideActivities
from orderloom.bootstrap.builds import build_id
from orderloom.contracts.queues import OUTSIDE
from orderloom.gateways.port import PaymentGateway
from orderloom.settings import Settings
from worker.order_worker import GRACE

AT_ONCE = 50


def outside_worker(client: Client, gateways: Mapping[str, PaymentGateway], settings: Settings) -> Worker:
    """Return a worker for queue ``outside`` over *gateways*, by the name that payments carry."""
    outside = OutsideActivities(gateways, settings.hosts())
    return Worker(
        client,
        task_queue=OUTSIDE,
        activities=[outside.perform_gateway_request, outside.call_outside],
        max_concurrent_activities=AT_ONCE,
        graceful_shutdown_timeout=GRACE,
        build_id=build_id(settings),
    )

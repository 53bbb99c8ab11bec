"""Searches for routes that an order's own worker does not make."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from orderloom.contracts.queues import ROUTING
from orderloom.contracts.searching import SEARCH_ROUTES, SearchRoutes

ATTEMPT = timedelta(minutes=2)
"""Searches that wait for a processor are part of it."""
SILENCE = timedelta(seconds=5)
"""Without a heartbeat for so long the worker has died: another one searches again."""
IN_ALL = timedelta(minutes=10)
"""It is bounded: so quiet points come."""
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))


async def search(question: SearchRoutes) -> bool:
    """Have the question answered; False when no worker came to an end with it."""
    try:
        await workflow.execute_activity(
            SEARCH_ROUTES,
            question,
            task_queue=ROUTING,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=SILENCE,
            schedule_to_close_timeout=IN_ALL,
            retry_policy=RETRY,
        )
    except FailureError:
        return False
    return True

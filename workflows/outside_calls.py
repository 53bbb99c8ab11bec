"""HTTP calls of an order's flow, made on the queue for the outside."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import FailureError

from flows_dsl.problems import communication_failure
from orderloom.contracts.outside import CALL_OUTSIDE, OutsideAnswer, OutsideCall
from orderloom.contracts.queues import OUTSIDE

ATTEMPT = timedelta(seconds=30)
"""More than a call may take, so that its own limit ends it."""
SILENCE = timedelta(seconds=5)
"""Without a heartbeat for so long the worker has died: another one makes the call again, with the same key."""
IN_ALL = timedelta(minutes=10)
"""An outside call is bounded: so quiet points come."""
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=60))


async def ask(call: OutsideCall) -> OutsideAnswer:
    """Return what came of the call; that no worker could make it is an error like any other."""
    try:
        return await workflow.execute_activity(
            CALL_OUTSIDE,
            call,
            result_type=OutsideAnswer,
            task_queue=OUTSIDE,
            start_to_close_timeout=ATTEMPT,
            heartbeat_timeout=SILENCE,
            schedule_to_close_timeout=IN_ALL,
            retry_policy=RETRY,
        )
    except FailureError:
        detail = f"No worker came to an end with the call within {IN_ALL.total_seconds():.0f} seconds."
        return OutsideAnswer(error=communication_failure(detail).problem)

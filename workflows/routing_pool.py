"""The workflow of a routing pool: it has waves routed until nothing of the pool is due, and ends."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

from orderloom.contracts.pools import ROUTE_WAVE, ROUTING_POOL, RouteWave, WaveRouted
from orderloom.contracts.queues import ROUTING

ATTEMPT = timedelta(minutes=5)
SILENCE = timedelta(seconds=5)
"""Without a heartbeat for so long the worker has died: another one routes the wave."""
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=5))
"""After an outage, however long, it goes on soon: orders do not wait for their wave for ever."""


@workflow.defn(name=ROUTING_POOL)
class RoutingPoolWorkflow:
    """There is one of a pool at a time, so no two waves of it run beside each other."""

    @workflow.run
    async def run(self, asked: RouteWave) -> None:
        """Route what is due. The relay starts it again when a wave is due next."""
        for _ in range(asked.max_waves):
            done = await workflow.execute_activity(
                ROUTE_WAVE,
                asked,
                result_type=WaveRouted,
                task_queue=ROUTING,
                start_to_close_timeout=ATTEMPT,
                heartbeat_timeout=SILENCE,
                retry_policy=RETRY,
            )
            if not done.more:
                return
        workflow.continue_as_new(asked)

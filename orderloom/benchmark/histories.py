"""What orders leave in Temporal: exact numbers, the same on every machine."""

import asyncio
from collections.abc import Sequence

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from orderloom.benchmark.spread import Spread
from orderloom.contracts.queues import workflow_id
from orderloom.domain.model import Frozen

GLANCE = 0.05


class Histories(Frozen):
    """What the workflows of several orders came to."""

    orders: int
    events: Spread
    workflow_tasks: Spread
    state_transitions: Spread
    bytes: Spread


async def histories_of(client: Client, orders: Sequence[str]) -> Histories:
    """Return what the workflows of *orders* came to; one that is still at work is waited for."""
    counted = [await _count(client.get_workflow_handle(workflow_id(order))) for order in orders]
    events, tasks, transitions, bytes_ = (Spread.of(column) for column in zip(*counted, strict=True))
    return Histories(
        orders=len(counted), events=events, workflow_tasks=tasks, state_transitions=transitions, bytes=bytes_
    )


async def _count(handle: WorkflowHandle[object, object]) -> tuple[int, int, int, int]:
    while not await handle.query("quiet", result_type=bool):  # noqa: ASYNC110  # it is in another process
        await asyncio.sleep(GLANCE)
    info = (await handle.describe()).raw_description.workflow_execution_info
    events = (await handle.fetch_history()).events
    tasks = sum(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in events)
    return info.history_length, tasks, info.state_transition_count, info.history_size_bytes

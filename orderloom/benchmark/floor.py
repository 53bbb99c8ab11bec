"""
The load generator of the floor, a process of its own: ``python -m orderloom.benchmark.floor ORDER``, a `FloorOrder`.

It starts empty workflows and waits for each to end, as many at once as there are orders on their way otherwise.
"""

import asyncio
from time import monotonic, process_time

from temporalio.client import Client

from orderloom.benchmark.generator import perform, tell
from orderloom.benchmark.twin import EMPTY_WORKFLOW
from orderloom.bootstrap.temporal_client import connect
from orderloom.contracts.queues import ORDERS
from orderloom.domain.model import Frozen


class FloorOrder(Frozen):
    """What is to be run, and where."""

    temporal_address: str
    namespace: str
    series: str
    count: int
    at_once: int


class FloorReport(Frozen):
    """What was run. Durations in seconds, one per workflow."""

    whole: list[float]
    seconds: float
    """From the first start to the last end."""
    cpu_seconds: float
    """Of this process."""


async def _run(order: FloorOrder) -> FloorReport:
    client = await connect(order.temporal_address, namespace=order.namespace)
    numbers = iter(range(order.count))
    whole: list[float] = []
    tell(0)
    begun, cpu = monotonic(), process_time()

    async def one_after_another() -> None:
        for number in numbers:
            whole.append(await _one(client, f"{order.series}-{number}"))
            tell(len(whole))

    async with asyncio.TaskGroup() as group:
        for _ in range(order.at_once):
            group.create_task(one_after_another())
    return FloorReport(whole=whole, seconds=monotonic() - begun, cpu_seconds=process_time() - cpu)


async def _one(client: Client, id: str) -> float:
    began = monotonic()
    await client.execute_workflow(EMPTY_WORKFLOW, id=id, task_queue=ORDERS)
    return monotonic() - began


if __name__ == "__main__":
    perform(FloorOrder, _run)

"""What workflow code costs by itself: recorded histories are replayed in this process, without a server."""

from collections.abc import AsyncGenerator, Sequence
from time import process_time

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from orderloom.benchmark.spread import Spread
from orderloom.benchmark.twin import TwinOrder
from orderloom.bootstrap.temporal_client import data_converter
from orderloom.domain.model import Frozen
from worker.order_worker import workflow_runner
from workflows.order import OrderWorkflow

ROUNDS = 7
"""How often all histories are replayed, the orders' and the twins' by turns; one round more before to warm up."""


class Replayed(Frozen):
    """The CPU that replaying an order takes: the interpreter's workflow beside the hand-written one."""

    histories: int
    """Of each."""
    orders: Spread
    """CPU seconds an order."""
    twin: Spread
    share: Spread
    """The one as a share of the other, round by round."""


async def replayed(orders: Sequence[WorkflowHistory], twins: Sequence[WorkflowHistory]) -> Replayed:
    """
    Replay both by turns, each in the sandbox as in a worker; nothing is taken off for what both have in common.

    Raises:
        WorkflowReplayError: a history does not fit its workflow any more.
    """
    rounds = [(await _seconds(OrderWorkflow, orders), await _seconds(TwinOrder, twins)) for _ in range(ROUNDS + 1)][1:]
    return Replayed(
        histories=len(orders),
        orders=Spread.of(ours for ours, _ in rounds),
        twin=Spread.of(twin for _, twin in rounds),
        share=Spread.of(ours / twin for ours, twin in rounds),
    )


async def _seconds(workflow: type, histories: Sequence[WorkflowHistory]) -> float:
    """Return the CPU seconds that replaying one history takes."""
    replayer = Replayer(
        workflows=[workflow],
        workflow_runner=workflow_runner(sandboxed=True),
        data_converter=data_converter,
        build_id="replay",
    )
    began = process_time()
    await replayer.replay_workflows(_each(histories))
    return (process_time() - began) / len(histories)


async def _each(histories: Sequence[WorkflowHistory]) -> AsyncGenerator[WorkflowHistory]:
    for history in histories:
        yield history

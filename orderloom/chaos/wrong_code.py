"""A worker with code that breaks determinism: what it does again is not what it did."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from temporalio import workflow

from orderloom.bootstrap.processes import Process
from orderloom.chaos.errors import BlowMissed
from orderloom.chaos.outside import GLANCE
from orderloom.chaos.scene import Scene
from orderloom.chaos.stuck import failing
from orderloom.contracts.messages import OrderInput
from orderloom.contracts.queues import ORDER_WORKFLOW
from workflows.order import OrderWorkflow

WRONG_CODE = "wrong code"
ROLE = "chaos wrong-worker"
WITHIN = 15.0
"""Seconds in which an order must have met it."""


@workflow.defn(name=ORDER_WORKFLOW)
class WrongOrderWorkflow(OrderWorkflow):
    """The order workflow with a timer that is only there when history is replayed: no order can go on with it."""

    @workflow.init
    def __init__(self, start: OrderInput) -> None:
        """Set up as ever."""
        super().__init__(start)

    @workflow.run
    async def run(self, start: OrderInput) -> None:
        """Do what history does not say."""
        if workflow.unsafe.is_replaying():
            await workflow.sleep(1)
        await super().run(start)


@dataclass(frozen=True)
class WrongCode:
    """The worker is replaced by one with wrong code, and that by the right one again."""

    kind: str = WRONG_CODE
    detail: str = "a worker whose code breaks determinism, until an order has met it"

    async def fall(self, scene: Scene) -> None:
        """Replace it, wait until an order cannot go on, and put the right one back."""
        right = scene.fleet.workers[0]
        wrong = Process(ROLE, name="wrong-worker", directory=right.log.parent, environment=right.environment)
        await right.stop()
        try:
            await wrong.start()
            await _met(scene)
        finally:
            await wrong.kill()
            await right.start()


async def _met(scene: Scene) -> None:
    ends = monotonic() + WITHIN
    while not any([await failing(scene.client, promise.number) for promise in scene.outside.unfinished]):
        if monotonic() > ends:
            raise BlowMissed(f"no order has met the wrong code within {WITHIN:.0f} s")
        await asyncio.sleep(GLANCE)

"""A worker with code that breaks determinism: what it does again is not what it did."""

import asyncio
from dataclasses import dataclass

from temporalio import workflow

from orderloom.bootstrap.processes import Process
from orderloom.chaos.errors import BlowMissed
from orderloom.chaos.scene import Scene
from orderloom.chaos.stuck import failing
from orderloom.contracts.messages import OrderInput
from orderloom.contracts.queues import ORDER_WORKFLOW
from workflows.order import OrderWorkflow

WRONG_CODE = "wrong code"
ROLE = "chaos wrong-worker"


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

    seconds: float
    kind: str = WRONG_CODE

    @property
    def detail(self) -> str:
        """How long."""
        return f"a worker whose code breaks determinism, for {self.seconds:.0f} s"

    async def fall(self, scene: Scene) -> None:
        """Replace it, see that orders cannot go on, and put the right one back."""
        right = scene.fleet.workers[0]
        wrong = Process(ROLE, name="wrong-worker", directory=right.log.parent, environment=right.environment)
        await right.kill()
        try:
            await wrong.start()
            await asyncio.sleep(self.seconds)
            met = [promise for promise in scene.outside.unfinished if await failing(scene.client, promise.number)]
        finally:
            await wrong.kill()
            await right.start()
        if not met:
            raise BlowMissed("no order met the wrong code")

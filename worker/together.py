"""Workers of one process, side by side."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from temporalio.worker import Worker


@asynccontextmanager
async def together(workers: Sequence[Worker]) -> AsyncGenerator[None]:
    """Run *workers*, which poll within the block; then stop them all at once: in turn, their graces would add up."""
    async with AsyncExitStack() as stack:
        for worker in workers:
            await stack.enter_async_context(worker)
        try:
            # A worker that cannot start cancels this task.
            while not all(worker.is_running for worker in workers):  # noqa: ASYNC110  # a worker sets no event
                await asyncio.sleep(0.01)
            yield
        finally:
            await asyncio.gather(*(worker.shutdown() for worker in workers))

"""
Builds a backlog, in a process of its own: ``python -m orderloom.benchmark.taking_in ORDER``, with a `LoadOrder`.

No worker runs, so each placement is answered only when the API has given up waiting for one: many are sent at once.
"""

import asyncio
from collections import Counter
from time import monotonic

from orderloom.benchmark.generator import perform, tell
from orderloom.benchmark.load import LoadOrder
from orderloom.benchmark.outside import Outside, connected
from orderloom.benchmark.world import standard_orders
from orderloom.domain.model import Frozen


class TakenIn(Frozen):
    """What became of the placements."""

    answers: dict[int, int]
    """How many were answered with each status."""
    seconds: float
    """From the first order's placing to the answer to the last one's."""


async def take_in(order: LoadOrder, outside: Outside) -> TakenIn:
    """Place all orders, and return when each is answered."""
    orders = list(standard_orders(order.seed, order.series, order.count))
    await outside.check_out(orders)
    answers: Counter[int] = Counter()
    begun, waiting = monotonic(), iter(orders)

    async def one_after_another() -> None:
        for each in waiting:
            _, status = await outside.place(each)
            answers[status] += 1
            tell(answers.total())

    async with asyncio.TaskGroup() as group:
        for _ in range(order.at_once):
            group.create_task(one_after_another())
    return TakenIn(answers=answers, seconds=monotonic() - begun)


async def _run(order: LoadOrder) -> TakenIn:
    async with connected(order, order.at_once) as (_, outside):
        return await take_in(order, outside)


if __name__ == "__main__":
    perform(LoadOrder, _run)

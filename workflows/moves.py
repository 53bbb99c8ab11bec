"""Moves an order to another release: at a quiet point its instances stop, are moved together, and go on."""

import asyncio
from typing import Protocol

from temporalio.exceptions import FailureError

from orderloom.contracts.messages import Delivery, Receipt
from orderloom.contracts.moving import MOVE, Moved, MoveOrder, Whereabouts
from workflows.decisions import Decisions
from workflows.instances import Instances
from workflows.transactions import Transactions


class Moving(Protocol):
    """What is needed of the order."""

    transactions: Transactions
    instances: Instances
    decisions: Decisions


class Moves:
    """Commands that wait for a quiet point, one after another."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Delivery, asyncio.Future[Receipt]]] = []

    def __bool__(self) -> bool:
        """Return whether one waits."""
        return bool(self._waiting)

    def ask(self, delivery: Delivery) -> asyncio.Future[Receipt]:
        """Return a future of what becomes of a command."""
        future: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        return future

    async def carry_out(self, order: Moving) -> None:
        """
        Carry the first one out. The order is quiet and has caught up with its journal.

        Nothing else of the order runs meanwhile: its transactions wait for this one.
        """
        delivery, future = self._waiting.pop(0)
        listening = sorted(order.instances.listening())
        before = order.instances.suspend()
        try:
            moved = await order.transactions.run(
                MOVE,
                lambda context: MoveOrder(context=context, delivery=delivery, whereabouts=before, listening=listening),
                Moved,
            )
        except FailureError as failure:
            self._go_on(order, before)
            if not future.cancelled():
                future.set_exception(failure)
            return
        if moved.pin is not None and moved.applied is not None:
            seq = order.transactions.header["seq"]
            assert isinstance(seq, int)
            order.transactions.pin, order.transactions.moved_at = moved.pin, seq
        self._go_on(order, before if moved.applied is None else moved.whereabouts)
        if not future.cancelled():
            future.set_result(moved.receipt)

    @staticmethod
    def _go_on(order: Moving, whereabouts: list[Whereabouts]) -> None:
        """Let the instances go on. Exceptions that stopped ones have let go of are not left: they wait there again."""
        order.decisions.forget(order.decisions.left)
        order.instances.go_on(whereabouts)

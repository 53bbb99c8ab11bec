"""All deadlines of an order: one heap, and one Temporal timer for the earliest."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import heapify, heappop, heappush

from temporalio import workflow


class Deadlines:
    """
    Futures that come true at an instant of business time.

    A running timer is kept as long as it ends early enough: one that ends for a deadline given up meanwhile costs less
    than a cancellation and a new one.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._heap: list[tuple[datetime, int, asyncio.Future[None], bool]] = []
        self._count = 0
        self._timer: asyncio.Task[None] | None = None
        self._rings_at: datetime | None = None

    def at(self, instant: datetime, *, told: bool = True) -> asyncio.Future[None]:
        """
        Return a future that comes true when business time reaches *instant*; cancel it to give the deadline up.

        One that is not *told* is housekeeping: ``next`` does not name it.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heappush(self._heap, (instant, self._count, future, told))
        self.turn()
        return future

    async def wait(self, instant: datetime) -> None:
        """Return when business time has reached *instant*."""
        future = self.at(instant)
        try:
            await future
        finally:
            future.cancel()

    @property
    def next(self) -> datetime | None:
        """The earliest deadline that a flow waits for."""
        return min((instant for instant, _, future, told in self._heap if told and not future.done()), default=None)

    def turn(self) -> None:
        """Fulfil what is due, and see to it that a timer runs for the rest. Call it when business time has jumped."""
        self._drop_given_up()
        while self._heap and self._heap[0][0] <= self._now():
            _, _, future, _ = heappop(self._heap)
            if not future.done():
                future.set_result(None)
        self._drop_given_up()
        self._set_timer()

    def _set_timer(self) -> None:
        if not self._heap:
            return
        earliest = self._heap[0][0] - self._now()
        rings_at = workflow.now() + earliest
        if self._timer is not None and self._rings_at is not None:
            if self._rings_at <= rings_at:
                return
            self._timer.cancel()
        self._rings_at = rings_at
        self._timer = asyncio.create_task(self._ring_after(earliest))

    async def _ring_after(self, span: timedelta) -> None:
        # A millisecond more: the timer must never ring while the deadline is still ahead by a rounding.
        await workflow.sleep(span + timedelta(milliseconds=1))
        self._timer = self._rings_at = None
        self.turn()

    def _drop_given_up(self) -> None:
        if any(future.done() for _, _, future, _ in self._heap):
            self._heap = [entry for entry in self._heap if not entry[2].done()]
            heapify(self._heap)

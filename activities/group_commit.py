"""
Group commit: what comes while a transaction is under way shares the next one.

Nobody waits for others to come. A call that finds room runs alone and at once, as if there were no groups.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST = 64
"""Calls in one transaction: beyond, none becomes cheaper and each waits longer."""
STUCK = 0.1
"""Seconds after which a transaction holds nobody up any longer: it may itself be waiting for somebody's lock."""


@dataclass(eq=False)
class _Waiting[M, R]:
    order: str
    message: M
    answer: asyncio.Future[R]


class GroupCommit[M, R]:
    """Gathers the calls of one process, at most one of each order in a transaction."""

    def __init__(
        self,
        alone: Callable[[M], Awaitable[R]],
        together: Callable[[Sequence[M]], Awaitable[Sequence[R | None]]],
    ) -> None:
        """
        Take what runs a call, and what runs several in one transaction.

        The latter answers None for each that is to be run alone; what it raises, all are told.
        """
        self._alone = alone
        self._together = together
        self._waiting: list[_Waiting[M, R]] = []
        self._busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, order: str, message: M) -> R:
        """Run a call for *order*, alone or with others. Cancelled, it leaves the others to their transaction."""
        if not self._busy:
            leave = self._occupy()
            try:
                return await self._alone(message)
            finally:
                leave()
        waiting = _Waiting[M, R](order, message, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        return await waiting.answer

    def _occupy(self) -> Callable[[], None]:
        """Let others wait; return what lets the next ones begin. Whoever is stuck does so before its end."""
        held = True

        def leave() -> None:
            nonlocal held
            stuck.cancel()
            if held:
                held = self._busy = False
                if group := self._take():
                    self._begin(self._run(group, self._occupy()))

        self._busy = True
        stuck = asyncio.get_running_loop().call_later(STUCK, leave)
        return leave

    def _take(self) -> list[_Waiting[M, R]]:
        """Take those that wait longest, one of each order."""
        taken: dict[str, _Waiting[M, R]] = {}
        left: list[_Waiting[M, R]] = []
        for waiting in self._waiting:
            if waiting.answer.cancelled():
                continue
            if len(taken) < LARGEST and waiting.order not in taken:
                taken[waiting.order] = waiting
            else:
                left.append(waiting)
        self._waiting = left
        return list(taken.values())

    async def _run(self, group: Sequence[_Waiting[M, R]], leave: Callable[[], None]) -> None:
        try:
            answers = await self._answers(group)
        finally:
            leave()
        for waiting, answer in zip(group, answers, strict=True):
            if answer is None:
                self._begin(self._run_alone(waiting))
            else:
                _tell(waiting, answer)

    async def _answers(self, group: Sequence[_Waiting[M, R]]) -> Sequence[R | Exception | None]:
        """Return what each is to be told; None: it is to be run alone."""
        if len(group) == 1:
            return [await _answer(self._alone(group[0].message))]
        try:
            return await self._together([waiting.message for waiting in group])
        except Exception as error:  # noqa: BLE001  # told to those who asked
            return [error for _ in group]

    async def _run_alone(self, waiting: _Waiting[M, R]) -> None:
        _tell(waiting, await _answer(self._alone(waiting.message)))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _answer[R](work: Awaitable[R]) -> R | Exception:
    try:
        return await work
    except Exception as error:  # noqa: BLE001  # told to the one who asked
        return error


def _tell[M, R](waiting: _Waiting[M, R], answer: R | Exception) -> None:
    if waiting.answer.done():  # cancelled
        return
    if isinstance(answer, Exception):
        waiting.answer.set_exception(answer)
    else:
        waiting.answer.set_result(answer)

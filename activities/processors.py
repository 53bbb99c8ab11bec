"""Processes for what takes a processor for long, so that nobody else waits meanwhile."""

import asyncio
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context, parent_process
from threading import Thread
from types import TracebackType
from typing import Self

PROCESSES = max(1, (os.cpu_count() or 1) // 2)
"""Processes at once; the other processors are for all else."""


class Processors:
    """Runs functions elsewhere, within the block. Processes start with the first call and end with the block."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def run[**P, R](self, function: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
        """
        Return what *function* returns in another process; it and all that it is given must be picklable.

        Raises:
            BrokenProcessPool: the process was killed. The next call begins with new ones.
        """
        if self._pool is None:
            self._pool = ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn"), initializer=_begin)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *args, **named))
        except BrokenProcessPool:
            self._end()
            raise

    def _end(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """Let this process end with the one that started it, however that ends, and not by Ctrl-C before it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)

"""Runs a command until it ends or somebody stops it."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

from orderloom.settings import Settings
from orderloom.telemetry import logs

YOUNG = 10_000
"""Objects that are made, and not let go of, between two looks for garbage among them: a worker or API has as many of
what is under way, and looking through those finds nothing."""
STOPPED_BY = (signal.SIGINT, signal.SIGTERM)


def run(settings: Settings, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *work* to its end; Ctrl-C or SIGTERM cancels it once, and it stops its parts in order."""
    logs.set_up(settings)
    until_stopped(work)


def until_stopped(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run *work* in the same way, and leave logs as they are."""
    asyncio.run(_until_stopped(work), loop_factory=uvloop.new_event_loop)


async def forever() -> None:
    """Wait to be stopped. What there is by now stays: no collection of garbage looks through it any more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG)
    await asyncio.Event().wait()


async def _until_stopped(work: Callable[[], Awaitable[None]]) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            task.cancel()

    for number in STOPPED_BY:
        loop.add_signal_handler(number, stop)
    try:
        await work()
    except asyncio.CancelledError:
        if not stopped:
            raise

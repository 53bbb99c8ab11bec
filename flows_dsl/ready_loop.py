"""An event loop that only does what is ready: no clock, no sockets, no threads. When it is idle, all of it waits."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, override


class ReadyLoop(asyncio.AbstractEventLoop):
    """
    Runs tasks one step after another in the order in which they become ready, the same in every process.

    It may run inside another loop. What waits for wall time or for a socket is refused (``NotImplementedError``).
    """

    def __init__(self) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self._crash: BaseException | None = None

    def drain(self) -> bool:
        """
        Run until nothing is ready, and return whether anything was.

        Raises:
            BaseException: a callback failed outside any task.
        """
        around = asyncio._get_running_loop()  # noqa: SLF001  # there is no public way to run one loop in another
        asyncio._set_running_loop(self)  # noqa: SLF001
        any_ready = bool(self._ready)
        try:
            while self._ready:
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        finally:
            asyncio._set_running_loop(around)  # noqa: SLF001
        if self._crash is not None:
            raise self._crash
        return any_ready

    def end(self) -> None:
        """Cancel every task that is not done, and let each see it."""
        for task in self._tasks:
            task.cancel()
        self.drain()

    @override
    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        """Do this after all that is ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    @override
    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    @override
    def create_task[T](self, coro: Coroutine[Any, Any, T], **options: Any) -> asyncio.Task[T]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Begin a task."""
        task = asyncio.Task(coro, loop=self, **options)
        self._tasks.append(task)
        return task

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Remember what failed outside any task."""
        self._crash = self._crash or context.get("exception")

    @override
    def get_debug(self) -> bool:
        """Return False: nothing is slow here."""
        return False

    @override
    def is_running(self) -> bool:
        """Return whether this loop is the one that runs now."""
        return asyncio._get_running_loop() is self  # noqa: SLF001

    @override
    def is_closed(self) -> bool:
        """Return False: there is nothing to close."""
        return False

"""An HTTP server inside this process."""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import uvicorn

from orderloom.bootstrap.errors import PortInUse, ServerFailed

KEEP_ALIVE = 75
"""Seconds that an idle connection stays open. Longer than clients keep theirs (5 at most), so that none of them sends
into a connection that is being closed."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the process: it stops its parts in order."""
        yield


class HttpServer:
    """A running server and its address."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], url: str) -> None:
        self._server = server
        self._task = task
        self.url = url

    @classmethod
    async def start(cls, app: Callable[..., Any], what: str, host: str, listener: socket.socket) -> "HttpServer":
        """
        Serve *app* on *listener* and return when it does.

        Raises:
            ServerFailed: the application did not start.
        """
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=KEEP_ALIVE,
            lifespan="on",
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            if task.done():
                raise ServerFailed(f"The {what} did not start.")
            await asyncio.sleep(0.01)
        shown = f"[{host}]" if ":" in host else host
        return cls(server, task, f"http://{shown}:{listener.getsockname()[1]}")

    async def stop(self) -> None:
        """Answer what is under way, and stop."""
        self._server.should_exit = True
        await self._task


def listen(host: str, port: int, what: str) -> socket.socket:
    """
    Take *port* (0: any free one) of *host* for an HTTP server.

    Raises:
        PortInUse: another program listens on it, or it may not be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortInUse(f"Port {port} of {host} for the {what} is taken: {error.strerror}.", port=port) from error
    listener.listen(512)
    return listener

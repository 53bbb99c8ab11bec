"""A way to a server that can be cut, so that the server is out of reach for whoever knows this way only."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress


class Proxy:
    """A TCP port of this machine that leads to a server."""

    def __init__(self, server: str) -> None:
        """Take where the server is: ``host:port``, or the path of its Unix socket."""
        self._server = server
        self._listening: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._lets_through = asyncio.Event()
        self._lets_through.set()
        self._port = 0
        self.holding = False
        """Whether an answer is being kept back."""

    @staticmethod
    @asynccontextmanager
    async def to(server: str) -> "AsyncGenerator[Proxy]":
        """Give a way to *server*."""
        proxy = Proxy(server)
        await proxy.open()
        try:
            yield proxy
        finally:
            await proxy.cut()

    @property
    def address(self) -> str:
        """Where it begins, as ``host:port``; the same however often it is cut."""
        return f"127.0.0.1:{self._port}"

    async def open(self) -> None:
        """Let the server be reached."""
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """End all connections, and refuse new ones."""
        assert self._listening is not None
        self._listening.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def hold(self) -> None:
        """From now on keep back what the server answers."""
        self._lets_through.clear()

    def release(self) -> None:
        """Pass on what was kept back, and all that follows."""
        self.holding = False
        self._lets_through.set()

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        async with AsyncExitStack() as stack:
            stack.callback(self._connections.discard, task)
            stack.callback(writer.close)
            with suppress(OSError, asyncio.CancelledError):
                answers, requests = await self._connect()
                stack.callback(requests.close)
                there = asyncio.create_task(_pass_on(reader, requests))
                stack.callback(there.cancel)
                await self._pass_back(answers, writer)

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        if self._server.startswith("/"):
            return await asyncio.open_unix_connection(self._server)
        host, _, port = self._server.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _pass_back(self, answers: StreamReader, writer: StreamWriter) -> None:
        while data := await answers.read(65_536):
            if not self._lets_through.is_set():
                self.holding = True
                await self._lets_through.wait()
            writer.write(data)
            await writer.drain()


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

"""Whoever is asked over HTTP: a small server on loopback that answers as a test says, or fails to in earnest."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


type Answer = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """
    The server.

    Attributes:
        answer: what it does about the next request.
        asked: the requests that came.
        connections: what writes to each one that was made.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answer: Answer = silence
        self.asked: list[Asked] = []
        self.connections: list[asyncio.StreamWriter] = []

    @classmethod
    @asynccontextmanager
    async def listening(cls) -> AsyncIterator["Peer"]:
        """Listen until the end of the block; connections that are left then are closed."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await peer._serve(reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        peer = cls(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        yield peer
        server.close()
        server.close_clients()
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(writer)
        try:
            while not writer.is_closing():
                asked = await _read(reader)
                self.asked.append(asked)
                await self.answer(asked, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has gone
        finally:
            writer.close()


def answering(status: int, body: object = None, headers: str = "") -> Answer:
    """Answer *status* and *body* as JSON; each of more *headers* has its end of line."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} Whatever\r\nContent-Length: {len(content)}\r\n{headers}\r\n"
        writer.write(head.encode() + content)

    return answer


def garbling(what: bytes) -> Answer:
    """Answer *what* and close."""

    async def answer(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(what)
        writer.close()

    return answer


async def silence(_: Asked, __: asyncio.StreamWriter) -> None:
    """Answer nothing, and wait."""


async def closing(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Close without an answer."""
    writer.close()


async def resetting(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Reset the connection, as a host does whose process was killed."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Asked:
    line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value.strip() for name, value in (each.split(":", 1) for each in rest)}
    return Asked(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))

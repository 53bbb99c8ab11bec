"""A sandbox gateway in this process, with a listener for its webhooks; both are reached over loopback."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from orderloom.bootstrap.http_server import HttpServer, listen
from orderloom.contracts.outside import GatewayOperation, GatewayRequest
from orderloom.gateways.http import HttpGateway, connect
from orderloom.gateways.sandbox import Books, Fault, create_gateway_app
from orderloom.gateways.sandbox.app import SandboxGateway
from tests.peer import Asked, Peer, answering

LOOPBACK = "127.0.0.1"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def a_request(
    intent_id: str = "100001-T1",
    operation: GatewayOperation = GatewayOperation.AUTHORIZE,
    *,
    reference: str = "tok_ok",
    amount: int = 9350,
    currency: str = "EUR",
    now: datetime = NOW,
    asked: bool = False,
) -> GatewayRequest:
    return GatewayRequest(
        intent_id=intent_id,
        operation=operation,
        gateway="sandbox",
        reference=reference,
        amount=amount,
        currency=currency,
        now=now,
        asked=asked,
    )


@dataclass
class Sandbox:
    """The gateway, a client for its routes, our adapter to it, and what its webhooks brought."""

    gateway: SandboxGateway
    client: httpx.AsyncClient
    adapter: HttpGateway
    heard: list[dict[str, object]] = field(default_factory=list)
    deaf: int = 0
    """How many webhooks are answered 503 before one is taken."""

    async def fault(self, fault: Fault) -> None:
        response = await self.client.post("/faults", json=fault.model_dump(mode="json"))
        assert response.status_code == 204

    async def books(self) -> dict[str, object]:
        return (await self.client.get("/books")).json()


class Door:
    """A server on loopback, for its start takes longer than a test; behind it stands the test's application."""

    url: str
    app: Callable[..., Awaitable[None]]

    async def __call__(self, *request: Any) -> None:
        await self.app(*request)


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    """Return a server that a test tells what to answer."""
    async with Peer.listening() as peer:
        yield peer


@pytest.fixture(scope="session")
async def door() -> AsyncIterator[Door]:
    """Return a server that a test puts an application behind."""
    door, front = Door(), FastAPI()
    front.mount("/", door)
    server = await HttpServer.start(front, "gateway", LOOPBACK, listen(LOOPBACK, 0, "gateway"))
    door.url = server.url
    yield door
    await server.stop()


@pytest.fixture
async def sandbox(peer: Peer, door: Door) -> AsyncIterator[Sandbox]:
    async def hear(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if world.deaf > 0:
            world.deaf -= 1
            return await answering(503)(asked, writer)
        world.heard.append(json.loads(asked.body))
        return await answering(202)(asked, writer)

    peer.answer = hear
    books = Books()
    app = create_gateway_app(books, f"{peer.url}/hooks", hang_seconds=0, webhook_lag=0, webhook_delays=(0, 0))
    door.app = app
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=door.url) as client,
        connect(door.url) as session,
    ):
        world = Sandbox(gateway=app.state.gateway, client=client, adapter=HttpGateway(session, door.url))
        yield world
        await world.gateway.courier.close()
    books.close()

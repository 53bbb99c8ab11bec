"""A sandbox gateway in this process, with a listener for its webhooks."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
import pytest

from orderloom.contracts.outside import GatewayOperation, GatewayRequest
from orderloom.gateways.http import HttpGateway
from orderloom.gateways.sandbox import Books, Fault, create_gateway_app
from orderloom.gateways.sandbox.app import SandboxGateway

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


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async def listen(request: httpx.Request) -> httpx.Response:
        if world.deaf > 0:
            world.deaf -= 1
            return httpx.Response(503)
        world.heard.append(json.loads(request.content))
        return httpx.Response(202)

    books = Books()
    app = create_gateway_app(
        books,
        "http://orderloom.test/v1/gateways/sandbox/webhooks",
        hang_seconds=0,
        webhook_lag=0,
        webhook_delays=(0, 0),
        webhook_client=httpx.AsyncClient(transport=httpx.MockTransport(listen)),
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway.test") as client:
        world = Sandbox(gateway=app.state.gateway, client=client, adapter=HttpGateway(client))
        yield world
        await world.gateway.courier.close()
    books.close()

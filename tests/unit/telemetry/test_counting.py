"""What is counted around a gateway."""

import asyncio
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, Histogram

from orderloom.contracts.outside import GatewayOperation, GatewayOutcome, GatewayRequest
from orderloom.telemetry.counting import CountedGateway
from orderloom.telemetry.numbers import GATEWAY

REQUEST = GatewayRequest(
    intent_id="100001-T1",
    operation=GatewayOperation.CAPTURE,
    gateway="sandbox",
    reference="auth",
    amount=1,
    currency="EUR",
    now=datetime(2026, 1, 5, 9, tzinfo=UTC),
)


class Silent:
    """A gateway that never answers."""

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError(request)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """Wait for ever."""
        await asyncio.Event().wait()
        raise AssertionError(intent_id)


async def test_a_request_that_was_waited_for_in_vain_counts_as_unknown() -> None:
    """Whoever asks stops waiting: the request was sent all the same."""
    registry = CollectorRegistry()
    gateway = CountedGateway(Silent(), Histogram(GATEWAY.name, GATEWAY.says, GATEWAY.labels, registry=registry))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await gateway.perform(REQUEST)

    labels = {"operation": "capture", "outcome": "unknown"}
    assert registry.get_sample_value(f"{GATEWAY.name}_count", labels) == 1

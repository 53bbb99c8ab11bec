"""The adapter for gateways that speak the sandbox's HTTP protocol. Whatever is not a clear answer is unknown."""

from collections.abc import Callable
from typing import Literal

import httpx
import structlog
from pydantic import ValidationError

from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.model import Message

_log = structlog.get_logger(__name__)

_REFUSED = frozenset({400, 422})
"""The gateway has read the request and will never do it; every other error status leaves open whether it did."""


class _Absence(Message):
    code: Literal["intent_unknown"]


class HttpGateway:
    """A payment gateway over HTTP: ``POST /operations`` and ``GET /operations/{intent_id}``."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        """Take a client whose base URL and timeouts are set, as by `connect`; the caller closes it."""
        self._client = client

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """Send *request* once; see `PaymentGateway.perform`."""
        try:
            response = await self._client.post("/operations", json=request.model_dump(mode="json"))
        except httpx.HTTPError as error:
            return _unknown(request.intent_id, type(error).__name__)
        if response.status_code in _REFUSED:
            code = f"refused_{response.status_code}"
            return GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.FAILED, code=code)
        return _read(request.intent_id, response)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """Ask what became of an intent; see `PaymentGateway.lookup`."""
        try:
            response = await self._client.get(f"/operations/{intent_id}")
        except httpx.HTTPError as error:
            return _unknown(intent_id, type(error).__name__)
        if _never_seen(response):
            return None
        return _read(intent_id, response)


def connect(
    base_url: str,
    *,
    connect_seconds: float = 2.0,
    answer_seconds: float = 10.0,
    make: Callable[..., httpx.AsyncClient] = httpx.AsyncClient,
) -> httpx.AsyncClient:
    """
    Return a client for a gateway at *base_url*; it gives up after these seconds, and the outcome is unknown.

    Args:
        make: makes the client, as the class itself does.
    """
    timeout = httpx.Timeout(answer_seconds, connect=connect_seconds)
    return make(base_url=base_url, timeout=timeout)


def _never_seen(response: httpx.Response) -> bool:
    # A bare 404 may come from a proxy or a wrong address; sending again on its word could double a capture.
    if response.status_code != 404:
        return False
    try:
        _Absence.model_validate_json(response.content)
    except ValidationError:
        return False
    return True


def _read(intent_id: str, response: httpx.Response) -> GatewayOutcome:
    if response.status_code != 200:
        return _unknown(intent_id, f"status_{response.status_code}")
    try:
        outcome = GatewayOutcome.model_validate_json(response.content)
    except ValidationError:
        return _unknown(intent_id, "unreadable")
    return outcome if outcome.intent_id == intent_id else _unknown(intent_id, "other_intent")


def _unknown(intent_id: str, code: str) -> GatewayOutcome:
    _log.warning("gateway answer unknown", intent=intent_id, code=code)
    return GatewayOutcome(intent_id=intent_id, outcome=Outcome.UNKNOWN, code=code)

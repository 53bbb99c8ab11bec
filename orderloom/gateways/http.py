"""The adapter for gateways that speak the sandbox's HTTP protocol. Whatever is not a clear answer is unknown."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import aiohttp
import structlog
from pydantic import ValidationError

from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.domain.model import Message
from orderloom.gateways.sessions import UNANSWERED, code_of, open_session

_log = structlog.get_logger(__name__)

_REFUSED = frozenset({400, 422})
"""The gateway has read the request and will never do it; every other error status leaves open whether it did."""


class _Absence(Message):
    code: Literal["intent_unknown"]


class _Answer(NamedTuple):
    status: int
    body: bytes


class HttpGateway:
    """A payment gateway over HTTP: ``POST /operations`` and ``GET /operations/{intent_id}``."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        """Take a session, as from `connect`, which the caller closes, and the gateway's address."""
        self._session = session
        self._operations = f"{base_url.rstrip('/')}/operations"

    async def perform(self, request: GatewayRequest) -> GatewayOutcome:
        """Send *request* once; see `PaymentGateway.perform`."""
        try:
            answer = await self._ask("POST", self._operations, request.model_dump_json().encode())
        except UNANSWERED as error:
            return _unknown(request.intent_id, code_of(error))
        if answer.status in _REFUSED:
            code = f"refused_{answer.status}"
            return GatewayOutcome(intent_id=request.intent_id, outcome=Outcome.FAILED, code=code)
        return _read(request.intent_id, answer)

    async def lookup(self, intent_id: str) -> GatewayOutcome | None:
        """Ask what became of an intent; see `PaymentGateway.lookup`."""
        try:
            answer = await self._ask("GET", f"{self._operations}/{intent_id}")
        except UNANSWERED as error:
            return _unknown(intent_id, code_of(error))
        if _never_seen(answer):
            return None
        return _read(intent_id, answer)

    async def _ask(self, method: str, url: str, body: bytes | None = None) -> _Answer:
        headers = None if body is None else {"Content-Type": "application/json"}
        async with self._session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            return _Answer(response.status, await response.read())


def connect(
    base_url: str,
    *,
    connect_seconds: float = 2.0,
    answer_seconds: float = 10.0,
    traces: Sequence[aiohttp.TraceConfig] = (),
) -> aiohttp.ClientSession:
    """
    Return a session for a gateway at *base_url*; it gives up after these seconds, and the outcome is unknown.

    Args:
        traces: what watches the requests.
    """
    return open_session(base_url, connect_seconds=connect_seconds, answer_seconds=answer_seconds, traces=traces)


def _never_seen(answer: _Answer) -> bool:
    # A bare 404 may come from a proxy or a wrong address; sending again on its word could double a capture.
    if answer.status != 404:
        return False
    try:
        _Absence.model_validate_json(answer.body)
    except ValidationError:
        return False
    return True


def _read(intent_id: str, answer: _Answer) -> GatewayOutcome:
    if answer.status != 200:
        return _unknown(intent_id, f"status_{answer.status}")
    try:
        outcome = GatewayOutcome.model_validate_json(answer.body)
    except ValidationError:
        return _unknown(intent_id, "unreadable")
    return outcome if outcome.intent_id == intent_id else _unknown(intent_id, "other_intent")


def _unknown(intent_id: str, code: str) -> GatewayOutcome:
    _log.warning("gateway answer unknown", intent=intent_id, code=code)
    return GatewayOutcome(intent_id=intent_id, outcome=Outcome.UNKNOWN, code=code)

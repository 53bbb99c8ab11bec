"""The HTTP adapter never takes a missing or odd answer for success or failure."""

from collections.abc import Callable

import httpx
import pytest

from orderloom.contracts.outside import GatewayOutcome, Outcome
from orderloom.gateways.http import HttpGateway, connect

from .conftest import Sandbox, a_request


def _adapter(answer: Callable[[httpx.Request], httpx.Response]) -> HttpGateway:
    return HttpGateway(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://gateway.test"))


def _raising(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return answer


def _answering(status: int, body: object) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, json=body)


_UNCLEAR = [
    pytest.param(_raising(httpx.ReadTimeout("")), "ReadTimeout", id="no answer in time"),
    pytest.param(_raising(httpx.ConnectError("")), "ConnectError", id="no connection"),
    pytest.param(_raising(httpx.RemoteProtocolError("")), "RemoteProtocolError", id="broken connection"),
    pytest.param(_answering(500, {}), "status_500", id="500"),
    pytest.param(_answering(503, {}), "status_503", id="503"),
    pytest.param(_answering(504, {"code": "timeout"}), "status_504", id="504"),
    pytest.param(_answering(401, {}), "status_401", id="401"),
    pytest.param(_answering(409, {}), "status_409", id="409"),
    pytest.param(_answering(404, {"detail": "Not Found"}), "status_404", id="404 of a wrong address"),
    pytest.param(_answering(200, {"ok": True}), "unreadable", id="another body"),
    pytest.param(_answering(200, {"intent_id": "T9", "outcome": "succeeded"}), "other_intent", id="another intent"),
]


@pytest.mark.parametrize(("answer", "code"), _UNCLEAR)
async def test_no_clear_answer_is_unknown(answer: Callable[[httpx.Request], httpx.Response], code: str) -> None:
    """Performing ends unknown, with what was seen as its code."""
    outcome = await _adapter(answer).perform(a_request("T1"))

    assert outcome == GatewayOutcome(intent_id="T1", outcome=Outcome.UNKNOWN, code=code)


@pytest.mark.parametrize(("answer", "code"), _UNCLEAR)
async def test_a_lookup_without_clear_answer_is_unknown_never_unseen(
    answer: Callable[[httpx.Request], httpx.Response], code: str
) -> None:
    """None would let the caller send again, so only the gateway's own words make it None."""
    outcome = await _adapter(answer).lookup("T1")

    assert outcome == GatewayOutcome(intent_id="T1", outcome=Outcome.UNKNOWN, code=code)


@pytest.mark.parametrize("status", [400, 422])
async def test_a_request_that_the_gateway_will_never_do_has_failed(status: int) -> None:
    """The gateway read it and refused it: nothing was done."""
    outcome = await _adapter(_answering(status, {})).perform(a_request("T1"))

    assert outcome == GatewayOutcome(intent_id="T1", outcome=Outcome.FAILED, code=f"refused_{status}")


async def test_the_sandbox_and_the_adapter_speak_one_protocol(sandbox: Sandbox) -> None:
    """An authorisation, its lookup, and an intent that was never sent."""
    outcome = await sandbox.adapter.perform(a_request("100001-T1"))

    assert outcome.outcome is Outcome.SUCCEEDED
    assert await sandbox.adapter.lookup("100001-T1") == outcome
    assert await sandbox.adapter.lookup("100001-T2") is None


async def test_an_amount_of_zero_is_refused(sandbox: Sandbox) -> None:
    """The gateway says 422, which is a failure, and its books know nothing of it."""
    outcome = await sandbox.adapter.perform(a_request("T1", amount=0))

    assert (outcome.outcome, outcome.code) == (Outcome.FAILED, "refused_422")
    assert await sandbox.adapter.lookup("T1") is None


async def test_a_client_gives_up_after_its_timeouts() -> None:
    """No call to a gateway is without an end."""
    async with connect("http://gateway.test", connect_seconds=1.5, answer_seconds=4.0) as client:
        assert client.timeout == httpx.Timeout(4.0, connect=1.5)

"""The HTTP adapter never takes a missing or odd answer for success or failure."""

from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest

from orderloom.bootstrap.children import free_port
from orderloom.contracts.outside import GatewayOutcome, GatewayRequest, Outcome
from orderloom.gateways.http import HttpGateway, connect
from tests.peer import Answer, Peer, answering, closing, garbling, resetting

from .conftest import Sandbox, a_request

type Ask = Callable[[HttpGateway], Awaitable[GatewayOutcome | None]]

UNCLEAR = [
    pytest.param(closing, "RemoteProtocolError", id="closed without an answer"),
    pytest.param(resetting, "ReadError", id="reset"),
    pytest.param(garbling(b"220 mail.example ESMTP\r\n\r\n"), "RemoteProtocolError", id="another protocol"),
    pytest.param(garbling(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"), "RemoteProtocolError", id="cut off"),
    pytest.param(garbling(b"HTTP/1.1 400 No\r\nContent-Length: 9\r\n\r\n{"), "RemoteProtocolError", id="400 cut off"),
    pytest.param(answering(500, {}), "status_500", id="500"),
    pytest.param(answering(503, {}), "status_503", id="503"),
    pytest.param(answering(504, {"code": "timeout"}), "status_504", id="504"),
    pytest.param(answering(401, {}), "status_401", id="401"),
    pytest.param(answering(409, {}), "status_409", id="409"),
    pytest.param(answering(404, {"detail": "Not Found"}), "status_404", id="404 of a wrong address"),
    pytest.param(answering(307, headers="Location: /elsewhere\r\n"), "status_307", id="sent elsewhere"),
    pytest.param(garbling(b"HTTP/1.1 200 OK\r\n\r\n{\xff"), "unreadable", id="no JSON"),
    pytest.param(answering(200, {"ok": True}), "unreadable", id="another body"),
    pytest.param(answering(200, {"intent_id": "T9", "outcome": "succeeded"}), "other_intent", id="another intent"),
]


async def _perform(gateway: HttpGateway) -> GatewayOutcome | None:
    return await gateway.perform(a_request("T1"))


async def _look_up(gateway: HttpGateway) -> GatewayOutcome | None:
    return await gateway.lookup("T1")


BOTH = pytest.mark.parametrize("ask", [pytest.param(_perform, id="perform"), pytest.param(_look_up, id="lookup")])


@pytest.fixture
async def gateway(peer: Peer) -> AsyncIterator[HttpGateway]:
    """Return the adapter to *peer*."""
    async with connect(peer.url) as session:
        yield HttpGateway(session, peer.url)


def _unknown(code: str) -> GatewayOutcome:
    return GatewayOutcome(intent_id="T1", outcome=Outcome.UNKNOWN, code=code)


@pytest.mark.parametrize(("answer", "code"), UNCLEAR)
async def test_no_clear_answer_is_unknown(peer: Peer, gateway: HttpGateway, answer: Answer, code: str) -> None:
    """Performing ends unknown, with what was seen as its code, and was asked for once, where it belongs."""
    peer.answer = answer

    assert await gateway.perform(a_request("T1")) == _unknown(code)
    assert [(asked.method, asked.target) for asked in peer.asked] == [("POST", "/operations")]


@pytest.mark.parametrize(("answer", "code"), UNCLEAR)
async def test_a_lookup_without_clear_answer_is_unknown_never_unseen(
    peer: Peer, gateway: HttpGateway, answer: Answer, code: str
) -> None:
    """None would let the caller send again, so only the gateway's own words make it None."""
    peer.answer = answer

    assert await gateway.lookup("T1") == _unknown(code)
    assert {(asked.method, asked.target) for asked in peer.asked} == {("GET", "/operations/T1")}


@BOTH
async def test_silence_is_unknown(peer: Peer, ask: Ask) -> None:
    """The gateway heard it and may be doing it: it is asked once, and the adapter gives up."""
    async with connect(peer.url, answer_seconds=0.1) as session:
        outcome = await ask(HttpGateway(session, peer.url))

    assert outcome == _unknown("ReadTimeout")
    assert len(peer.asked) == 1


@BOTH
async def test_a_refused_connection_is_unknown(ask: Ask) -> None:
    """Nobody listens; what the adapter cannot know it does not guess."""
    url = f"http://127.0.0.1:{free_port()}"
    async with connect(url) as session:
        assert await ask(HttpGateway(session, url)) == _unknown("ConnectError")


@BOTH
async def test_an_address_that_is_none_is_unknown(ask: Ask) -> None:
    """It is a mistake in a setting, which says nothing of what happened to the intent."""
    async with connect("gateway:8090") as session:
        assert await ask(HttpGateway(session, "gateway:8090")) == _unknown("UnsupportedProtocol")


@BOTH
async def test_a_connection_that_is_never_made_is_unknown(peer: Peer, ask: Ask) -> None:
    """The other side is silent before anything can be sent: it never says hello as TLS needs it."""
    url = peer.url.replace("http:", "https:")
    async with connect(url, connect_seconds=0.1) as session:
        assert await ask(HttpGateway(session, url)) == _unknown("ConnectTimeout")
    assert peer.asked == []


@pytest.mark.parametrize("status", [400, 422])
async def test_a_request_that_the_gateway_will_never_do_has_failed(
    peer: Peer, gateway: HttpGateway, status: int
) -> None:
    """The gateway read it and refused it: nothing was done."""
    peer.answer = answering(status, {})

    outcome = await gateway.perform(a_request("T1"))

    assert outcome == GatewayOutcome(intent_id="T1", outcome=Outcome.FAILED, code=f"refused_{status}")


@pytest.mark.parametrize("base", ["", "/", "/psp", "/psp/"])
async def test_a_request_arrives_as_it_was_made(peer: Peer, base: str) -> None:
    """It comes as JSON below the gateway's address, and holds every field."""
    peer.answer = answering(200, {"intent_id": "T1", "outcome": "succeeded"})
    async with connect(peer.url) as session:
        gateway = HttpGateway(session, f"{peer.url}{base}")
        await gateway.perform(a_request("T1", reference="tok_ö"))
        await gateway.lookup("T1")

    sent, looked_up = peer.asked
    assert (sent.method, sent.target) == ("POST", f"{base.rstrip('/')}/operations")
    assert sent.headers["content-type"] == "application/json"
    assert GatewayRequest.model_validate_json(sent.body) == a_request("T1", reference="tok_ö")
    assert (looked_up.method, looked_up.target) == ("GET", f"{base.rstrip('/')}/operations/T1")
    assert looked_up.body == b""


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


async def test_a_session_gives_up_after_its_timeouts() -> None:
    """No call to a gateway is without an end; waiting for a free connection takes no longer than for an answer."""
    async with connect("http://gateway.test", connect_seconds=1.5, answer_seconds=4.0) as session:
        assert session.timeout == aiohttp.ClientTimeout(total=None, connect=5.5, sock_connect=1.5, sock_read=4.0)

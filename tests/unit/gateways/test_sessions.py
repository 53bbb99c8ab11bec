"""A session sends a request once and takes only its own answer; beyond idle connections it keeps nothing."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from orderloom.gateways.sessions import open_session
from tests.peer import Peer, answering, closing

FAREWELL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
async def session(peer: Peer) -> AsyncIterator[aiohttp.ClientSession]:
    """Return a session to *peer*."""
    async with open_session(peer.url, connect_seconds=2, answer_seconds=10) as session:
        yield session


async def _post(session: aiohttp.ClientSession, url: str) -> int:
    async with session.post(url, data=b"{}") as response:
        await response.read()
    return response.status


async def test_an_idle_connection_is_used_again(peer: Peer, session: aiohttp.ClientSession) -> None:
    """One after the other, requests go over one connection."""
    peer.answer = answering(200, {})

    assert [await _post(session, peer.url) for _ in range(3)] == [200, 200, 200]
    assert len(peer.connections) == 1


@pytest.mark.parametrize("looked", [pytest.param(True, id="noticed"), pytest.param(False, id="not yet noticed")])
@pytest.mark.parametrize("spoken", [pytest.param(b"", id="closed"), pytest.param(FAREWELL, id="spoken")])
async def test_a_stale_connection_is_not_used(
    peer: Peer, session: aiohttp.ClientSession, spoken: bytes, looked: bool
) -> None:
    """
    The server closes connections that are idle, or speaks on them as if it had been asked: the next request goes over
    a new one, arrives once, and has the answer that is meant for it.
    """
    peer.answer = answering(200, {})
    await asyncio.gather(_post(session, peer.url), _post(session, peer.url))
    for connection in peer.connections:
        if spoken:
            connection.write(spoken)
        else:
            connection.write_eof()
    if looked:
        await asyncio.to_thread(int)  # its end wakes the event loop, which then reads from all its sockets

    assert await _post(session, peer.url) == 200
    assert len(peer.connections) == 3
    assert len(peer.asked) == 3


@pytest.mark.parametrize("used", [False, True], ids=["new", "used before"])
async def test_a_post_whose_connection_breaks_is_not_repeated(
    peer: Peer, session: aiohttp.ClientSession, used: bool
) -> None:
    """The server has read it and closes: whether it did what was asked is for the caller to find out."""
    if used:
        peer.answer = answering(200, {})
        await _post(session, peer.url)
    peer.answer = closing

    with pytest.raises(aiohttp.ServerDisconnectedError):
        await _post(session, peer.url)
    assert len(peer.asked) == 1 + used
    assert len(peer.connections) == 1


async def test_cookies_are_not_kept(peer: Peer, session: aiohttp.ClientSession) -> None:
    """What the server wants remembered does not come back."""
    peer.answer = answering(200, {}, "Set-Cookie: who=you; Path=/\r\n")

    for _ in range(2):
        await _post(session, peer.url.replace("127.0.0.1", "localhost"))  # an address would have no cookies anyway

    assert ["cookie" in asked.headers for asked in peer.asked] == [False, False]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Return an environment without proxies."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("before", ["http://", "http://me:mine@", ""])
async def test_the_environments_proxy_is_used(
    peer: Peer, environment: pytest.MonkeyPatch, name: str, before: str
) -> None:
    """It is asked for the whole address, whose host need not even exist, and is told who asks."""
    peer.answer = answering(200, {})
    environment.setenv(name, f"{before}{peer.url.removeprefix('http://')}")

    async with open_session("http://gateway.invalid", connect_seconds=2, answer_seconds=10) as session:
        assert await _post(session, "http://gateway.invalid/operations") == 200

    [asked] = peer.asked
    assert asked.target == "http://gateway.invalid/operations"
    assert asked.headers.get("proxy-authorization") == ("Basic bWU6bWluZQ==" if "@" in before else None)


@pytest.mark.parametrize("exempt", ["*", "127.0.0.1", "gateway.test,127.0.0.1", "127.0.0.1:{port}"])
async def test_hosts_can_be_exempt_from_the_proxy(peer: Peer, environment: pytest.MonkeyPatch, exempt: str) -> None:
    """They are asked themselves."""
    peer.answer = answering(200, {})
    environment.setenv("HTTP_PROXY", "http://proxy.invalid")
    environment.setenv("NO_PROXY", exempt.format(port=peer.url.rpartition(":")[2]))

    async with open_session(peer.url, connect_seconds=2, answer_seconds=10) as session:
        assert await _post(session, f"{peer.url}/operations") == 200

    assert [asked.target for asked in peer.asked] == ["/operations"]

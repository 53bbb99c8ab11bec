"""HTTP sessions for what every order asks of a gateway, or a gateway tells: nothing is kept but idle connections."""

import select
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import aiohttp
import httpx
from aiohttp.base_protocol import BaseProtocol
from aiohttp.connector import Connection

AT_ONCE = 100
"""Requests of one session that may be under way; the next one waits."""
KEEP_ALIVE = 5.0
"""Seconds that an idle connection is kept: less than servers keep it, so that none is used as it is being closed."""

UNANSWERED = (aiohttp.ClientError, TimeoutError)
"""What a request raises that had no readable answer."""

_used: WeakSet[BaseProtocol] = WeakSet()
"""Connections into which a request has gone."""


class _Stale(Exception):
    """The other side closed an idle connection, or spoke on it unasked; nothing was sent."""


class _Request(aiohttp.ClientRequest):
    """Goes only into a connection that is new or silent: what was there before it is not its answer."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        protocol, transport = conn.protocol, conn.transport
        assert protocol is not None
        assert transport is not None
        # The event loop may not yet have read what the socket has.
        if protocol in _used and (protocol.should_close or _readable(transport.get_extra_info("socket").fileno())):
            raise _Stale
        _used.add(protocol)
        return await super().send(conn)


async def _into_a_live_connection(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    while True:  # until no idle connection is left: a new one is not stale
        with suppress(_Stale):
            return await handler(request)


def open_session(
    url: str,
    *,
    connect_seconds: float,
    answer_seconds: float,
    traces: Sequence[aiohttp.TraceConfig] = (),
) -> aiohttp.ClientSession:
    """
    Return a session, to be closed by the caller, for requests to the host of *url*.

    It keeps no cookies and honours the environment's proxies and ``SSL_CERT_FILE`` as they are now. A POST is sent
    once, come what may; a GET is sent once more if its connection broke.

    Args:
        connect_seconds: how long a host that was found may take to accept a connection, and then to make it safe.
        answer_seconds: how long the other side may be silent; also how long a request waits for a free connection.
        traces: what watches the requests.
    """
    connector = aiohttp.TCPConnector(
        limit=AT_ONCE,
        keepalive_timeout=KEEP_ALIVE,
        use_dns_cache=False,  # connections are made seldom, and a gateway that moved is to be found
        # The same authorities are trusted as by all other calls; to read who they are takes 20 ms.
        ssl=httpx.create_ssl_context() if urlsplit(url).scheme == "https" else True,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        request_class=_Request,
        middlewares=(_into_a_live_connection,),
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=answer_seconds + connect_seconds,
            sock_connect=connect_seconds,
            sock_read=answer_seconds,
        ),
        proxy=_proxy(url),
        trace_configs=list(traces),
    )


def code_of(error: Exception) -> str:
    """Return what a request met that is `UNANSWERED`, in the words that logs and histories have always had for it."""
    match error:
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return "UnsupportedProtocol"
        case aiohttp.ConnectionTimeoutError():
            return "ConnectTimeout"
        case TimeoutError():
            return "ReadTimeout"
        case aiohttp.ClientConnectorError():
            return "ConnectError"
        case OSError():
            return "ReadError"
        case _:
            return "RemoteProtocolError"


def _readable(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def _proxy(url: str) -> str | None:
    # Once: a session that trusts the environment asks it at every request, in another thread.
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or any(proxy_bypass(host) for host in (parts.hostname or "", parts.netloc)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"

"""HTTP calls of a flow that runs here: to loopback and to the hosts that are allowed, and to nothing else."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from ipaddress import ip_address
from typing import Any

import httpx

from flows_dsl.http_call import HttpRequest
from flows_dsl.problems import MAX_RESULT, SPECIFICATION, too_large
from flows_dsl.runner import FlowFailure
from orderloom.domain.errors import OrderloomError, Problem
from orderloom.domain.model import Json, JsonObject

TIMEOUT = 15.0
"""Seconds of a call with all of its redirects."""

REDIRECTS = 5
"""How many redirects of one call are followed."""


class HostNotAllowed(OrderloomError):
    """A flow wants to call a host that it may not.

    Allow it with --allow HOST, if you trust the flow with it.
    """

    code = "http.not_allowed"
    status = 403


class HttpCaller:
    """Makes the HTTP calls of one run of a flow."""

    def __init__(self, run: str, allowed: Collection[str] = (), *, timeout: float = TIMEOUT) -> None:
        """Take what tells this run from others, and the hosts (``host`` or ``host:port``) beside loopback."""
        self._run = run
        self._allowed = frozenset(it.lower() for it in allowed)
        self._timeout = timeout

    async def call(self, key: str, arguments: JsonObject) -> Json:
        """
        Make the request that *arguments* describe and return what its ``output`` asks for.

        Raises:
            FlowFailure: the host is not allowed; nobody answered, or with an error; the answer is over its cap.
        """
        request = HttpRequest.model_validate(arguments)
        try:
            async with asyncio.timeout(self._timeout), _client() as client:
                sent = client.build_request(
                    request.method.upper(),
                    request.endpoint,
                    params={name: _text(value) for name, value in request.query.items()} or None,
                    headers=self._headers(key, request),
                    content=None if request.body is None else _body(request.body),
                )
                return await self._answer(client, sent, request)
        except TimeoutError:
            raise _communication(f"No answer came within {self._timeout} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _communication(f"{request.endpoint} did not answer: {type(error).__name__}.") from None

    def _headers(self, key: str, request: HttpRequest) -> dict[str, str]:
        headers = {"idempotency-key": sha256(f"{self._run}{key}".encode()).hexdigest()[:32]}
        if request.body is not None and not isinstance(request.body, str):
            headers["content-type"] = "application/json"
        return headers | {name.lower(): _text(value) for name, value in request.headers.items()}

    async def _answer(self, client: httpx.AsyncClient, sent: httpx.Request, request: HttpRequest) -> Json:
        for _ in range(REDIRECTS + 1):
            self._allow(sent.url)
            response = await client.send(sent, stream=True)
            try:
                following = response.next_request if request.redirect else None
                if following is None:
                    return _output(request, sent, response, await _content(sent, response))
            finally:
                await response.aclose()
            sent = following
        raise _communication(f"More than {REDIRECTS} redirects.")

    def _allow(self, url: httpx.URL) -> None:
        host = url.host.lower()
        if url.scheme not in {"http", "https"} or not (_loopback(host) or {host, f"{host}:{url.port}"} & self._allowed):
            raise FlowFailure(HostNotAllowed(f"{url.scheme}://{host} may not be called.", host=host).problem())


def _client() -> httpx.AsyncClient:
    # Without the environment: a proxy named there would be called instead of the host.
    return httpx.AsyncClient(trust_env=False, follow_redirects=False)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def _content(sent: httpx.Request, response: httpx.Response) -> bytes:
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > MAX_RESULT:
            raise too_large(f"The answer of {sent.url.host}", len(content), MAX_RESULT, "")
    return content


def _output(request: HttpRequest, sent: httpx.Request, response: httpx.Response, content: bytes) -> Json:
    if not 200 <= response.status_code < (400 if request.redirect else 300):
        detail = f"{sent.method} {sent.url} was answered with {response.status_code}."
        raise _communication(detail, response.status_code)
    if request.output == "raw":
        return b64encode(content).decode()
    read = _read(response, content)
    if request.output == "content":
        return read
    return {
        "request": {"method": sent.method.lower(), "uri": str(sent.url), "headers": _told(sent.headers)},
        "statusCode": response.status_code,
        "headers": _told(response.headers),
        "content": read,
    }


def _read(response: httpx.Response, content: bytes) -> Json:
    """Return the content: JSON when it says that it is, else text; nothing when there is none."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(content)
    return content.decode(response.charset_encoding or "utf-8", errors="replace")


def _told(headers: Mapping[str, str]) -> dict[str, Any]:
    return {name.lower(): value for name, value in sorted(headers.items())}


def _body(value: Json) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()


def _text(value: str | float | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _communication(detail: str, status: int = 500) -> FlowFailure:
    """Return the specification's error for a call that did not succeed."""
    return FlowFailure(
        Problem(
            type=f"{SPECIFICATION}communication",
            title="A call to the outside did not succeed.",
            status=status,
            detail=detail,
            code="communication",
            remedy="See whether the other side works, or catch the error.",
        )
    )

"""HTTP calls of flows: to the hosts that are allowed, and to nothing else."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from typing import Any

import httpx

from flows_dsl.http_call import HttpRequest
from flows_dsl.openapi_call import OPENAPI, OpenApiRequest, request_of
from flows_dsl.outside_calls import HostNotAllowed
from flows_dsl.problems import MAX_RESULT, communication_failure, configuration_failure, too_large
from flows_dsl.runner import FlowFailure
from flows_dsl.yaml_reader import MAX_BYTES, YamlRefused, read
from orderloom.domain.model import Json, JsonObject

TIMEOUT = 15.0
"""Seconds of a call with all of its redirects."""

FRESH = 3600.0
"""Seconds after which the document of an API is asked for anew."""

REDIRECTS = 5
"""How many redirects of one call are followed."""


class HttpCaller:
    """Makes HTTP calls of flows."""

    def __init__(self, allowed: Collection[str] = (), *, loopback: bool = False, timeout: float = TIMEOUT) -> None:
        """Take the hosts that may be called (``host`` or ``host:port``), and whether all of loopback may be."""
        self._allowed = frozenset(it.lower() for it in allowed)
        self._loopback = loopback
        self._timeout = timeout
        self._documents: dict[str, tuple[float, Json]] = {}
        """Of APIs by their URI, and until when they are fresh."""

    async def call(self, call: str, key: str, arguments: JsonObject) -> Json:
        """
        Make the request that the *arguments* of *call* describe and return what its ``output`` asks for.

        The other side is sent a digest of *key*, so that it can tell a repetition from another call.

        Raises:
            FlowFailure: the host is not allowed; nobody answered, or with an error; the answer is over its cap; the
                document of an API cannot be used.
        """
        if call == OPENAPI:
            arguments = await self._operation(key, OpenApiRequest.model_validate(arguments))
        return await self._request(key, HttpRequest.model_validate(arguments), MAX_RESULT)

    async def _operation(self, key: str, asked: OpenApiRequest) -> JsonObject:
        """Return the request that an operation stands for; a document is asked for once an hour at most."""
        endpoint = asked.document.endpoint
        known = self._documents.get(endpoint)
        if known is None or known[0] < monotonic():
            request = HttpRequest(method="get", endpoint=endpoint, output="content")
            answer = await self._request(f"{key}!document", request, MAX_BYTES)
            known = self._documents[endpoint] = (monotonic() + FRESH, _document(answer))
        return request_of(asked, known[1])

    async def _request(self, key: str, request: HttpRequest, most: int) -> Json:
        try:
            async with asyncio.timeout(self._timeout), _client() as client:
                sent = client.build_request(
                    request.method.upper(),
                    request.endpoint,
                    params=_query(request) or None,
                    headers=self._headers(key, request),
                    content=None if request.body is None else _body(request.body),
                )
                return await self._answer(client, sent, request, most)
        except TimeoutError:
            raise communication_failure(f"No answer came within {self._timeout} seconds.") from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise communication_failure(f"{request.endpoint} did not answer: {type(error).__name__}.") from None

    def _headers(self, key: str, request: HttpRequest) -> dict[str, str]:
        headers = {"idempotency-key": sha256(key.encode()).hexdigest()[:32]}
        if request.body is not None and not isinstance(request.body, str):
            headers["content-type"] = "application/json"
        return headers | {name.lower(): _text(value) for name, value in request.headers.items()}

    async def _answer(self, client: httpx.AsyncClient, sent: httpx.Request, request: HttpRequest, most: int) -> Json:
        for _ in range(REDIRECTS + 1):
            self._allow(sent.url)
            response = await client.send(sent, stream=True)
            try:
                following = response.next_request if request.redirect else None
                if following is None:
                    return _output(request, sent, response, await _content(sent, response, most))
            finally:
                await response.aclose()
            sent = following
        raise communication_failure(f"More than {REDIRECTS} redirects.")

    def _allow(self, url: httpx.URL) -> None:
        host = url.host.lower()
        ports = {"http": 80, "https": 443}
        named = {host, f"{host}:{url.port or ports.get(url.scheme)}"} & self._allowed
        if url.scheme not in ports or not (named or (self._loopback and _loopback(host))):
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


async def _content(sent: httpx.Request, response: httpx.Response, most: int) -> bytes:
    content = b""
    async for part in response.aiter_bytes():
        content += part
        if len(content) > most:
            raise too_large(f"The answer of {sent.url.host}", len(content), most, "")
    return content


def _output(request: HttpRequest, sent: httpx.Request, response: httpx.Response, content: bytes) -> Json:
    if not 200 <= response.status_code < (400 if request.redirect else 300):
        detail = f"{sent.method} {sent.url} was answered with {response.status_code}."
        raise communication_failure(detail, response.status_code)
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


def _query(request: HttpRequest) -> list[tuple[str, str | int | float | bool | None]]:
    return [
        (name, _text(each))
        for name, value in request.query.items()
        for each in (value if isinstance(value, list) else [value])
    ]


def _document(answer: Json) -> Json:
    """Return the document of an API that came as JSON, or as text that is YAML."""
    if not isinstance(answer, str):
        return answer
    try:
        return read(answer)[0]
    except YamlRefused as refused:
        raise configuration_failure(f"The document of the API cannot be read: {refused}.") from None


def _body(value: Json) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()


def _text(value: str | float | bool | None) -> str:
    return value if isinstance(value, str) else json.dumps(value)

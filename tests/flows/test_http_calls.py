"""`call: http` in `orderloom flows run`: what is sent, what comes of the answer, and where no call goes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from activities.calling import HttpCaller
from flows_dsl.compiled import CompiledFlow
from flows_dsl.testing import draft
from orderloom.cli.flows.local import Uncaught, run_locally
from orderloom.domain.errors import Problem
from orderloom.domain.model import JsonObject


class _Handler(BaseHTTPRequestHandler):
    seen: list[dict[str, Any]]

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.seen.append(
            {
                "method": self.command,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": self.rfile.read(length).decode(),
            }
        )
        status, headers, body = _ANSWERS[self.path.partition("?")[0]]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


_JSON = {"content-type": "application/json; charset=utf-8"}
_API = b"""
openapi: 3.1.0
paths:
  /text: {get: {operationId: text, parameters: [{name: q, in: query}]}}
  /there: {get: {operationId: there}}
"""
_ANSWERS: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/pets/a%20b": (200, _JSON, b'{"id": 1}'),
    "/text": (200, {"content-type": "text/plain"}, "Zürich".encode()),
    "/empty": (204, {}, b""),
    "/gone": (404, _JSON, b'{"secret": 1}'),
    "/large": (200, {}, b"x" * 17_000),
    "/broken": (200, _JSON, b"{"),
    "/there": (302, {"location": "/text"}, b""),
    "/api.yaml": (200, {"content-type": "application/yaml"}, _API),
    "/away": (302, {"location": "http://shop.example/"}, b""),
    "/round": (302, {"location": "/round"}, b""),
}


@pytest.fixture(name="seen")
def _seen() -> Iterator[list[dict[str, Any]]]:
    """Run a server on loopback; return what it is asked, after the port."""
    _Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    _Handler.seen.append({"port": server.server_port})
    yield _Handler.seen
    server.shutdown()
    thread.join()
    server.server_close()


def _flow(seen: list[dict[str, Any]], path: str, more: str = "", method: str = "get") -> CompiledFlow:
    uri = f"http://127.0.0.1:{seen[0]['port']}{path}"
    return draft(f"  - a: {{call: http, with: {{method: {method}, endpoint: '{uri}'{more}}}}}\n")


async def _problem(flow: CompiledFlow, **more: Any) -> Problem:
    with pytest.raises(Uncaught) as uncaught:
        await run_locally(flow, {}, **more)
    return uncaught.value.problem


async def test_a_call_reaches_loopback_with_all_that_it_names(seen: list[dict[str, Any]]) -> None:
    """Method, URI with a field of the input, query, headers and body arrive; JSON comes back as JSON."""
    more = ", query: {q: 'x y', n: 2}, headers: {X-Mine: '${ input.pet }'}, body: {deep: ['${ 1 + 1 }']}"

    output = await run_locally(_flow(seen, "/pets/{pet}", more, "post"), {"pet": "a b"})

    [_, sent] = seen
    assert output == {"id": 1}
    assert (sent["method"], sent["path"]) == ("POST", "/pets/a%20b?n=2&q=x+y")
    assert sent["headers"]["x-mine"] == "a b"
    assert sent["headers"]["content-type"] == "application/json"
    assert len(sent["headers"]["idempotency-key"]) == 32
    assert json.loads(sent["body"]) == {"deep": [2]}


async def test_the_output_is_what_was_asked_for(seen: list[dict[str, Any]]) -> None:
    """Content is text unless it says that it is JSON, raw is base64, and the response holds all of it."""
    whole: Any = await run_locally(_flow(seen, "/text", ", output: response"), {})

    assert await run_locally(_flow(seen, "/text"), {}) == "Zürich"
    assert await run_locally(_flow(seen, "/text", ", output: raw"), {}) == "WsO8cmljaA=="
    assert await run_locally(_flow(seen, "/empty"), {}) is None
    assert (whole["statusCode"], whole["content"], whole["headers"]["content-type"]) == (200, "Zürich", "text/plain")
    assert (whole["request"]["method"], whole["request"]["uri"].rpartition("/")[2]) == ("get", "text")


async def test_an_error_status_is_the_specifications_error(seen: list[dict[str, Any]]) -> None:
    """It has the status of the answer, names the task, can be caught, and holds nothing of the content."""
    problem = await _problem(_flow(seen, "/gone"))

    assert problem.type == "https://serverlessworkflow.io/spec/1.0.0/errors/communication"
    assert (problem.status, problem.instance) == (404, "/do/0/a")
    assert "secret" not in problem.model_dump_json()


async def test_an_operation_is_called_by_its_document(seen: list[dict[str, Any]]) -> None:
    """The document is asked for once, JSON or YAML; output and redirects are those of call: http."""
    document = f"document: {{endpoint: 'http://127.0.0.1:{seen[0]['port']}/api.yaml'}}"
    flow = draft(
        f"  - a: {{call: openapi, with: {{{document}, operationId: text, parameters: {{q: [1, x]}}, output: raw}}}}\n"
        f"  - b: {{call: openapi, with: {{{document}, operationId: there, redirect: true}}}}\n"
        f"  - c: {{call: openapi, with: {{{document}, operationId: there}}}}\n"
    )

    assert (await _problem(flow)).status == 302
    assert [it["path"] for it in seen[1:]] == ["/api.yaml", "/text?q=1&q=x", "/there", "/text", "/there"]


@pytest.mark.parametrize(
    ("path", "more", "code", "status"),
    [
        pytest.param("/large", "", "flow.too_large", 413, id="large"),
        pytest.param("/broken", "", "communication", 500, id="no-json"),
        pytest.param("/{pet}", "", "expression", 400, id="no-field"),
        pytest.param("/text", ", redirect: \"${ 'x' }\"", "expression", 400, id="no-request"),
    ],
)
async def test_what_is_no_request_or_no_answer_is_an_error(
    seen: list[dict[str, Any]], path: str, more: str, code: str, status: int
) -> None:
    """Each has its code; what is no request is not sent."""
    problem = await _problem(_flow(seen, path, more))

    assert (problem.code, problem.status) == (code, status)
    assert len(seen) == (1 if code == "expression" else 2)


async def test_redirects_are_errors_unless_asked_for_and_reach_no_other_host(seen: list[dict[str, Any]]) -> None:
    """Every step is held against what is allowed; one that leads round and round ends."""
    follow = ", redirect: true"

    assert (await _problem(_flow(seen, "/there"))).status == 302
    assert await run_locally(_flow(seen, "/there", follow), {}) == "Zürich"
    assert (await _problem(_flow(seen, "/away", follow))).code == "http.not_allowed"
    assert (await _problem(_flow(seen, "/round", follow))).code == "communication"
    assert len(seen) == 1 + 1 + 2 + 1 + 6


@pytest.mark.parametrize(
    "uri",
    [
        "http://shop.example/", "http://169.254.169.254/latest", "http://127.0.0.1@shop.example/", "file:///etc/passwd",
        "http://localhost.shop.example/", "http://0.0.0.0/", "http://[::ffff:10.0.0.1]/", "ftp://localhost/",
    ],
)  # fmt: skip
async def test_other_hosts_are_not_called(uri: str) -> None:
    """Neither by another scheme, nor by a name that looks like loopback."""
    flow = draft(f"  - a: {{call: http, with: {{method: get, endpoint: '{uri}'}}}}\n")

    assert (await _problem(flow, allowed=["other.example"])).code == "http.not_allowed"


async def test_a_host_that_is_allowed_may_be_called(seen: list[dict[str, Any]]) -> None:
    """It may be named with or without its port, in any case; a port that is not named is not allowed."""
    del seen
    answered: list[str] = []

    for allowed, uri in (
        ("SHOP.invalid", "http://shop.invalid:1/"),
        ("shop.invalid:1", "http://shop.invalid:1/"),
        ("shop.invalid:2", "http://shop.invalid:1/"),
    ):
        flow = draft(f"  - a: {{call: http, with: {{method: get, endpoint: '{uri}'}}}}\n")
        answered.append((await _problem(flow, allowed=[allowed])).code)

    assert answered == ["communication", "communication", "http.not_allowed"]


async def test_a_retry_has_another_key_and_another_run_too(seen: list[dict[str, Any]]) -> None:
    """A server that answers by key does a call again only when it is meant to be done again."""
    port = seen[0]["port"]
    arguments: JsonObject = {"method": "get", "endpoint": f"http://127.0.0.1:{port}/text"}

    for run, key in (("1", "a"), ("1", "a"), ("1", "b"), ("2", "a")):
        await HttpCaller(loopback=True).call("http", f"{run}{key}", arguments)
    first, again, other, elsewhere = (it["headers"]["idempotency-key"] for it in seen[1:])

    assert first == again
    assert len({first, other, elsewhere}) == 3


async def test_a_call_that_lasts_is_given_up(seen: list[dict[str, Any]]) -> None:
    """After its time there is an error, whatever the other side does."""
    arguments: JsonObject = {"method": "get", "endpoint": f"http://127.0.0.1:{seen[0]['port']}/text"}

    with pytest.raises(Exception, match="communication") as failed:
        await HttpCaller(loopback=True, timeout=0.0).call("http", "a", arguments)

    assert "No answer came" in str(failed.value)

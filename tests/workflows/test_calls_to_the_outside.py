"""`call: http` and `call: openapi` in the flow of an order: made by workers, to hosts that are allowed, once."""

import json
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus

from orderloom.contracts.queues import workflow_id
from orderloom.settings import Settings
from tests.workflows.shop import Shop

API = {
    "openapi": "3.1.0",
    "servers": [{"url": "/"}],
    "paths": {
        "/scores/{order}": {
            "get": {"operationId": "score", "parameters": [{"name": "order", "in": "path", "required": True}]}
        }
    },
}


class _Handler(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str | None]]

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        self.rfile.read(length)
        self.seen.append((self.command, self.path, self.headers.get("idempotency-key")))
        content = API if self.path == "/api.json" else {"score": len(self.seen)}
        body = json.dumps(content).encode()
        self.send_response(503 if self.path == "/down" else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture(name="service", scope="module")
def _service() -> Iterator[ThreadingHTTPServer]:
    """Run a service on loopback."""
    _Handler.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def settings(settings: Settings, service: ThreadingHTTPServer) -> Settings:
    """Let flows call the service."""
    return settings.model_copy(update={"http_allow": f"127.0.0.1:{service.server_port}"})


@pytest.fixture
def flows(service: ThreadingHTTPServer) -> Sequence[str]:
    """Return a flow that calls the service, waits, and asks it by its document; and one that calls what it may not."""
    port = service.server_port
    return (
        f"""
document: {{dsl: 1.0.3, namespace: test, name: score, version: 1.0.0}}
evaluate: {{language: cel}}
schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}
do:
  - post:
      call: http
      with: {{method: post, endpoint: 'http://127.0.0.1:{port}/scores', body: {{order: '${{ order.id }}'}}}}
  - told: {{emit: {{event: {{with: {{type: test.scored, data: '${{ input }}'}}}}}}}}
  - until-shipped:
      listen: {{to: {{one: {{with: {{type: fulfillment.accepted}}}}}}}}
      timeout: {{after: P1D}}
  - ask:
      call: openapi
      with:
        document: {{endpoint: 'http://127.0.0.1:{port}/api.json'}}
        operationId: score
        parameters: {{order: '${{ order.id }}'}}
  - told-again: {{emit: {{event: {{with: {{type: test.scored, data: '${{ input }}'}}}}}}}}
""",
        f"""
document: {{dsl: 1.0.3, namespace: test, name: stray, version: 1.0.0}}
evaluate: {{language: cel}}
schedule: {{on: {{one: {{with: {{type: order.placed}}}}}}}}
do:
  - attempt:
      try:
        - down: {{call: http, with: {{method: get, endpoint: 'http://127.0.0.1:{port}/down'}}}}
      catch:
        as: error
        do:
          - told: {{emit: {{event: {{with: {{type: test.down, data: {{status: '${{ error.status }}'}}}}}}}}}}
  - stray: {{call: http, with: {{method: get, endpoint: 'http://localhost:{port}/scores'}}}}
""",
    )


async def test_an_orders_flow_calls_hosts_that_are_allowed_and_no_others(shop: Shop) -> None:
    """Each call is made once, with a key of its own; one that is answered with an error can be caught."""
    _Handler.seen.clear()
    order = await shop.place()
    await shop.until_journal(order, "test.scored")
    [stray] = await shop.exceptions(order)
    await shop.report(order, "accepted")
    await shop.until_journal(order, "test.scored", times=2)

    asked = sorted((method, path) for method, path, _ in _Handler.seen)
    assert asked == [("GET", "/api.json"), ("GET", "/down"), ("GET", f"/scores/{order}"), ("POST", "/scores")]
    assert len({key for _, _, key in _Handler.seen}) == 4
    assert (stray["code"], stray["task"]) == ("http.not_allowed", "/do/1/stray")
    assert await shop.events(order, "test.down") == [("test.down", {"status": 503})]
    assert [data["score"] in range(1, 5) for _, data in await shop.events(order, "test.scored")] == [True, True]


async def test_a_revived_order_keeps_the_answers_that_it_had(shop: Shop) -> None:
    """When the workflow is lost, what was answered is not asked for again."""
    order = await shop.place()
    await shop.until_journal(order, "test.scored")
    await shop.exceptions(order)
    await shop.until_quiet(order)
    handle = shop.stack.client.get_workflow_handle(workflow_id(order))
    await handle.terminate("lost")
    _Handler.seen.clear()

    await shop.report(order, "accepted")
    await shop.until_journal(order, "test.scored", times=2)

    assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    assert [(method, path) for method, path, _ in _Handler.seen if path != "/api.json"] == [("GET", f"/scores/{order}")]

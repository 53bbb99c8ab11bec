"""Each HTTP request that is watched makes a span, and carries the trace to the other side."""

import asyncio

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from orderloom.bootstrap.children import free_port
from orderloom.gateways.http import HttpGateway, connect
from orderloom.telemetry.traces import Traces
from tests.peer import Peer, answering


async def _lookup(url: str, *, patience: float = 10.0) -> ReadableSpan:
    """Look something up below a span of the caller, and return the request's own, which comes before it."""
    exporter = InMemorySpanExporter()
    traces = Traces(exporter)
    async with connect(url, traces=[traces.requests()]) as session:
        with traces.provider.get_tracer("test").start_as_current_span("caller") as caller:
            try:
                async with asyncio.timeout(patience):
                    await HttpGateway(session, url).lookup("T1")
            except TimeoutError:
                pass
    await traces.close()
    request, _ = exporter.get_finished_spans()
    assert request.parent == caller.get_span_context()
    return request


async def test_a_request_is_a_span_that_the_other_side_hears_of() -> None:
    """The span says what was asked of whom and what was answered; its ids are in the request's header."""
    async with Peer.listening() as peer:
        peer.answer = answering(503)
        span = await _lookup(peer.url)

    assert (span.name, span.kind, span.status.status_code) == ("GET", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(span.attributes or {}) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "url.path": "/operations/T1",
        "http.response.status_code": 503,
    }
    [asked] = peer.asked
    ids = [f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}"]
    assert asked.headers["traceparent"].split("-")[1:3] == ids


async def test_a_request_without_an_answer_is_a_span_that_failed() -> None:
    """It says what the request met."""
    span = await _lookup(f"http://127.0.0.1:{free_port()}")

    assert span.status.status_code is StatusCode.ERROR
    assert str(span.status.description).startswith("ClientConnectorError: ")
    assert [event.name for event in span.events] == ["exception"]


async def test_a_request_that_is_given_up_has_not_failed() -> None:
    """Whoever asked stopped waiting: the span ends there, with nothing that went wrong."""
    async with Peer.listening() as peer:
        span = await _lookup(peer.url, patience=0.1)

    assert span.end_time is not None
    assert (span.status.status_code, list(span.events)) == (StatusCode.UNSET, [])

"""Spans from the API to the last statement. Loaded only when a setting asks for traces."""

import asyncio
import sys
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Literal

import aiohttp
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import inject
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import SpanKind, StatusCode, Tracer, get_current_span, set_span_in_context
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.contrib.opentelemetry import TracingInterceptor

PATIENCE = 3.0
"""Seconds that the last spans may take at the end of a process."""
LONGEST = 2_000
"""Characters of a statement that a span keeps."""
_SPAN = "orderloom.span"


class Traces:
    """
    The spans of one process, and what makes them. Spans hold ids and the text of statements, never their values.

    Attributes:
        provider: makes the API's spans.
        interceptor: makes those of workflows and activities, in workers and in what asks them.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        """Hand spans to *exporter*, some at a time. The environment may name the service and choose a sampler."""
        ours = Resource({"service.name": "orderloom", "service.version": version("orderloom")})
        self.provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._exporter = exporter
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("orderloom")
        # Its spans in workflows have no length but are told at once: an order's workflow runs for months.
        self.interceptor = TracingInterceptor(self._tracer)

    def database(self, engine: AsyncEngine) -> None:
        """Make spans of *engine*'s statements that something traced has asked for; polling makes none."""
        _Statements(self._tracer).listen(engine)

    def requests(self) -> aiohttp.TraceConfig:
        """Return what makes spans of an HTTP session's requests and passes the trace on."""
        return _Requests(self._tracer).listen()

    async def close(self) -> None:
        """Hand over what is left; whoever does not take it within `PATIENCE` does not get it."""
        handing_over = asyncio.create_task(asyncio.to_thread(self.provider.shutdown))
        await asyncio.wait([handing_over], timeout=PATIENCE)
        if not handing_over.done():
            self._exporter.shutdown()  # lets go of the attempt that is under way
        await handing_over


def exporter_to(where: Literal["console", "otlp"]) -> SpanExporter:
    """Return what writes spans to stderr, one JSON object a line, or sends them where ``OTEL_EXPORTER_OTLP_…`` say."""
    if where == "otlp":
        return OTLPSpanExporter()
    return ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(indent=None)}\n")


class _Statements:
    """Makes a span of each statement; those of one connection come one after the other."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def listen(self, engine: AsyncEngine) -> None:
        event.listen(engine.sync_engine, "before_cursor_execute", self._begin)
        event.listen(engine.sync_engine, "after_cursor_execute", self._end)
        event.listen(engine.sync_engine, "handle_error", self._fail)

    def _begin(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if get_current_span().is_recording():
            attributes = {"db.system.name": "postgresql", "db.query.text": statement[:LONGEST].strip()}
            name = statement.split(maxsplit=1)[0]
            connection.info[_SPAN] = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)

    def _end(self, connection: Any, *_: Any) -> None:
        if (span := connection.info.pop(_SPAN, None)) is not None:
            span.end()

    def _fail(self, failure: Any) -> None:
        if failure.connection is not None and (span := failure.connection.info.pop(_SPAN, None)) is not None:
            span.set_status(StatusCode.ERROR, type(failure.original_exception).__name__)
            span.end()


class _Requests:
    """Makes a span of each request, up to the head of its answer, and tells the other side which trace it is in."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def listen(self) -> aiohttp.TraceConfig:
        config = aiohttp.TraceConfig()
        config.on_request_start.append(self._begin)
        config.on_request_end.append(self._end)
        config.on_request_exception.append(self._fail)
        return config

    async def _begin(
        self, _: aiohttp.ClientSession, of_request: SimpleNamespace, sent: aiohttp.TraceRequestStartParams
    ) -> None:
        attributes = {
            "http.request.method": sent.method,
            "server.address": sent.url.host or "",
            "url.path": sent.url.path,
        }
        of_request.span = self._tracer.start_span(sent.method, kind=SpanKind.CLIENT, attributes=attributes)
        inject(sent.headers, set_span_in_context(of_request.span))

    async def _end(
        self, _: aiohttp.ClientSession, of_request: SimpleNamespace, answered: aiohttp.TraceRequestEndParams
    ) -> None:
        of_request.span.set_attribute("http.response.status_code", answered.response.status)
        of_request.span.end()

    async def _fail(
        self, _: aiohttp.ClientSession, of_request: SimpleNamespace, failed: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if isinstance(failed.exception, Exception):  # a request that is given up is no error
            of_request.span.record_exception(failed.exception)
            of_request.span.set_status(StatusCode.ERROR, f"{type(failed.exception).__name__}: {failed.exception}")
        of_request.span.end()

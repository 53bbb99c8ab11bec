"""Traces hold up nobody: not the end of a process either."""

import asyncio
from collections.abc import Sequence
from threading import Event

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from orderloom.telemetry import traces
from orderloom.telemetry.traces import Traces


class _Absent(SpanExporter):
    """A collector that does not answer until it is given up."""

    def __init__(self) -> None:
        self.given_up = Event()
        self.asked = Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.set()
        self.given_up.wait(60)
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        self.given_up.set()


async def test_a_collector_that_does_not_answer_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last spans are offered for so many seconds and then given up: the process ends."""
    monkeypatch.setattr(traces, "PATIENCE", 0.05)
    absent = _Absent()
    traced = Traces(absent)
    traced.provider.get_tracer("test").start_span("last").end()

    async with asyncio.timeout(10):
        await traced.close()

    assert absent.asked.is_set()
    assert absent.given_up.is_set()

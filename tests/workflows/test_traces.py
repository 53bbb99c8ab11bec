"""One trace goes from the channel's request to the last statement, and holds nothing of the customer."""

from collections import Counter
from collections.abc import Sequence

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.contracts.queues import workflow_id
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from orderloom.telemetry import traces
from tests.workflows.shop import SECRETS, Shop, open_shop


@pytest.fixture(params=[500, 0], ids=["cached", "replayed"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Return settings that ask for traces; without a cache every workflow task replays the ones before."""
    return settings.model_copy(update={"traces": "console", "workflow_cache": request.param})


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Return what is given all spans; they are complete when the stack has stopped."""
    exporter = InMemorySpanExporter()
    monkeypatch.setattr(traces, "exporter_to", lambda where: exporter)
    return exporter


def _chain(span: ReadableSpan, spans: Sequence[ReadableSpan]) -> list[str]:
    """Return the names from the root to *span*."""
    by_id = {each.context.span_id: each for each in spans}
    names = [span.name]
    while span.parent is not None and span.parent.span_id in by_id:
        span = by_id[span.parent.span_id]
        names.append(span.name)
    return names[::-1]


def _statements_below(chain: Sequence[str], spans: Sequence[ReadableSpan]) -> list[str]:
    below = [span for span in spans if tuple(_chain(span, spans)[:-1]) == chain]
    return [str(span.attributes["db.query.text"]) for span in below if "db.query.text" in (span.attributes or {})]


async def test_a_trace_reaches_from_the_request_to_sql_and_the_gateway(
    settings: Settings, options: Options, engine: AsyncEngine, exporter: InMemorySpanExporter
) -> None:
    """
    The order that was asked for, and no other, has in its request's trace the update that started its workflow, the
    transaction that recorded it with its statements, and the capture at the gateway; later requests are linked. No
    replay makes a span again.
    """
    await open_shop(engine)

    async with Stack.start(settings, options) as stack:
        shop = Shop(stack)
        other = await shop.place()
        order = await shop.place()
        await shop.until_journal(order, "fulfillment.created")
        await shop.until_journal(other, "fulfillment.created")
        await shop.fulfil(order)
        await shop.until_journal(order, "payment.captured")

    spans = exporter.get_finished_spans()
    asked = [
        span
        for span in spans
        if span.name == "StartUpdateWithStartWorkflow:Order"
        and (span.attributes or {})["temporalWorkflowID"] == workflow_id(order)
    ]
    of_order = [span for span in spans if span.context.trace_id == asked[0].context.trace_id]
    workflows = {(span.attributes or {}).get("temporalWorkflowID") for span in of_order}
    chains = Counter(tuple(_chain(span, of_order)) for span in of_order)
    request = ("POST /v1/orders", "StartUpdateWithStartWorkflow:Order")
    record = (*request, "StartActivity:record", "RunActivity:record")

    assert workflows - {None} == {workflow_id(order)}
    assert chains[request[:1]] == chains[request] == chains[*request, "RunWorkflow:Order"] == 1
    assert chains[*request, "HandleUpdate:deliver"] >= 1
    assert any("journal" in statement for statement in _statements_below(record, of_order))
    gateway = [chain for chain in chains if chain[-2:] == ("RunActivity:record", "POST")]
    assert [chain[:2] for chain in gateway] == [request]
    started = Counter(span.name.partition(":")[2] for span in of_order if span.name.startswith("StartActivity:"))
    ran = Counter(span.name.partition(":")[2] for span in of_order if span.name.startswith("RunActivity:"))
    assert started == ran
    shipped = {span.context.trace_id for span in spans if span.name.startswith("POST /v1/fulfillment-orders/")}
    handled = [span for span in of_order if span.name == "HandleUpdate:deliver"]
    assert asked[0].context.trace_id not in shipped
    assert {link.context.trace_id for span in handled for link in span.links} & shipped != set()
    told = "\n".join(span.to_json() for span in spans)
    assert [secret for secret in SECRETS.values() if secret in told] == []


async def test_without_traces_there_is_no_provider(
    settings: Settings, options: Options, engine: AsyncEngine, exporter: InMemorySpanExporter
) -> None:
    """Off, an order makes no span, and nothing was installed for the whole process."""
    await open_shop(engine)

    async with Stack.start(settings.model_copy(update={"traces": "off"}), options) as stack:
        order = await Shop(stack).place()
        await Shop(stack).until_journal(order, "fulfillment.created")

    assert exporter.get_finished_spans() == ()
    assert type(trace.get_tracer_provider()) is trace.ProxyTracerProvider

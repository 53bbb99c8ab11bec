"""Who watches the parts of a process: nobody, unless the settings ask for it; then nothing is even loaded."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from opentelemetry.trace import TracerProvider
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, Interceptor
from temporalio.common import TypedSearchAttributes
from temporalio.runtime import Runtime

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.gateways.port import PaymentGateway
from orderloom.settings import Settings

if TYPE_CHECKING:
    from orderloom.telemetry.counting import App
    from orderloom.telemetry.metrics import Metrics, ReadBacklog
    from orderloom.telemetry.traces import Traces


class Observers:
    """Metrics and traces of one process, each if it is switched on. A part that nobody watches is what it was."""

    def __init__(self, metrics: "Metrics | None", traces: "Traces | None") -> None:
        """Take who watches."""
        self._metrics = metrics
        self._traces = traces

    @staticmethod
    @asynccontextmanager
    async def watching(settings: Settings) -> "AsyncGenerator[Observers]":
        """Watch as *settings* say; at the end hand over what is left to tell."""
        async with AsyncExitStack() as stack:
            metrics = _metrics() if settings.monitor_port is not None else None
            if metrics is not None:
                stack.push_async_callback(metrics.close)
            traces = _traces(settings)
            if traces is not None:
                stack.push_async_callback(traces.close)
            yield Observers(metrics, traces)

    @property
    def runtime(self) -> Runtime | None:
        """Return the runtime that Temporal's clients have to use; None for the default one."""
        return None if self._metrics is None else self._metrics.runtime

    @property
    def interceptors(self) -> list[Interceptor]:
        """Return what watches a Temporal client and its workers."""
        metrics = [] if self._metrics is None else [self._metrics.activities]
        traces = [] if self._traces is None else [self._traces.interceptor]
        return [*traces, *metrics]

    @property
    def tracer_provider(self) -> TracerProvider | None:
        """Return what makes the API's spans, if there are any."""
        return None if self._traces is None else self._traces.provider

    @property
    def requests(self) -> list[aiohttp.TraceConfig]:
        """Return what watches the requests of an HTTP session."""
        return [] if self._traces is None else [self._traces.requests()]

    def databases(self, *engines: AsyncEngine) -> None:
        """Watch the statements on *engines*."""
        if self._traces is not None:
            for engine in engines:
                self._traces.database(engine)

    def courier(self, client: Client, engine: AsyncEngine, clock: Clock, noted: TypedSearchAttributes) -> Courier:
        """Return a courier."""
        if self._metrics is None:
            return Courier(client, engine, clock, noted)
        return self._metrics.courier(client, engine, clock, noted)

    def gateway(self, gateway: PaymentGateway) -> PaymentGateway:
        """Return *gateway*."""
        return gateway if self._metrics is None else self._metrics.gateway(gateway)

    def api(self, app: "App") -> "App":
        """Return *app*."""
        return app if self._metrics is None else self._metrics.api(app)

    def backlog(self, read: "ReadBacklog") -> None:
        """Tell what *read* finds whenever the numbers are asked for."""
        if self._metrics is not None:
            self._metrics.backlog(read)

    async def told(self) -> bytes:
        """Return the numbers of this process, which are none when nobody counts."""
        return b"" if self._metrics is None else await self._metrics.told()


def _metrics() -> "Metrics":
    from orderloom.telemetry.metrics import Metrics  # noqa: PLC0415  # loaded only when it is switched on

    return Metrics()


def _traces(settings: Settings) -> "Traces | None":
    if settings.traces == "off":
        return None
    from orderloom.telemetry import traces  # noqa: PLC0415  # loaded only when it is switched on

    return traces.Traces(traces.exporter_to(settings.traces))

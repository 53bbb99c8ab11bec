"""What a process counts, as Prometheus reads it. Loaded only when there is a monitor to tell it."""

from collections.abc import Awaitable, Callable, Iterator

import httpx
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client
from temporalio.common import TypedSearchAttributes
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from orderloom.bootstrap.children import free_port
from orderloom.bootstrap.clock import Clock
from orderloom.gateways.port import PaymentGateway
from orderloom.readmodels.backlog import Backlog
from orderloom.telemetry import logs, numbers
from orderloom.telemetry.counting import ActivityCounter, App, CountedCourier, CountedGateway, counted_requests
from orderloom.telemetry.numbers import Number

LOOPBACK = "127.0.0.1"

type ReadBacklog = Callable[[], Awaitable[Backlog | None]]
"""Returns what has been left lying, or None in a process that is not the one to tell."""


class Metrics:
    """
    The numbers of one process, and what counts them.

    Attributes:
        runtime: the SDK's runtime whose own numbers are told beside ours; clients and workers have to use it.
        activities: counts the local activities and the waves of a client's workers.
    """

    def __init__(self) -> None:
        """Begin at zero. The SDK tells its numbers on a port of the loopback interface."""
        disable_created_metrics()  # a series more for each series, with nothing that process_start_time_seconds lacks
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        placed = Counter(numbers.PLACED.name, numbers.PLACED.says, registry=self._registry)
        waves = self._histogram(numbers.WAVES)
        in_waves = Counter(
            numbers.IN_WAVES.name, numbers.IN_WAVES.says, numbers.IN_WAVES.labels, registry=self._registry
        )
        self.activities = ActivityCounter(self._histogram(numbers.TRANSACTIONS), placed, waves, in_waves)
        self._deliveries = self._histogram(numbers.DELIVERIES)
        self._gateway = self._histogram(numbers.GATEWAY)
        self._http = self._histogram(numbers.HTTP)
        self._read_backlog: ReadBacklog | None = None
        address = f"{LOOPBACK}:{free_port(LOOPBACK)}"
        named = PrometheusConfig(address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True)
        self.runtime = Runtime(telemetry=TelemetryConfig(logging=logs.SDK, metrics=named))
        self._sdk = httpx.AsyncClient(base_url=f"http://{address}")

    def courier(
        self, client: Client, engine: AsyncEngine, clock: Clock, noted: TypedSearchAttributes
    ) -> CountedCourier:
        """Return a courier that counts."""
        return CountedCourier(self._deliveries, client, engine, clock, noted)

    def gateway(self, gateway: PaymentGateway) -> CountedGateway:
        """Return *gateway*, counted."""
        return CountedGateway(gateway, self._gateway)

    def api(self, app: App) -> App:
        """Return *app*, its requests counted."""
        return counted_requests(app, self._http)

    def backlog(self, read: ReadBacklog) -> None:
        """Tell from now on what *read* finds, whenever the numbers are asked for."""
        self._read_backlog = read

    async def told(self) -> bytes:
        """Return all numbers in Prometheus' text format: ours, the process's and the SDK's."""
        sdk = await self._sdk.get("/metrics")
        return generate_latest(self._registry) + await self._left_lying() + sdk.content

    async def close(self) -> None:
        """Let go of the SDK's port."""
        await self._sdk.aclose()

    def _histogram(self, number: Number) -> Histogram:
        return Histogram(number.name, number.says, number.labels, buckets=numbers.BUCKETS, registry=self._registry)

    async def _left_lying(self) -> bytes:
        try:
            found = None if self._read_backlog is None else await self._read_backlog()
        except (OSError, SQLAlchemyError):
            return b""  # the database's absence is told by what is missing here, and by readiness
        return b"" if found is None else generate_latest(_LeftLying(found))


class _LeftLying(Collector):
    """The backlog as gauges."""

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        found = self._backlog
        for number, value in (
            (numbers.UNDELIVERED, found.undelivered),
            (numbers.OLDEST, found.oldest_seconds),
            (numbers.DEAD, found.dead),
            (numbers.UNPUBLISHED, found.unpublished),
            (numbers.OVERDUE, found.overdue),
        ):
            yield GaugeMetricFamily(number.name, number.says, value=value)
        if found.examined is not None:
            for number, value in (
                (numbers.FINDINGS, found.examined.findings),
                (numbers.EXAMINED, found.examined.age_seconds),
            ):
                yield GaugeMetricFamily(number.name, number.says, value=value)
        exceptions = GaugeMetricFamily(
            numbers.EXCEPTIONS.name, numbers.EXCEPTIONS.says, labels=numbers.EXCEPTIONS.labels
        )
        for category, count in found.exceptions.items():
            exceptions.add_metric([category], count)
        yield exceptions
        proposals = GaugeMetricFamily(numbers.PROPOSALS.name, numbers.PROPOSALS.says, labels=numbers.PROPOSALS.labels)
        for status in ("open", "accepted", "released", "lapsed"):
            proposals.add_metric([status], found.proposals.get(status, 0))
        yield proposals

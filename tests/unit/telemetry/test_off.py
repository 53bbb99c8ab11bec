"""Nobody pays for what is switched off: a process that is not watched has loaded neither metrics nor traces."""

import subprocess
import sys

from temporalio.common import TypedSearchAttributes

from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.delivery import Courier
from orderloom.settings import Settings
from orderloom.telemetry.observers import Observers

LOADED = """
import asyncio, sys
import orderloom.cli.servers, orderloom.cli.up
from activities import serving
from opentelemetry import trace
from orderloom.settings import Settings
from orderloom.telemetry.observers import Observers

async def watch():
    async with Observers.watching(Settings()) as observers:
        assert (observers.runtime, observers.interceptors, observers.tracer_provider) == (None, [], None)

asyncio.run(watch())
heavy = ("prometheus_client", "opentelemetry.sdk", "opentelemetry.exporter", "temporalio.contrib.opentelemetry")
print([name for name in sys.modules if name.startswith(heavy)], type(trace.get_tracer_provider()).__name__)
"""


def test_the_default_loads_no_metrics_and_no_traces() -> None:
    """With all commands of a deployment loaded and nothing switched on, no provider is there and no SDK."""
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)

    assert run.stdout == "[] ProxyTracerProvider\n"


async def test_parts_that_nobody_watches_are_what_they_were() -> None:
    """The same objects come back: no call takes a way around."""
    app, gateway = object(), object()

    async with Observers.watching(Settings()) as observers:
        courier = observers.courier(None, None, Clock(), TypedSearchAttributes.empty)  # type: ignore[arg-type]
        assert observers.api(app) is app  # type: ignore[arg-type]
        assert observers.gateway(gateway) is gateway  # type: ignore[arg-type]
        assert await observers.told() == b""

    assert type(courier) is Courier

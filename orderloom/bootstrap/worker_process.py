"""A worker in a process of its own, so that workflows and the API each have a processor."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from orderloom.bootstrap.processes import Process
from orderloom.bootstrap.servers import Addresses, environment
from orderloom.settings import Settings


@asynccontextmanager
async def worker_process(settings: Settings, addresses: Addresses, gateway_url: str) -> AsyncGenerator[Process]:
    """
    Run ``orderloom worker`` beside this process, and stop it at the end. It dies with this process in any case.

    Its monitor has the port after this process's.

    Raises:
        ServerFailed: it ended before it was ready.
    """
    directory = settings.data_dir.expanduser().resolve()
    more = {"ORDERLOOM_GATEWAY_URL": gateway_url}
    if settings.monitor_port:
        more["ORDERLOOM_MONITOR_PORT"] = str(settings.monitor_port + 1)
    worker = Process("worker", directory=directory, environment={**environment(addresses, directory), **more})
    try:
        await worker.start()
        yield worker
    finally:
        await worker.stop()

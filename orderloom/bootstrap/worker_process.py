"""A worker in a process of its own, so that workflows and the API each have a processor."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM

from orderloom.bootstrap.children import Child
from orderloom.bootstrap.servers import Addresses
from orderloom.settings import Settings

READY = "ready"
"""The word that the command ``worker`` prints when it takes work."""
GRACE = 20.0
"""Seconds that it may take to finish what is under way."""


@asynccontextmanager
async def worker_process(settings: Settings, addresses: Addresses, gateway_url: str) -> AsyncGenerator[None]:
    """
    Run ``orderloom worker`` beside this process, and stop it at the end. It dies with this process in any case.

    Raises:
        ServerFailed: it ended before it was ready.
    """
    directory = settings.data_dir.expanduser().resolve()
    log = directory / "worker.log"
    log.write_text("")
    child = Child(
        "the worker",
        [str(Path(sys.executable).with_name("orderloom")), "worker"],
        log=log,
        death=SIGTERM,
        environment={
            "DATABASE_URL": addresses.database_url,
            "ORDERLOOM_KEYS_URL": addresses.keys_url,
            "TEMPORAL_ADDRESS": addresses.temporal_address,
            "ORDERLOOM_GATEWAY_URL": gateway_url,
            "ORDERLOOM_DATA_DIR": str(directory),
        },
    )
    try:
        while READY not in log.read_text():
            child.raise_if_ended()
            await asyncio.sleep(0.05)
        yield
    finally:
        await child.stop(SIGTERM, GRACE)

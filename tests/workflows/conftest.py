"""A shop with one channel and one location, and all of Orderloom over the session's servers, in rooms of its own."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from orderloom.bootstrap.delivery import Courier
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.bootstrap.processes import Process
from orderloom.contracts.messages import OrderInput
from orderloom.persistence.starting import Start
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.conftest import MASTER_KEY
from tests.workflows.shop import Shop, open_shop
from tests.workflows.workers import worker_process


@pytest.fixture
def settings(database_url: str, temporal: EmbeddedTemporal, client: Client, workflow_cache: int) -> Settings:
    """Return settings of a stack in this test's own database and namespace."""
    return Settings(
        database_url=database_url,
        keys_url=database_url,
        master_key=MASTER_KEY.hex(),
        temporal_address=temporal.address,
        temporal_namespace=client.namespace,
        api_port=0,
        gateway_port=0,
        pool_size=8,
        workflow_cache=workflow_cache,
    )


@pytest.fixture
def options() -> Options:
    """Return how the test's stack is started; a test module may say otherwise."""
    return Options(webhook_lag=0.0, patience=20.0)


@pytest.fixture
def flows() -> Sequence[str]:
    """Return flows beside those that ship, as text; a test module may say otherwise."""
    return ()


@pytest.fixture
def policy() -> dict[str, Any]:
    """Return what the channel's policy says beside the defaults; a test module may say otherwise."""
    return {}


@pytest.fixture
async def stack(
    settings: Settings, options: Options, engine: AsyncEngine, flows: Sequence[str], policy: dict[str, Any]
) -> AsyncIterator[Stack]:
    """Return a running stack whose shop is open."""
    await open_shop(engine, flows, **policy)
    async with Stack.start(settings, options) as stack:
        yield stack


@pytest.fixture
def shop(stack: Stack) -> Shop:
    """Return the shop."""
    return Shop(stack)


@pytest.fixture
async def worker(stack: Stack, settings: Settings, tmp_path: Path) -> AsyncIterator[Process]:
    """Return the only worker, running in a process of its own; the test module's stack has none."""
    worker = worker_process(stack, settings, tmp_path)
    await worker.start()
    yield worker
    await worker.stop()


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let orders continue as new at every quiet point after a dozen events."""
    original = Courier.start_input

    async def short(courier: Courier, order_id: str, intake_id: str | None, start: Start | None = None) -> OrderInput:
        given = await original(courier, order_id, intake_id, start)
        return given.model_copy(update={"max_events": 12})

    monkeypatch.setattr(Courier, "start_input", short)

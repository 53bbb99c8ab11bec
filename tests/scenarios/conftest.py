"""All of Orderloom, once for all scenarios, with a clock that they may set ahead."""

from collections.abc import AsyncIterator, Iterator

import pytest

from orderloom.bootstrap.clock import VirtualClock
from orderloom.bootstrap.embedded_postgres import EmbeddedPostgres
from orderloom.bootstrap.embedded_temporal import EmbeddedTemporal
from orderloom.domain.model import JsonObject
from orderloom.settings import Settings
from orderloom.stack import Options, Stack
from tests.conftest import MASTER_KEY
from tests.scenarios.told import watch


@pytest.fixture(scope="module")
def told_wrong() -> Iterator[list[tuple[JsonObject, JsonObject]]]:
    """Return what was told wrongly of orders, beside what would have been right; other tests count statements."""
    with pytest.MonkeyPatch.context() as patch:
        yield watch(patch)


@pytest.fixture(scope="session")
async def stack(
    postgres: EmbeddedPostgres,
    database_template: str,
    temporal: EmbeddedTemporal,
    namespaces: Iterator[str],
    workflow_cache: int,
) -> AsyncIterator[Stack]:
    """Return a running stack in a database and namespace of the scenarios' own."""
    url = await postgres.ensure_database("scenarios", template=database_template)
    settings = Settings(
        database_url=url,
        keys_url=url,
        master_key=MASTER_KEY.hex(),
        temporal_address=temporal.address,
        temporal_namespace=next(namespaces),
        api_port=0,
        gateway_port=0,
        workflow_cache=workflow_cache,
    )
    async with Stack.start(settings, Options(clock=VirtualClock(), patience=30.0, hang_seconds=0.2)) as stack:
        yield stack
    await postgres.drop_database("scenarios")

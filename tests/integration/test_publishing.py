"""Published flows and releases in PostgreSQL."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.release import pack, unpack
from orderloom.domain.errors import NotFound
from orderloom.persistence import flows
from orderloom.persistence.flow_bodies import FlowNotFound
from orderloom.persistence.tables import catalog

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_release_is_published_once(engine: AsyncEngine) -> None:
    """Publishing again changes nothing; what is read back is what was packed, and runs."""
    packed = pack(prebuilt.documents())

    async with engine.begin() as conn:
        pins = [await flows.publish(conn, packed, NOW) for _ in range(2)]
        read = await flows.release(conn, packed.pin.release)
        body = await flows.body(conn, packed.flows[0].hash)
        counts = [
            (await conn.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (catalog.flows, catalog.releases)
        ]

    assert [*pins, read] == [packed.pin] * 3
    assert body == packed.flows[0].body
    assert unpack(body).label == "place-order:1.0.0"
    assert counts == [len(packed.flows), 1]


async def test_a_published_version_never_changes(engine: AsyncEngine) -> None:
    """The same name and version with another content is refused, and leaves nothing behind."""
    document = prebuilt.document("place-order")
    head = document.document.model_copy(update={"title": "Another"})
    changed = pack([document.model_copy(update={"document": head})])
    async with engine.begin() as conn:
        await flows.publish(conn, pack([document]), NOW)

    with pytest.raises(flows.FlowVersionExists) as refused:
        async with engine.begin() as conn:
            await flows.publish(conn, changed, NOW)

    assert refused.value.problem().facts["flow"] == "place-order:1.0.0"
    async with engine.begin() as conn:
        with pytest.raises(NotFound):
            await flows.release(conn, changed.pin.release)
        with pytest.raises(FlowNotFound):
            await flows.body(conn, changed.flows[0].hash)

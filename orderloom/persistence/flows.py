"""Published flows and releases: immutable, addressed by hash. Checking and packing them is ``flows_dsl.release``."""

from base64 import b85decode
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.flows import PackedRelease, Written
from orderloom.contracts.messages import ReleasePin
from orderloom.domain.errors import NotFound, OrderloomError
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.tables.catalog import flow_sources, flows, releases


class FlowVersionExists(OrderloomError):
    """This version of the flow was published with another content.

    Published flows never change: raise document.version and publish again.
    """

    code = "flow.version_exists"
    status = 409


class LayerVersionExists(FlowVersionExists):
    """This version of the layer was published with another content.

    Published layers never change: raise layer.version and publish again.
    """

    code = "layer.version_exists"


async def publish(conn: AsyncConnection, release: PackedRelease, now: datetime) -> ReleasePin:
    """
    Store *release* and its flows, unless they are stored already, and return its pin. No channel uses it by that.

    Raises:
        FlowVersionExists: a flow of the same name and version but another content was published before.
        LayerVersionExists: so was a layer.
    """
    await _keep_written(conn, release.written, now)
    if release.flows:
        rows = [
            {
                "hash": flow.hash,
                "name": flow.name,
                "version": flow.version,
                "document": flow.document,
                "body": b85decode(flow.body),
                "published_at": now,
            }
            for flow in release.flows
        ]
        await conn.execute(insert(flows).values(rows).on_conflict_do_nothing())
        await _refuse_changed(conn, {(flow.name, flow.version): flow.hash for flow in release.flows})
    row = {
        "hash": release.pin.release,
        "pin": release.pin.model_dump(mode="json"),
        "published_at": now,
        "sources": None if release.sources is None else release.sources.model_dump(mode="json"),
    }
    await conn.execute(insert(releases).values(row).on_conflict_do_nothing())
    return release.pin


async def _refuse_changed(conn: AsyncConnection, wanted: dict[tuple[str, str], str]) -> None:
    stored = await conn.execute(
        select(flows.c.name, flows.c.version, flows.c.hash)
        .where(tuple_(flows.c.name, flows.c.version).in_(sorted(wanted)))
        .order_by(flows.c.name, flows.c.version)
    )
    for row in stored:
        if wanted[row.name, row.version] != row.hash:
            label = f"{row.name}:{row.version}"
            raise FlowVersionExists(f"{label} was published with another content.", flow=label, published=row.hash)


async def _keep_written(conn: AsyncConnection, written: Iterable[Written], now: datetime) -> None:
    """Keep what authors wrote; the first text of a version stays, for a later one means the same."""
    given = {(one.kind, one.name, one.version): one for one in written}
    if not given:
        return
    rows = [{**one.model_dump(), "published_at": now} for _, one in sorted(given.items())]
    await conn.execute(insert(flow_sources).values(rows).on_conflict_do_nothing())
    key = tuple_(flow_sources.c.kind, flow_sources.c.name, flow_sources.c.version)
    stored = await conn.execute(select(flow_sources).where(key.in_(sorted(given))).order_by(key))
    for row in stored:
        if given[row.kind, row.name, row.version].digest != row.digest:
            label = f"{row.name}:{row.version}"
            refused = FlowVersionExists if row.kind == "flow" else LayerVersionExists
            raise refused(f"{label} was published with another content.", flow=label, published=row.digest)


async def body(conn: AsyncConnection, hash: str) -> str:
    """
    Return the body of the flow with this hash, as ``flows_dsl.release.unpack`` reads it.

    Raises:
        FlowNotFound: it was never published here.
    """
    return (await read_bodies(conn, [hash]))[hash]


async def release(conn: AsyncConnection, hash: str) -> ReleasePin:
    """
    Return the pin of the release with this hash.

    Raises:
        NotFound: it was never published here.
    """
    pin = (await conn.execute(select(releases.c.pin).where(releases.c.hash == hash))).scalar_one_or_none()
    if pin is None:
        raise NotFound(f"There is no release {hash}.", release=hash)
    return ReleasePin.model_validate(pin)

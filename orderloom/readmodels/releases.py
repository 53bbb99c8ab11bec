"""Releases: what is in each, which channel has it in force, and how it came to that."""

from pydantic import AwareDatetime, TypeAdapter
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.flows import ReleaseSources, SourcedFlow, Written
from orderloom.contracts.messages import ReleasePin
from orderloom.domain.errors import NotFound
from orderloom.domain.model import Frozen, JsonObject
from orderloom.persistence.releases import ReleaseAmbiguous
from orderloom.persistence.tables.catalog import activations, channels, flow_sources, flows, releases
from orderloom.persistence.tables.orders import orders

FEWEST = 6
"""Characters of a release's hash that are enough to name it, when no other begins like that."""


class Activation(Frozen):
    """One step in the history of a channel."""

    channel: str
    number: int
    kind: str
    """``publish``, ``activate``, ``rollback``, or ``load`` with the channel."""
    release: str
    previous: str | None
    by: str
    reason: str
    at: AwareDatetime
    in_force: bool
    """It is what new orders of the channel take now."""


class FlowOfRelease(Frozen):
    """One flow of a release."""

    name: str
    version: str
    hash: str
    source: str
    """The flow that it was made of; another one than itself where layers changed it."""
    starts_on: list[str]


class ReleaseView(Frozen):
    """A release, what it consists of, and who uses it."""

    release: str
    published_at: AwareDatetime
    interpreter: int
    flows: list[FlowOfRelease]
    layers: list[str]
    brand: str | None
    channels: list[str]
    """Channels whose new orders take it."""
    open_orders: int
    """Orders that are not closed and run on it."""


async def history(conn: AsyncConnection, channel: str | None) -> list[Activation]:
    """Return the steps of one channel or all, the latest first."""
    table = activations.c
    columns = [column for column in table if column is not table.channel_id]
    others = activations.alias("others")
    latest = select(func.max(others.c.number)).where(others.c.channel_id == table.channel_id).scalar_subquery()
    in_force = ((channels.c.release == table.release) & (table.number == latest)).label("in_force")
    query = (
        select(table.channel_id.label("channel"), *columns, in_force)
        .join(channels, channels.c.id == table.channel_id)
        .order_by(table.channel_id, table.number.desc())
    )
    if channel is not None:
        query = query.where(table.channel_id == channel)
    return [Activation.model_validate(row) for row in (await conn.execute(query)).mappings()]


async def full_hash(conn: AsyncConnection, beginning: str) -> str:
    """
    Return the hash of the one release that begins like this.

    Raises:
        NotFound: none does.
        ReleaseAmbiguous: several do, or too few characters are given.
    """
    query = select(releases.c.hash).where(func.starts_with(releases.c.hash, beginning)).limit(2)
    found = list(await conn.scalars(query))
    if not found:
        raise NotFound(f"There is no release {beginning}.", release=beginning)
    if len(found) > 1 or len(beginning) < FEWEST:
        raise ReleaseAmbiguous(f"{beginning!r} does not name one release.", release=beginning)
    return found[0]


async def release_of(conn: AsyncConnection, channel: str) -> str | None:
    """
    Return what is in force for new orders of *channel*, if anything is.

    Raises:
        NotFound: there is no such channel.
    """
    row = (await conn.execute(select(channels.c.release).where(channels.c.id == channel))).one_or_none()
    if row is None:
        raise NotFound(f"There is no channel {channel}.", channel=channel)
    return row.release


async def channel_names(conn: AsyncConnection) -> list[str]:
    """Return the ids of all channels."""
    return list(await conn.scalars(select(channels.c.id).order_by(channels.c.id)))


async def sources_of(conn: AsyncConnection, release: str) -> ReleaseSources:
    """
    Return what *release* was made of; for one that was packed without its files, the flows that its events start.

    Raises:
        NotFound: there is no such release.
    """
    row = (await conn.execute(select(releases).where(releases.c.hash == release))).one_or_none()
    if row is None:
        raise NotFound(f"There is no release {release}.", release=release)
    if row.sources is not None:
        return ReleaseSources.model_validate(row.sources)
    pin = ReleasePin.model_validate(row.pin)
    hashes = list(dict.fromkeys(hash for started in pin.subscriptions.values() for hash in started))
    labels = await _labels(conn, hashes)
    return ReleaseSources(flows=tuple(SourcedFlow(hash=hash, source=labels[hash]) for hash in hashes))


async def documents_of(conn: AsyncConnection, release: str) -> dict[str, JsonObject]:
    """Return the resolved documents of a release's flows by hash, in the order of the release."""
    hashes = [flow.hash for flow in (await sources_of(conn, release)).flows]
    found = await conn.execute(select(flows.c.hash, flows.c.document).where(flows.c.hash.in_(hashes)))
    documents = {row.hash: row.document for row in found}
    return {hash: documents[hash] for hash in hashes}


async def written_for(conn: AsyncConnection, sources: ReleaseSources) -> dict[tuple[str, str], Written]:
    """Return what authors wrote for a release by kind and label, as far as it was published with its files."""
    wanted = [("flow", *flow.source.split(":", 1)) for flow in sources.flows]
    wanted += [("layer", *label.split(":", 1)) for label in sources.layers]
    key = tuple_(flow_sources.c.kind, flow_sources.c.name, flow_sources.c.version)
    columns = [column for column in flow_sources.c if column is not flow_sources.c.published_at]
    rows = (await conn.execute(select(*columns).where(key.in_(wanted)))).mappings()
    return {(one.kind, one.label): one for one in map(Written.model_validate, rows)}


async def release_view(conn: AsyncConnection, release: str) -> ReleaseView:
    """
    Return a release as people see it.

    Raises:
        NotFound: there is no such release.
    """
    sources = await sources_of(conn, release)
    row = (await conn.execute(select(releases).where(releases.c.hash == release))).one()
    pin = ReleasePin.model_validate(row.pin)
    labels = await _labels(conn, [flow.hash for flow in sources.flows])
    users = list(await conn.scalars(select(channels.c.id).where(channels.c.release == release).order_by(channels.c.id)))
    count = select(func.count()).where(orders.c.release == release, orders.c.closed_at.is_(None))
    return ReleaseView(
        release=release,
        published_at=row.published_at,
        interpreter=pin.interpreter,
        flows=[_flow(flow, labels[flow.hash], pin) for flow in sources.flows],
        layers=list(sources.layers),
        brand=sources.brand,
        channels=users,
        open_orders=_COUNT.validate_python(await conn.scalar(count)),
    )


_COUNT = TypeAdapter(int)


def _flow(flow: SourcedFlow, label: str, pin: ReleasePin) -> FlowOfRelease:
    name, _, version = label.partition(":")
    starts_on = sorted(type for type, started in pin.subscriptions.items() if flow.hash in started)
    return FlowOfRelease(name=name, version=version, hash=flow.hash, source=flow.source, starts_on=starts_on)


async def _labels(conn: AsyncConnection, hashes: list[str]) -> dict[str, str]:
    rows = await conn.execute(select(flows.c.hash, flows.c.name, flows.c.version).where(flows.c.hash.in_(hashes)))
    return {row.hash: f"{row.name}:{row.version}" for row in rows}

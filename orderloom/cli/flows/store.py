"""What commands on published flows share: the database, the channel that is meant, and what is in force there."""

import getpass
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flows_dsl.composing import written
from orderloom.bootstrap.database import create_engine
from orderloom.cli.database import database_url
from orderloom.cli.world import flows_in_force
from orderloom.contracts.flows import ReleaseSources, Written
from orderloom.domain.errors import OrderloomError
from orderloom.domain.model import JsonObject
from orderloom.persistence.migrate import upgrade
from orderloom.readmodels.releases import channel_names, documents_of, sources_of, written_for
from orderloom.settings import Settings


class ChannelNotSaid(OrderloomError):
    """There are several channels, or none.

    Say which one is meant with `--channel`; `orderloom world load` sets channels up.
    """

    code = "channel.not_said"
    status = 422


@asynccontextmanager
async def store(settings: Settings) -> AsyncGenerator[AsyncEngine]:
    """Give an engine on the deployment's database, at the schema that this version needs."""
    async with database_url(settings) as url:
        await upgrade(url)
        engine = create_engine(url, pooled=False)
        try:
            yield engine
        finally:
            await engine.dispose()


async def meant_channel(conn: AsyncConnection, channel: str | None) -> str:
    """
    Return the channel that is meant: the only one, if none is said.

    Raises:
        ChannelNotSaid: there is not just one.
    """
    if channel is not None:
        return channel
    names = await channel_names(conn)
    if len(names) != 1:
        raise ChannelNotSaid(f"There are {len(names)} channels: {', '.join(names) or 'none'}.", channels=[*names])
    return names[0]


async def sources_in_force(
    conn: AsyncConnection, release: str | None
) -> tuple[list[Written], list[Written], ReleaseSources]:
    """Return the flows and layers that *release* was made of; for None the flows that ship."""
    if release is None:
        return flows_in_force([]), [], ReleaseSources(flows=())
    sources = await sources_of(conn, release)
    known = await written_for(conn, sources)
    documents = await documents_of(conn, release)
    flows = [
        known.get(("flow", flow.source)) or written(flow.source, _as_text(documents[flow.hash]))
        for flow in sources.flows
    ]
    return flows, [known["layer", label] for label in sources.layers], sources


def _as_text(document: JsonObject) -> str:
    """Return a resolved flow as its author might have written it, without the flows that it runs."""
    whole = {name: part for name, part in document.items() if name != "flows"}
    return json.dumps(whole, indent=2, ensure_ascii=False)


def operator() -> str:
    """Return the name of whoever runs this command, as far as the machine knows."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"

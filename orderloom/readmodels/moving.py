"""What is needed to say what moving an order would come to."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.contracts.messages import ReleasePin
from orderloom.domain.model import Frozen
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.persistence.flows import release as read_release
from orderloom.persistence.tables.orders import orders


class ReleaseFlows(Frozen):
    """A release as it runs: its flows by hash, and the bodies of all flows that were asked for."""

    release: str
    flows: list[str]
    bodies: dict[str, str]


async def order_release(conn: AsyncConnection, order: str) -> str | None:
    """Return the release that an order is on; None when there is no such order."""
    return await conn.scalar(select(orders.c.release).where(orders.c.id == order))


async def release_flows(conn: AsyncConnection, release: str, also: list[str]) -> ReleaseFlows:
    """
    Return the flows of a release, with the bodies of *also*, which are hashes of other flows.

    Raises:
        NotFound: there is no such release.
        FlowNotFound: a flow was never published here.
    """
    pin: ReleasePin = await read_release(conn, release)
    hashes = list(dict.fromkeys(hash for started in pin.subscriptions.values() for hash in started))
    return ReleaseFlows(release=release, flows=hashes, bodies=await read_bodies(conn, {*hashes, *also}))

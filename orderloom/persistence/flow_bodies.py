"""The bodies of published flows, as they enter the history of an order. They never change, so they are read once."""

import base64
from collections.abc import Collection

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.errors import OrderloomError
from orderloom.persistence.tables.catalog import flows

_known: dict[str, str] = {}

_BODIES = select(flows.c.hash, flows.c.body).where(flows.c.hash.in_(bindparam("hashes", expanding=True)))


class FlowNotFound(OrderloomError):
    """No published flow has this hash.

    Publish the release's flows again: a body is addressed by its hash, so nothing else changes.
    """

    code = "flow.not_found"
    status = 404


async def read_bodies(conn: AsyncConnection, hashes: Collection[str]) -> dict[str, str]:
    """
    Return the bodies of flows by hash: base85 of deflated canonical JSON.

    Raises:
        FlowNotFound: one of them was never published here.
    """
    if missing := sorted(set(hashes) - _known.keys()):
        for row in await conn.execute(_BODIES, {"hashes": missing}):
            _known[row.hash] = base64.b85encode(row.body).decode()
    try:
        return {hash: _known[hash] for hash in sorted(hashes)}
    except KeyError as error:
        raise FlowNotFound(f"there is no flow {error.args[0]}", flow=error.args[0]) from None

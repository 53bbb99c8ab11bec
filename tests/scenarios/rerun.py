"""Orders of scenarios run again from what they have recorded."""

from functools import cache

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flows_dsl import prebuilt
from flows_dsl.compiled import CompiledFlow
from flows_dsl.compiler import compile_flow
from flows_dsl.verdicts import Verdict
from orderloom.cli.flows.simulate import Simulator
from orderloom.persistence.tables.orders import orders
from orderloom.readmodels.moving import release_flows
from orderloom.readmodels.snapshot import snapshot
from tests.workflows.shop import flow


async def rerun(engine: AsyncEngine, channels: str) -> list[Verdict]:
    """Return what each order of the channels that begin with *channels* would do under its flows, renumbered."""
    async with snapshot(engine) as conn:
        wanted = select(orders.c.id, orders.c.release).where(orders.c.channel_id.startswith(channels, autoescape=True))
        rows = (await conn.execute(wanted.order_by(orders.c.id))).all()
        own = {release: await _renumbered_release(conn, release) for release in {row.release for row in rows}}
    return [await Simulator(engine, own[row.release], instead=True).verdict(row.id) for row in rows]


async def _renumbered_release(conn: AsyncConnection, release: str) -> list[CompiledFlow]:
    shipped = _shipped()
    return [_renumbered(shipped[hash]) for hash in (await release_flows(conn, release, [])).flows if hash in shipped]


@cache
def _shipped() -> dict[str, str]:
    return {compile_flow(prebuilt.document(name)).hash: name for name in prebuilt.names()}


@cache
def _renumbered(name: str) -> CompiledFlow:
    return compile_flow(flow(prebuilt.text(name).replace("version: 1.0.0", "version: 9.0.0")))

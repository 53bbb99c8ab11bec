"""`orderloom flows simulate`: past orders through other flows, touching nothing."""

import sys
from collections.abc import AsyncGenerator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flows_dsl.compiled import CompiledFlow
from flows_dsl.release import unpack
from flows_dsl.verdicts import Verdict, judge
from orderloom.bootstrap.clock import Clock
from orderloom.bootstrap.database import create_engine
from orderloom.cli.database import database_url
from orderloom.cli.flows.app import flows_app
from orderloom.cli.flows.past import read_past
from orderloom.cli.flows.sides import compiled_named, is_path
from orderloom.cli.moments import AS_MOMENT, moment
from orderloom.cli.running import run
from orderloom.domain.errors import NotFound
from orderloom.domain.order import OrderStatus
from orderloom.persistence.flow_bodies import read_bodies
from orderloom.readmodels.moving import order_release, release_flows
from orderloom.readmodels.order_list import OrderFilter, orders_page
from orderloom.readmodels.snapshot import MAX_PAGE, snapshot
from orderloom.settings import Settings


@flows_app.command
def simulate(
    *,
    to: Annotated[str, Parameter(help="A release's hash or its beginning, channel:NAME, prebuilt, or a path.")],
    order: Annotated[list[str] | None, Parameter(help="An order; may be said several times.")] = None,
    channel: Annotated[str | None, Parameter(help="Orders of this channel.")] = None,
    since: Annotated[datetime | None, AS_MOMENT, Parameter(help="Orders placed then or later.")] = None,
    status: Annotated[OrderStatus | None, Parameter(help="Orders of this status.")] = None,
    limit: Annotated[int, Parameter(help="At most so many orders, the newest.")] = 1_000,
    format: Annotated[Literal["human", "json"], Parameter(help="How verdicts are shown; json: one a line.")] = "human",
    data_dir: Annotated[Path | None, Parameter(help="Where the servers keep their data. [default: .orderloom]")] = None,
) -> None:
    """
    Run what has happened to past orders through other flows, and list those that would have gone otherwise.

    Nothing is written: all of it is read in transactions that cannot write. Flows of a path take the place of those of
    the same name in each order's own release. Exit status: 0 all the same, 1 some differ or are unclear.
    """
    settings = Settings() if data_dir is None else Settings(data_dir=data_dir)
    wanted = OrderFilter(channel=channel, since=since and moment(since))
    verdicts: list[Verdict] = []

    async def work() -> None:
        async with database_url(settings) as url:
            engine = create_engine(url, pooled=False)
            try:
                simulator = await Simulator.open(engine, to)
                async for number in _orders(engine, order or (), wanted, status, limit):
                    verdicts.append(await simulator.verdict(number))
                    _show(verdicts[-1], format)
            finally:
                await engine.dispose()

    run(settings, work)
    counts = {kind: sum(one.outcome == kind for one in verdicts) for kind in ("same", "different", "unclear")}
    sys.stderr.write(", ".join(f"{count} {kind}" for kind, count in counts.items()) + "\n")
    sys.exit(1 if counts["different"] or counts["unclear"] else 0)


async def _orders(
    engine: AsyncEngine, named: Sequence[str], wanted: OrderFilter, status: OrderStatus | None, limit: int
) -> AsyncGenerator[str]:
    for number in named:
        yield number
    after, left = None, 0 if named else limit
    while left:
        async with snapshot(engine) as conn:
            page = await orders_page(conn, wanted, after=after, limit=MAX_PAGE)
        for one in [one for one in page if status is None or one.status is status][:left]:
            yield one.id
            left -= 1
        if len(page) < MAX_PAGE:
            return
        after = page[-1].id


class Simulator:
    """Judges orders by other flows."""

    def __init__(self, engine: AsyncEngine, flows: Sequence[CompiledFlow], *, instead: bool) -> None:
        """Take the flows; *instead* of those of the same name in an order's release, or of all of them."""
        self._engine = engine
        self._flows = {flow.name: flow for flow in flows}
        self._instead = instead

    @classmethod
    async def open(cls, engine: AsyncEngine, word: str) -> "Simulator":
        """
        Read the flows that *word* means.

        Raises:
            NotFound: there is no such release or channel.
        """
        async with snapshot(engine) as conn:
            return cls(engine, await compiled_named(conn, word), instead=is_path(word))

    async def verdict(self, order: str) -> Verdict:
        """
        Return what the flows would have done to an order.

        Raises:
            NotFound: there is no such order.
        """
        async with snapshot(self._engine) as conn:
            release = await order_release(conn, order)
            if release is None:
                raise NotFound(f"There is no order {order}.", order=order)
            recorded = await read_past(conn, order, Clock().now())
            bodies = await read_bodies(conn, {one.flow for one in recorded.instances})
            target = {**await self._own(conn, release), **self._flows} if self._instead else self._flows
        known = {hash: unpack(body) for hash, body in bodies.items()}
        return await judge(order, recorded.past, recorded.instances, known, target)

    async def _own(self, conn: AsyncConnection, release: str) -> dict[str, CompiledFlow]:
        own = await release_flows(conn, release, [])
        flows = [unpack(own.bodies[hash]) for hash in own.flows]
        return {flow.name: flow for flow in flows}


def _show(verdict: Verdict, format: str) -> None:
    if format == "json":
        sys.stdout.write(f"{verdict.model_dump_json(exclude_none=True)}\n")
    elif verdict.first is not None:
        first = verdict.first
        at = f"{first.flow} at {first.task}" if first.task else first.flow
        sys.stdout.write(f"{verdict.order}  {first.event}  {at}\n    did:   {first.did}\n    would: {first.would}\n")
    elif verdict.outcome == "unclear":
        sys.stdout.write(f"{verdict.order}  unclear: {verdict.reason}\n")
    sys.stdout.flush()

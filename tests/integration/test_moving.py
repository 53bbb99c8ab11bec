"""The transaction that moves an order: once, again after its answer was lost, and refused without a trace."""

from typing import Any

import pytest
from sqlalchemy import select

from activities.moving import MoveUnsettled, move_order
from activities.park import rebuild
from flows_dsl.frames import Active, Frame, InstanceState
from flows_dsl.loader import load
from flows_dsl.release import pack
from orderloom.contracts.messages import Context, Delivery, Event, FlowFinished, Rebuild
from orderloom.contracts.moving import RELEASE_CHANGED, RELEASE_REQUESTED, MoveOrder, Whereabouts
from orderloom.persistence.flows import publish
from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.orders import flow_instances, journal, orders
from tests.integration.conftest import Bench

FLOW = """\
document: {dsl: 1.0.3, namespace: shop, name: hears, version: 1.0.0}
evaluate: {language: cel}
schedule: {on: {one: {with: {type: order.placed}}}}
do:
  - hear: {listen: {to: {one: {with: {type: x.y}}}}, timeout: {after: PT1H}}
"""
LONGER = FLOW.replace("1.0.0", "1.1.0").replace("do:\n", "do:\n  - look: {set: {a: 1}}\n")


class Moving:
    """An order whose instance listens, and a command to move it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.order = ""
        self.new: Any = None

    async def begin(self, text: str = LONGER) -> None:
        await self.bench.load({"A": {"X": 10}})
        documents = [load(each).document for each in (FLOW, text)]
        async with self.bench.engine.begin() as conn:
            old, self.new = [await publish(conn, pack([it]), self.bench.now) for it in documents if it is not None]
        self.bench.pin = old
        self.order = await self.bench.place({"X": 1})

    async def ask(self) -> Delivery:
        taken = await self.bench.submit(RELEASE_REQUESTED, {"release": self.new.release}, order_id=self.order)
        return Delivery(intake_id=taken.intake_id, type=RELEASE_REQUESTED)

    async def whereabouts(self) -> Whereabouts:
        async with self.bench.engine.connect() as conn:
            row = (await conn.execute(select(journal).where(journal.c.order_id == self.order))).first()
        event = Event.model_validate(row, from_attributes=True)
        [flow] = self.bench.pin.subscriptions["order.placed"]
        state = InstanceState.start(flow, event, self.bench.now)
        state.phase = "tasks"
        state.frames = [Frame(path="/do", index=0, active=Active(phase="run", entered=True))]
        return Whereabouts(flow=flow, event=event, state=state.dump())

    def request(self, delivery: Delivery, *where: Whereabouts, finished: tuple[str, ...] = ()) -> MoveOrder:
        ended = [FlowFinished(instance=one, outcome="completed") for one in finished]
        context = self.bench.context(self.order).model_copy(update={"finished": ended})
        return MoveOrder(context=context, delivery=delivery, whereabouts=list(where), listening=["x.y"])

    async def rows(self) -> list[tuple[str, str, bool]]:
        """Return instance, status and whether it came from elsewhere, of the order's instances."""
        table = flow_instances.c
        query = select(table.instance, table.status, table.moved.is_not(None)).where(table.order_id == self.order)
        async with self.bench.engine.connect() as conn:
            return [tuple(row) for row in await conn.execute(query.order_by(table.instance.desc()))]  # pyright: ignore

    async def pinned(self) -> tuple[str, int]:
        """Return the order's release, and how often its journal tells of a change."""
        async with self.bench.engine.connect() as conn:
            release = (await conn.execute(select(orders.c.release).where(orders.c.id == self.order))).scalar_one()
        return release, (await self.bench.journal(self.order)).count(RELEASE_CHANGED)


@pytest.fixture
def moving(bench: Bench) -> Moving:
    """Return the means to move an order."""
    return Moving(bench)


async def test_a_move_whose_answer_was_lost_is_the_same_move(moving: Moving) -> None:
    """Asked twice with the same instances, it answers the same, journals once, and keeps one row for each."""
    await moving.begin()
    delivery, where = await moving.ask(), await moving.whereabouts()

    first, again = [await move_order(moving.bench.services, moving.request(delivery, where)) for _ in range(2)]

    [flow] = moving.new.subscriptions["order.placed"]
    assert first.receipt == again.receipt
    assert first.receipt.status == "accepted"
    assert first.whereabouts == again.whereabouts
    assert first.whereabouts[0].instance == f"{where.event.id}@{flow}^1"
    assert (first.pin, again.pin) == (moving.new, moving.new)
    assert first.applied is not None
    assert set(first.applied.flows) == {flow}
    assert await moving.pinned() == (moving.new.release, 1)
    assert sorted(await moving.rows()) == sorted(
        [(where.instance, "moved", False), (f"{where.event.id}@{flow}^1", "running", True)]
    )


async def test_a_refused_move_changes_nothing(moving: Moving) -> None:
    """The command is refused for good; order, journal and instances are as before, and what ended is noted."""
    await moving.begin(LONGER.replace("hear:", "listen:"))
    delivery, where = await moving.ask(), await moving.whereabouts()

    moved = await move_order(moving.bench.services, moving.request(delivery, where))
    again = await move_order(moving.bench.services, moving.request(delivery, where, finished=(where.instance,)))

    assert (moved.receipt.status, moved.pin, moved.applied) == ("refused", None, None)
    assert moved.receipt.problem is not None
    assert moved.receipt.problem.facts["task"] == "hear"
    assert again.receipt == moved.receipt
    assert await moving.pinned() == (moving.bench.pin.release, 0)
    assert await moving.rows() == [(where.instance, "completed", False)]
    async with moving.bench.engine.connect() as conn:
        status = await conn.scalar(select(intake.c.status).where(intake.c.id == delivery.intake_id))
    assert status == "refused"


async def test_an_instance_that_nobody_runs_is_not_left_behind(moving: Moving) -> None:
    """While PostgreSQL knows of an instance that the workflow does not, nothing is moved and nothing is refused."""
    await moving.begin()
    delivery = await moving.ask()

    with pytest.raises(MoveUnsettled):
        await move_order(moving.bench.services, moving.request(delivery))

    assert await moving.pinned() == (moving.bench.pin.release, 0)
    async with moving.bench.engine.connect() as conn:
        status = await conn.scalar(select(intake.c.status).where(intake.c.id == delivery.intake_id))
    assert status == "received"


async def test_a_rebuild_brings_moved_instances_back(moving: Moving) -> None:
    """A revived order is told where its moved instances came in, with their flows, and since when it is moved."""
    await moving.begin()
    delivery, where = await moving.ask(), await moving.whereabouts()
    moved = await move_order(moving.bench.services, moving.request(delivery, where))

    context = Context(order_id=moving.order, now=moving.bench.now, known_flows=[], pin=moving.new)
    rebuilt = await rebuild(moving.bench.services, Rebuild(context=context))

    assert [Whereabouts.model_validate(one) for one in rebuilt.moved] == moved.whereabouts
    assert rebuilt.moved_at == moved.receipt.seq
    assert rebuilt.unfinished == []
    assert set(rebuilt.applied.flows) == {moved.whereabouts[0].flow}

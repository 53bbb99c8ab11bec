"""Proposals that have ended and waves of long ago are removed."""

from datetime import timedelta

from sqlalchemy import func, insert, select

from orderloom.bootstrap.clock import VirtualClock
from orderloom.persistence.tables.waiting import proposal_capacity, proposal_lines, proposals, waves
from orderloom.persistence.timers import ENDED, PAST, clear_waves
from tests.integration.conftest import Bench
from worker.timers import Timers


async def _wave(bench: Bench, order: str, clock: VirtualClock) -> int:
    """Write a wave with a proposal that ends at once, and one that is open; return the wave's number."""
    now = clock.now()
    held = {"sku": "X", "place": "A", "location_id": "A", "quantity": 1, "own": 0}
    async with bench.engine.begin() as conn:
        made = insert(waves).values(pool="central", at=now, orders=1).returning(waves.c.id)
        wave = (await conn.execute(made)).scalar_one()
        common = {"order_id": order, "group_id": "all", "made_at": now, "expires_at": now, "wave_id": wave}
        for status, ended in (("accepted", now), ("open", None)):
            row = insert(proposals).values(**common, status=status, ended_at=ended).returning(proposals.c.id)
            proposal = (await conn.execute(row)).scalar_one()
            await conn.execute(insert(proposal_lines).values(proposal_id=proposal, **held))
            day = {"location_id": "A", "day": now.date(), "count": 1}
            await conn.execute(insert(proposal_capacity).values(proposal_id=proposal, **day))
    return wave


async def _left(bench: Bench) -> tuple[list[str], list[int]]:
    """Return the statuses of the proposals, each of which has its line and its day, and the waves."""
    async with bench.engine.connect() as conn:
        statuses = list(await conn.scalars(select(proposals.c.status).order_by(proposals.c.id)))
        for parts in (proposal_lines, proposal_capacity):
            assert await conn.scalar(select(func.count()).select_from(parts)) == len(statuses)
        return statuses, list(await conn.scalars(select(waves.c.id).order_by(waves.c.id)))


async def test_ended_proposals_go_after_a_day_and_waves_after_a_month(bench: Bench) -> None:
    """Not a moment before; an open proposal stays with what it holds, and nothing else is touched."""
    await bench.load({"A": {"X": 10}})
    order, clock = await bench.place({"X": 1}), VirtualClock()
    timers = Timers(bench.engine, bench.vault, clock)
    began = clock.now()
    old = await _wave(bench, order, clock)

    clock.advance_to(began + ENDED - timedelta(minutes=1))
    await timers.turn()
    assert await _left(bench) == (["accepted", "open"], [old])
    clock.advance_to(began + ENDED + timedelta(minutes=1))
    await timers.turn()
    assert await _left(bench) == (["open"], [old])
    clock.advance_to(began + PAST - timedelta(minutes=1))
    await timers.turn()
    assert await _left(bench) == (["open"], [old])
    clock.advance_to(began + PAST + timedelta(minutes=1))
    await timers.turn()
    assert await _left(bench) == (["open"], [])
    assert await bench.rows("SELECT wave_id FROM proposals") == [(old,)]


async def test_so_many_go_at_a_time(bench: Bench) -> None:
    """The oldest first: a look that finds years of them does not hold up what is due."""
    await bench.load({"A": {"X": 10}})
    clock = VirtualClock()
    async with bench.engine.begin() as conn:
        for day in (2, 1, 3):
            at = clock.now() - PAST - timedelta(days=day)
            await conn.execute(insert(waves).values(pool="central", at=at, orders=day))
        await clear_waves(conn, clock.now(), limit=1)
    assert await bench.rows("SELECT orders FROM waves ORDER BY id") == [(2,), (1,)]

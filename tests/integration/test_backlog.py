"""What has been left lying is counted exactly, and what has been done is not."""

from datetime import timedelta
from typing import Any

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.persistence.tables.intake import intake
from orderloom.persistence.tables.operations import process_exceptions
from orderloom.persistence.tables.orders import orders, outbox
from orderloom.persistence.tables.waiting import proposals
from orderloom.readmodels.backlog import LATE, Backlog, backlog

NOTHING = Backlog(undelivered=0, oldest_seconds=0, dead=0, unpublished=0, overdue=0, exceptions={})


async def _publish_all(conn: AsyncConnection) -> None:
    await conn.execute(update(outbox).values(position=outbox.c.id))


def _exception(number: int, category: str, status: str) -> dict[str, Any]:
    same = {"code": "test.wrong", "detail": "", "severity": "error", "priority": "high", "created_at": func.now()}
    return {**same, "id": f"x-{number}", "number": number, "category": category, "status": status}


async def test_only_what_waits_is_counted(engine, bench) -> None:
    """
    An order that was placed, published and is not due leaves nothing lying. What is counted then: two entries without
    an answer with the age of the older, one that was given up, what is not in the feed, open exceptions by category.
    """
    await bench.load({"A": {"mug": 5}})
    order = await bench.place({"mug": 1})
    async with engine.begin() as conn:
        await _publish_all(conn)
        before = await backlog(conn, bench.now)
    waiting = [await bench.submit("order.cancel.requested", {"n": n}, order_id=order) for n in range(3)]
    async with engine.begin() as conn:
        of = {row.intake_id: intake.c.id == row.intake_id for row in waiting}
        dead, older = list(of.values())[:2]
        await conn.execute(update(intake).where(dead).values(status="dead"))
        await conn.execute(update(intake).where(older).values(received_at=bench.now - timedelta(minutes=3)))
        await conn.execute(insert(outbox).values(order_id=order, seq=99))
        for number, (category, status) in enumerate(
            (("Payment", "new"), ("Payment", "triaged"), ("Stock", "resolved"))
        ):
            await conn.execute(insert(process_exceptions).values(**_exception(number, category, status)))
        after = await backlog(conn, bench.now)

    assert before == NOTHING
    assert after == Backlog(
        undelivered=2, oldest_seconds=180, dead=1, unpublished=1, overdue=0, exceptions={"Payment": 2}
    )


async def test_proposals_are_counted_by_how_they_ended(engine, bench) -> None:
    """One that is open, and those that ended within an hour; one that ended an hour ago counts no more."""
    await bench.load({"A": {"mug": 5}})
    order = await bench.place({"mug": 1})
    held = {"order_id": order, "group_id": "all", "made_at": bench.now, "expires_at": bench.now}
    async with engine.begin() as conn:
        await conn.execute(insert(proposals).values(**held, status="open"))
        for status, minutes in (("accepted", 0), ("accepted", 59), ("released", 1), ("lapsed", 60), ("lapsed", 1_000)):
            ended = bench.now - timedelta(minutes=minutes)
            await conn.execute(insert(proposals).values(**held, status=status, ended_at=ended))
        found = await backlog(conn, bench.now)

    assert found.proposals == {"open": 1, "accepted": 2, "released": 1}


async def test_an_order_is_overdue_a_minute_after_its_deadline(engine, bench) -> None:
    """To the minute it is on time, after it it is late; one whose workflow has completed never is."""
    await bench.load({"A": {"mug": 5}})
    await bench.place({"mug": 1})
    late = bench.now + LATE + timedelta(microseconds=1)
    async with engine.begin() as conn:
        await conn.execute(update(orders).values(next_due_at=bench.now))
        overdue = [(await backlog(conn, now)).overdue for now in (bench.now, bench.now + LATE, late)]
        await conn.execute(update(orders).values(closed_at=bench.now))
        closed = (await backlog(conn, late)).overdue

    assert (overdue, closed) == ([0, 0, 1], 0)


async def test_a_look_reads_no_whole_table(engine, bench) -> None:
    """Each count has an index that holds no more than it: where an index will do, PostgreSQL reads no table through."""
    read = text("SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
    async with engine.begin() as conn:
        await conn.execute(text("SET LOCAL enable_seqscan = off"))
        await backlog(conn, bench.now)
        assert list(await conn.scalars(read)) == []
        await conn.execute(select(intake).where(intake.c.attempts > 0))
        assert list(await conn.scalars(read)) == ["intake"]

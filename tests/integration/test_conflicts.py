"""Transactions that PostgreSQL breaks off in favour of another one are run again, and nobody hears of it."""

import asyncio
from collections.abc import Awaitable

from sqlalchemy import text

from activities.moving import move_order
from activities.record import record_delivery
from orderloom.contracts.messages import Delivery
from tests.integration.conftest import Bench
from tests.integration.test_moving import Moving

_PATIENT = text("SET LOCAL deadlock_timeout = '1min'")
"""PostgreSQL breaks off whoever looks first: this transaction does not."""
_HOLD_INTAKE = text("SELECT 1 FROM intake WHERE id = :id FOR UPDATE")
_HOLD_ORDER = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE")
_SOMEBODY_WAITS = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
)


async def _deadlocked[R](bench: Bench, order: str, delivery: Delivery, work: Awaitable[R]) -> R:
    """
    Run *work*, which locks the order and then writes the delivery's row, against a transaction that does the reverse.

    That one is never broken off: so *work* has been.
    """
    async with asyncio.timeout(30):
        async with bench.engine.begin() as other:
            await other.execute(_PATIENT)
            await other.execute(_HOLD_INTAKE, {"id": delivery.intake_id})
            working = asyncio.ensure_future(work)
            while not await other.scalar(_SOMEBODY_WAITS):
                assert not working.done()
            await other.execute(_HOLD_ORDER, {"id": order})
        return await working


async def test_recording_is_tried_again_after_a_deadlock(bench: Bench) -> None:
    """What came in is recorded once, and its receipt is none of a failure."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    taken = await bench.submit("order.cancel.requested", {"items": [{"line": "L1", "quantity": 2}]}, order_id=order)
    delivery = Delivery(intake_id=taken.intake_id, type="order.cancel.requested")

    work = record_delivery(bench.engine, bench.vault, bench.context(order), delivery)
    recorded = await _deadlocked(bench, order, delivery, work)

    assert (recorded.receipt.status, recorded.receipt.seq) == ("accepted", 2)
    assert await bench.journal(order) == ["order.placed", "order.cancel.requested"]


async def test_moving_is_tried_again_after_a_deadlock(bench: Bench) -> None:
    """The order is moved once, with its instance."""
    moving = Moving(bench)
    await moving.begin()
    delivery, where = await moving.ask(), await moving.whereabouts()

    moved = await _deadlocked(
        bench, moving.order, delivery, move_order(bench.services, moving.request(delivery, where))
    )

    assert moved.receipt.status == "accepted"
    assert await moving.pinned() == (moving.new.release, 1)
    assert sorted(status for _, status, _ in await moving.rows()) == ["moved", "running"]

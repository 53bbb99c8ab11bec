"""Transactions that PostgreSQL breaks off in favour of another one are run again, and nobody hears of it."""

import asyncio
from collections.abc import Awaitable

from sqlalchemy import TextClause, text

from activities.moving import move_order
from activities.record import record_delivery
from orderloom.contracts.messages import Delivery
from orderloom.inventory.changing import Adjustment, Adjustments, StockAnswer, adjust
from tests.integration.conftest import Bench
from tests.integration.test_moving import Moving

_PATIENT = text("SET LOCAL deadlock_timeout = '1min'")
"""PostgreSQL breaks off whoever looks first: this transaction does not."""
_INTAKE = text("SELECT 1 FROM intake WHERE id = :id FOR UPDATE")
_ORDER = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE")
_STOCK = text("SELECT 1 FROM stock WHERE sku = :sku FOR UPDATE")
_SOMEBODY_WAITS = text(
    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
)


async def _deadlocked[R](bench: Bench, first: TextClause, second: TextClause, work: Awaitable[R]) -> R:
    """
    Run *work*, which locks the *first* row and then the *second*, against a transaction that does the reverse.

    That one is never broken off: so *work* has been.
    """
    async with asyncio.timeout(30):
        async with bench.engine.begin() as other:
            await other.execute(_PATIENT)
            await other.execute(second)
            working = asyncio.ensure_future(work)
            while not await other.scalar(_SOMEBODY_WAITS):
                assert not working.done()
            await other.execute(first)
        return await working


async def test_recording_is_tried_again_after_a_deadlock(bench: Bench) -> None:
    """What came in is recorded once, and its receipt is none of a failure."""
    await bench.load({"A": {"X": 10}})
    order = await bench.place({"X": 3})
    taken = await bench.submit("order.cancel.requested", {"items": [{"line": "L1", "quantity": 2}]}, order_id=order)
    delivery = Delivery(intake_id=taken.intake_id, type="order.cancel.requested")

    work = record_delivery(bench.engine, bench.vault, bench.context(order), delivery)
    recorded = await _deadlocked(bench, _ORDER.bindparams(id=order), _INTAKE.bindparams(id=delivery.intake_id), work)

    assert (recorded.receipt.status, recorded.receipt.seq) == ("accepted", 2)
    assert await bench.journal(order) == ["order.placed", "order.cancel.requested"]


async def test_moving_is_tried_again_after_a_deadlock(bench: Bench) -> None:
    """The order is moved once, with its instance."""
    moving = Moving(bench)
    await moving.begin()
    delivery, where = await moving.ask(), await moving.whereabouts()

    moved = await _deadlocked(
        bench,
        _ORDER.bindparams(id=moving.order),
        _INTAKE.bindparams(id=delivery.intake_id),
        move_order(bench.services, moving.request(delivery, where)),
    )

    assert moved.receipt.status == "accepted"
    assert await moving.pinned() == (moving.new.release, 1)
    assert sorted(status for _, status, _ in await moving.rows()) == ["moved", "running"]


async def test_a_change_of_stock_is_tried_again_after_a_deadlock(bench: Bench) -> None:
    """Both shelves are changed, once, and the answer is none of a failure or of a repeated request."""
    await bench.load({"A": {"X": 10, "Y": 10}})
    records = [Adjustment(location="A", sku=sku, delta=1, reason="found") for sku in ("X", "Y")]

    answered = await _deadlocked(
        bench,
        _STOCK.bindparams(sku="X"),
        _STOCK.bindparams(sku="Y"),
        adjust(bench.engine, "found", Adjustments(records=records), bench.now),
    )

    assert [each.status for each in StockAnswer.model_validate(answered.body).results] == ["done", "done"]
    assert not answered.replayed
    assert await bench.rows("SELECT sku, on_hand FROM stock ORDER BY sku") == [("X", 11), ("Y", 11)]
    assert await bench.rows("SELECT count(*) FROM stock_changes WHERE cause = 'found'") == [(2,)]

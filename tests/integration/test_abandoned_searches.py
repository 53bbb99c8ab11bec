"""Questions about routes that nobody comes back for."""

from datetime import timedelta

from sqlalchemy import insert

from orderloom.bootstrap.clock import Clock
from orderloom.persistence.tables.fulfillment import routing_searches
from orderloom.persistence.timers import ABANDONED
from orderloom.persistence.writes import Values
from tests.integration.conftest import Bench
from worker.timers import Timers


async def test_abandoned_questions_are_forgotten_and_others_stay(bench: Bench) -> None:
    """One of more than a day ago is gone after a look, answered or not; one of an attempt under way is left alone."""
    await bench.load({"A": {"X": 10}})
    order, now = await bench.place({"X": 1}), Clock().now()
    ages = {"asked": timedelta(), "old": ABANDONED + timedelta(hours=1), "answered": ABANDONED + timedelta(hours=1)}
    async with bench.engine.begin() as conn:
        for key, age in ages.items():
            row: Values = {"order_id": order, "key": key, "policy": {}, "situation": {}, "at": now - age}
            await conn.execute(insert(routing_searches).values(**row, attempted={} if key == "answered" else None))

    await Timers(bench.engine, bench.vault, Clock()).turn()

    assert await bench.rows("SELECT key FROM routing_searches") == [("asked",)]

"""Waves over orders of all kinds: units neither appear nor vanish."""

from datetime import timedelta
from random import Random

import pytest

from tests.integration.test_waves import (
    AT,
    INTERVAL,
    WAVE,
    _answer,
    _join,
    _lapse,
    _limit,
    _sound,
    _wave,
)


@pytest.mark.parametrize("seed", range(4))
async def test_stock_is_conserved_whatever_the_mix(bench, seed: int) -> None:
    """What is free and what is held add up to what was there, after the wave, the answers and the lapses."""
    random = Random(seed)
    stock = {place: {sku: random.randint(0, 5) for sku in "XYZ"} for place in "ABC"}
    await bench.load(stock, at=AT, routing={**WAVE, "partial": bool(seed % 2)})
    await _limit(bench, "A", 3)
    orders = [
        await _join(
            bench,
            {sku: random.randint(1, 3) for sku in random.sample("XYZ", random.randint(1, 3))},
            reserve=random.random() < 0.5,
            priority=random.randint(0, 2),
        )
        for _ in range(12)
    ]
    bench.now += INTERVAL
    await _wave(bench)
    assert await _balance(bench, stock) == []
    for order in random.sample(orders, 7):
        await _answer(bench, order)
    assert await _balance(bench, stock) == []
    bench.now += timedelta(seconds=60)
    await _lapse(bench)

    assert await _balance(bench, stock) == []
    # What lapsed may have gone on to an order that waits for stock: that is no wave's any more.
    ended = await bench.rows("SELECT DISTINCT status FROM proposals WHERE wave_id IS NOT NULL")
    assert {status for (status,) in ended} <= {"accepted", "released", "lapsed"}
    assert await _sound(bench)


async def _balance(bench, stock: dict[str, dict[str, int]]) -> list[tuple]:
    """Return shelves on which what is free, reserved by orders and proposed is not what there was, or is negative."""
    rows = await bench.rows(
        "SELECT s.location_id, s.sku, s.on_hand - s.reserved, "
        "COALESCE((SELECT SUM(r.quantity) FROM reservations r WHERE r.location_id = s.location_id AND r.sku = s.sku "
        "  AND r.status = 'active'), 0)::int, "
        "COALESCE((SELECT SUM(l.quantity) FROM proposals p JOIN proposal_lines l ON l.proposal_id = p.id "
        "  WHERE p.status = 'open' AND l.location_id = s.location_id AND l.sku = s.sku), 0)::int FROM stock s"
    )
    return [row for row in rows if min(row[2:]) < 0 or sum(row[2:]) != stock[row[0]][row[1]]]

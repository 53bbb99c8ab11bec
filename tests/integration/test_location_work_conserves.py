"""Split, merge, move, hold, cancel and reports in any order: nothing is lost, and nothing is there twice."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["split", "merge", "move", "hold", "release", "cancel-lines", "picked", "rejected"]),
        st.integers(1, 6),
        st.integers(1, 6),
        st.sampled_from(["L1", "L2"]),
        st.sampled_from(["A", "B"]),
        st.integers(1, 4),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
async def test_whatever_is_asked_nothing_is_lost(bench, steps: list[tuple[str, int, int, str, str, int]]) -> None:
    """
    After any commands and reports, accepted or refused, units and money are all there and every counter agrees.

    The order still owes what it owed; what is allocated is reserved for the same fulfillment order, line and place.
    """
    sku, other_sku = f"X{next(bench.keys)}", f"Y{next(bench.keys)}"
    await bench.load({"A": {sku: 8, other_sku: 8}, "B": {sku: 4, other_sku: 4}}, at={"A": (0.0, 0.1), "B": (0.0, 0.8)})
    async with bench.engine.begin() as conn:
        # Room for what the example's own fulfillment orders may be, and little more.
        taken = "COALESCE((SELECT SUM(assigned) FROM location_capacity c WHERE c.location_id = l.id), 0)"
        await conn.execute(text(f"UPDATE locations l SET traits = jsonb_build_object('capacity', {taken} + 3)"))
    body = bench.body({sku: 5, other_sku: 3})
    body["lines"][0]["unit_price"]["amount"] = 333
    charge = {"id": "D", "kind": "delivery", "quantity": 1, "unit_price": {"amount": 500, "currency": "EUR"}}
    order = await bench.allocated({"X": 1}, lines=[*body["lines"], charge])

    for action, number, other, line, location, quantity in steps:
        lines = [{"line": line, "quantity": quantity}]
        if action in {"picked", "rejected"}:
            await bench.report(order, number, action, lines=lines)
            continue
        bodies: dict[str, dict[str, Any]] = {
            "split": {"lines": lines},
            "cancel-lines": {"lines": lines},
            "merge": {"other": f"{order}-F{other}"},
            "move": {"location": location},
            "hold": {"reason": "x"},
        }
        await bench.ask(order, number, action, **bodies.get(action, {}))

    units = await bench.rows(
        """
        SELECT line_id, SUM(quantity)::int, SUM(amount)::int, SUM(tax)::int FROM unit_entries
        WHERE order_id = :o AND state <> 'source' GROUP BY 1 ORDER BY 1
        """,
        o=order,
    )
    assert units == [("D", 1, 500, 50), ("L1", 5, 1665, 167), ("L2", 3, 3000, 300)]
    entries = """
        SELECT fulfillment_order_id, line_id, place, SUM(quantity)::int FROM unit_entries
        WHERE order_id = :o AND state = 'allocated' AND line_id <> 'D' GROUP BY 1, 2, 3 HAVING SUM(quantity) <> 0
        """
    held = """
        SELECT fulfillment_order_id, line_id, location_id, SUM(quantity)::int FROM reservations
        WHERE order_id = :o AND status = 'active' AND location_id IS NOT NULL GROUP BY 1, 2, 3
        """
    assert sorted(await bench.rows(entries, o=order)) == sorted(await bench.rows(held, o=order))
    closed = await bench.rows(
        "SELECT f.id FROM fulfillment_orders f JOIN unit_entries e ON e.fulfillment_order_id = f.id "
        "WHERE f.order_id = :o AND f.status IN ('cancelled', 'rejected') GROUP BY f.id HAVING SUM(e.quantity) <> 0",
        o=order,
    )
    assert closed == []
    counted = """
        SELECT location_id, capacity_day, COUNT(*)::int FROM fulfillment_orders
        WHERE capacity_day IS NOT NULL AND status NOT IN ('rejected', 'cancelled') GROUP BY 1, 2 ORDER BY 1, 2
        """
    assigned = "SELECT location_id, day, assigned FROM location_capacity WHERE assigned > 0 ORDER BY 1, 2"
    assert await bench.rows(counted) == await bench.rows(assigned)
    assert await bench.counters_agree()

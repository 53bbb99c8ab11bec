"""Reports: taken in once, for the order that has what they are about."""

from typing import Any

import pytest
from sqlalchemy import text

from orderloom.persistence.intake import IntakeDuplicate, Submitted
from orderloom.persistence.reports import Report, submit_report


def _shipped(bench, about: str, **body: Any) -> Report:
    return Report(
        type="fulfillment.shipped",
        about="fulfillment_order",
        id=about,
        external_id="e1",
        body={"fulfillment_order": about, **body},
        received_at=bench.now,
    )


async def _take(bench, report: Report) -> tuple[Submitted, bool]:
    found = await submit_report(bench.engine, bench.vault, report)
    assert found is not None
    return found


async def _order(bench) -> str:
    await bench.load({"A": {"X": 10}})
    return await bench.allocated({"X": 1})


async def _reports(bench) -> list[tuple[Any, ...]]:
    return await bench.rows("SELECT id, kind, source, external_id, order_id FROM intake WHERE type <> 'order.placed'")


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_report_comes_with_what_wakes_its_order(bench, wanted: bool) -> None:
    """What starts the workflow comes with a report that wakes it, and with no other; the location is its source."""
    order = await _order(bench)
    async with bench.engine.begin() as conn:
        values = {"wanted": ["fulfillment.shipped"] if wanted else []}
        await conn.execute(text("UPDATE orders SET wanted = :wanted"), values)

    taken, wakes = await _take(bench, _shipped(bench, f"{order}-F1"))

    assert wakes == wanted
    assert (taken.start is not None and taken.start.known) == wanted
    assert taken == Submitted(taken.intake_id, order, replayed=False, status="received", start=taken.start)
    assert await _reports(bench) == [(taken.intake_id, "event", "A", "e1", order)]


async def test_the_same_report_again_is_a_replay(bench) -> None:
    """It answers with the first one's row and writes none, as does the same event taken in by itself."""
    order = await _order(bench)
    report = _shipped(bench, f"{order}-F1")

    first, _ = await _take(bench, report)
    again, _ = await _take(bench, report)
    alone = await bench.submit(report.type, report.body, source="A", external_id="e1", order_id=order)

    assert [(each.intake_id, each.replayed) for each in (first, again, alone)] == [
        (first.intake_id, False),
        (first.intake_id, True),
        (first.intake_id, True),
    ]
    assert len(await _reports(bench)) == 1


async def test_a_report_with_another_body_is_refused(bench) -> None:
    """The source's id of the event stands for one body, and the first row stays alone."""
    order = await _order(bench)
    await _take(bench, _shipped(bench, f"{order}-F1"))

    with pytest.raises(IntakeDuplicate) as refused:
        await _take(bench, _shipped(bench, f"{order}-F1", n=2))

    assert refused.value.facts == {"external_id": "e1", "order": order}
    assert len(await _reports(bench)) == 1


async def test_a_report_about_nothing_is_not_taken_in(bench) -> None:
    """Nobody has what it is about: no row is written."""
    order = await _order(bench)

    for about in (f"{order}-F2", order, "x"):
        assert await submit_report(bench.engine, bench.vault, _shipped(bench, about)) is None

    assert await _reports(bench) == []

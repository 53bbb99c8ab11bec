"""Statuses of fulfillment orders, and giving units back."""

from collections import Counter

import pytest

from orderloom.domain.fulfillment import (
    OPEN,
    STOPPABLE,
    FulfillmentStatus,
    ReportType,
    after_report,
    give_back,
    missing_after,
)
from orderloom.domain.order import Line
from orderloom.domain.units import Account, Pool, UnitState, UnitsUnavailable, apply, move

S = FulfillmentStatus
F1 = Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F1")
CHARGES = frozenset({"delivery"})


@pytest.mark.parametrize(
    ("status", "report", "after"),
    [
        (S.ALLOCATED, "accepted", S.ACCEPTED),
        (S.ALLOCATED, "picked", S.PICKED),
        (S.ALLOCATED, "shipped", S.FULFILLED),
        (S.ALLOCATED, "rejected", S.REJECTED),
        (S.ACCEPTED, "picked", S.PICKED),
        (S.PICKED, "shipped", S.FULFILLED),
        (S.PICKED, "rejected", S.REJECTED),
        (S.ACCEPTED, "accepted", None),
        (S.PICKED, "accepted", None),
        (S.FULFILLED, "shipped", None),
        (S.FULFILLED, "rejected", None),
        (S.REJECTED, "accepted", None),
        (S.CANCELLED, "shipped", None),
    ],
)
def test_reports_move_a_fulfillment_order_forward_only(
    status: FulfillmentStatus, report: ReportType, after: FulfillmentStatus | None
) -> None:
    """A report that the table does not allow leads nowhere: it is unexpected."""
    assert after_report(status, report, units_left=0) is after


@pytest.mark.parametrize(
    ("report", "named", "missing"),
    [
        ("rejected", {}, {"X": 3, "Y": 1}),
        ("rejected", {"X": 2}, {"X": 2}),
        ("picked", {}, {}),
        ("picked", {"X": 3, "Y": 1}, {}),
        ("picked", {"X": 2}, {"X": 1, "Y": 1}),
        ("shipped", {}, {}),
        ("shipped", {"Y": 1}, {"X": 3}),
        ("accepted", {"X": 1}, {}),
    ],
)
def test_what_a_report_leaves_out_is_missing(
    report: ReportType, named: dict[str, int], missing: dict[str, int]
) -> None:
    """Without lines a rejection is about everything and a shipment complete; with lines it is about exactly those."""
    assert missing_after(report, Counter({"X": 3, "Y": 1}), Counter(named)) == Counter(missing)


def test_a_partial_rejection_leaves_the_status() -> None:
    """While units stay the fulfillment order goes on as it was."""
    assert after_report(S.ACCEPTED, "rejected", units_left=6) is S.ACCEPTED


def test_what_is_open_and_what_can_be_stopped() -> None:
    """Picked goods are on their way: open, but not to be stopped."""
    assert {S.ALLOCATED, S.ACCEPTED, S.PICKED} == OPEN
    assert {S.ALLOCATED, S.ACCEPTED} == STOPPABLE


@pytest.fixture
def allocated(placed: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """Return B with all its units in one fulfillment order."""
    open_ = [pool for pool in placed if pool.account.state is UnitState.OPEN]
    return apply(placed, [move(pool, pool.quantity, F1) for pool in open_])


def test_a_part_goes_back_without_the_charge(lines: tuple[Line, ...], allocated: tuple[Pool, ...]) -> None:
    """One X goes back with 22.50 + 2.25; the delivery charge stays with what is still shipped."""
    [back] = give_back(allocated, "1-F1", {"X": 1}, CHARGES)

    assert (back.line_id, back.quantity, back.amount, back.tax) == ("X", 1, 2250, 225)
    assert (back.source, back.target) == (F1, Account(state=UnitState.OPEN))


def test_the_last_product_takes_the_charge_along(allocated: tuple[Pool, ...]) -> None:
    """Nothing stays in a fulfillment order that ships nothing."""
    back = give_back(allocated, "1-F1", {"X": 2, "Y": 1}, CHARGES)

    assert [(each.line_id, each.quantity) for each in back] == [("X", 2), ("Y", 1), ("delivery", 1)]
    assert not [pool for pool in apply(allocated, back) if pool.account == F1]


@pytest.mark.parametrize("asked", [{"X": 3}, {"Z": 1}])
def test_only_what_is_held_goes_back(allocated: tuple[Pool, ...], asked: dict[str, int]) -> None:
    """More of a line, or another line, is refused."""
    with pytest.raises(UnitsUnavailable):
        give_back(allocated, "1-F1", asked, CHARGES)

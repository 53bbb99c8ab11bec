"""Movements of units, with their share of the money."""

import pytest

from orderloom.domain.order import Line
from orderloom.domain.units import Account, Pool, UnitState, UnitsUnavailable, apply, move

OPEN = Account(state=UnitState.OPEN)
FIRST = Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F1")
SECOND = Account(state=UnitState.ALLOCATED, place="B", fulfillment_order="1-F2")
THREE = Pool(line_id="1", account=OPEN, quantity=3, amount=1000, tax=100)


def test_g10_slices(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """X and the delivery charge in one fulfillment order are 60.50, Y in another 33.00; together 93.50."""
    by_line = {pool.line_id: pool for pool in placed if pool.account == OPEN}
    pools = apply(
        placed,
        [move(by_line["X"], 2, FIRST), move(by_line["delivery"], 1, FIRST), move(by_line["Y"], 1, SECOND)],
    )

    totals = {
        place: sum(pool.amount + pool.tax for pool in pools if pool.account.place == place) for place in ("A", "B")
    }
    assert totals == {"A": 6050, "B": 3300}


def test_the_units_that_move_take_the_odd_cent() -> None:
    """A third of 10.00 is 3.33; two thirds are 6.67; what is left has the rest."""
    first = move(THREE, 1, FIRST)
    [left, _] = apply([THREE], [first])
    second = move(left, 1, SECOND)

    assert [(m.amount, m.tax) for m in (first, second)] == [(333, 33), (334, 34)]
    assert move(THREE, 2, FIRST).amount == 667
    assert apply([THREE], [first, second])[0] == Pool(line_id="1", account=OPEN, quantity=1, amount=333, tax=33)


@pytest.mark.parametrize("quantity", [4, -1])
def test_no_more_than_there_is(quantity: int) -> None:
    """Moving more units than the pool has, or fewer than none, is refused with the facts."""
    with pytest.raises(UnitsUnavailable) as caught:
        move(THREE, quantity, FIRST)

    assert caught.value.facts == {"line": "1", "available": 3, "asked": quantity}


@pytest.mark.parametrize(
    ("quantity", "amount", "tax"),
    [
        pytest.param(0, 1001, 0, id="more money than there is"),
        pytest.param(0, 0, 101, id="more tax than there is"),
        pytest.param(0, -1, 0, id="money the other way"),
        pytest.param(3, 999, 100, id="money without units stays behind"),
    ],
)
def test_money_that_cannot_move(quantity: int, amount: int, tax: int) -> None:
    """Explicit amounts must be there and must not leave money without units."""
    with pytest.raises(UnitsUnavailable):
        move(THREE, quantity, FIRST, amount=amount, tax=tax)


def test_money_may_move_without_units() -> None:
    """A quantity of 0 moves the amounts that are given, and nothing unless they are."""
    cancelled = Account(state=UnitState.CANCELLED)

    movement = move(THREE, 0, cancelled, amount=300, tax=30)

    assert [(pool.quantity, pool.amount, pool.tax) for pool in apply([THREE], [movement])] == [
        (3, 700, 70),
        (0, 300, 30),
    ]
    assert (move(THREE, 0, cancelled).amount, move(THREE, 0, cancelled).tax) == (0, 0)


def test_the_same_units_cannot_move_twice() -> None:
    """Two movements of the same pool that together exceed it are refused when applied."""
    with pytest.raises(UnitsUnavailable):
        apply([THREE], [move(THREE, 2, FIRST), move(THREE, 2, SECOND)])

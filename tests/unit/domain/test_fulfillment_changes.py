"""What a fulfillment order allows, and splitting and merging it: nothing is lost, charges stay."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.fulfillment import FulfillmentStatus
from orderloom.domain.fulfillment_changes import (
    FulfillmentAction,
    FulfillmentRefused,
    hand_over,
    split_off,
    why_not,
)
from orderloom.domain.parts import FulfillmentKind
from orderloom.domain.units import Account, Pool, UnitState, UnitsUnavailable, apply

S = FulfillmentStatus
F1, F2 = (
    Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F1"),
    Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F2"),
)
CHARGES = frozenset({"delivery"})


def _pools(x: int, y: int) -> tuple[Pool, ...]:
    return (
        Pool(line_id="X", account=F1, quantity=x, amount=1000 * x + 1, tax=99),
        Pool(line_id="Y", account=F1, quantity=y, amount=333 * y, tax=7),
        Pool(line_id="delivery", account=F1, quantity=1, amount=500, tax=50),
    )


@pytest.mark.parametrize(
    ("status", "kind", "held", "allowed"),
    [
        (S.ALLOCATED, "warehouse", False, {"hold", "move", "split", "merge", "cancel-lines"}),
        (S.ACCEPTED, "warehouse", True, {"release", "move", "split", "merge", "cancel-lines"}),
        (S.PICKED, "warehouse", False, {"hold"}),
        (S.PICKED, "warehouse", True, {"release"}),
        (S.ALLOCATED, "pickup", False, {"hold", "split", "merge", "cancel-lines"}),
        (S.ALLOCATED, "dropship", True, {"release", "split", "merge", "cancel-lines"}),
        (S.ALLOCATED, "digital", False, {"cancel-lines"}),
        (S.FULFILLED, "warehouse", False, set[str]()),
        (S.REJECTED, "warehouse", True, set[str]()),
        (S.CANCELLED, "warehouse", False, set[str]()),
    ],
)
def test_what_is_allowed(status: S, kind: FulfillmentKind, held: bool, allowed: set[str]) -> None:
    """By status, kind and hold; whatever is not allowed says why."""
    reasons = {action.value: why_not(action, status, kind, held=held) for action in FulfillmentAction}

    assert {action for action, reason in reasons.items() if reason is None} == allowed
    assert all(reason for action, reason in reasons.items() if action not in allowed)


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_split_and_merged_it_is_what_it_was(x: int, y: int, data: st.DataObject) -> None:
    """Any part of the products goes out, with its share of the money and no charge; taken in again nothing differs."""
    pools = _pools(x, y)
    wanted = Counter({"X": data.draw(st.integers(0, x)), "Y": data.draw(st.integers(0, y))})
    quantities = +wanted
    if quantities.total() in {0, x + y}:
        return

    apart = apply(pools, split_off(pools, "1-F1", quantities, F2, CHARGES))
    together = apply(apart, hand_over(apart, "1-F2", F1))

    assert Counter({pool.line_id: pool.quantity for pool in apart if pool.account == F2}) == quantities
    assert sum(pool.amount + pool.tax for pool in apart) == sum(pool.amount + pool.tax for pool in pools)
    assert all(pool.amount >= 0 and pool.tax >= 0 for pool in apart)
    assert set(together) == set(pools)


def test_a_split_leaves_something_and_takes_only_products() -> None:
    """All of it, more than there is, a charge, an unknown line: each is refused."""
    pools = _pools(2, 1)
    with pytest.raises(FulfillmentRefused):
        split_off(pools, "1-F1", {"X": 2, "Y": 1}, F2, CHARGES)
    for wrong in ({"X": 3}, {"delivery": 1}, {"Z": 1}):
        with pytest.raises(UnitsUnavailable):
            split_off(pools, "1-F1", wrong, F2, CHARGES)


def test_all_of_it_is_handed_over_and_nothing_of_others() -> None:
    """Products and charges of one fulfillment order move; another one's stay, also money without units."""
    other = Pool(line_id="X", account=F2, quantity=1, amount=10, tax=1)
    bare = Pool(line_id="Y", account=F1, quantity=0, amount=5, tax=0)
    there = replace(F1, place="B", fulfillment_order="1-F3")

    moved = apply((*_pools(2, 1)[:1], bare, other), hand_over((*_pools(2, 1)[:1], bare, other), "1-F1", there))

    assert [(pool.line_id, pool.account, pool.quantity, pool.amount) for pool in moved] == [
        ("X", F2, 1, 10),
        ("X", there, 2, 2001),
        ("Y", there, 0, 5),
    ]

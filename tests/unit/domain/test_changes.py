"""Cancel and return, with the numbers of G12, G13, G15 and G16."""

import pytest

from orderloom.domain.changes import (
    CancelPlan,
    ChangedLine,
    ChangeRefused,
    QuantityUnavailable,
    plan_cancel,
    plan_return,
)
from orderloom.domain.funds import Account as Books
from orderloom.domain.funds import Posting
from orderloom.domain.order import ItemStatus, Line, item_status, quantities, totals
from orderloom.domain.placing import CancelItem, CancelItems, ReturnItem, ReturnItems
from orderloom.domain.units import Account, Pool, UnitState, apply, move

from .conftest import funds_of

OPEN, CANCELLED = Account(state=UnitState.OPEN), Account(state=UnitState.CANCELLED)


def cancel(**items: int) -> CancelItems:
    """Return a cancellation of quantities by line."""
    return CancelItems(items=[CancelItem(line=line, quantity=quantity) for line, quantity in items.items()])


def give(line: str, quantity: int, *, reduce_delivery: bool = False) -> ReturnItems:
    """Return a return of one line."""
    item = ReturnItem(line=line, quantity=quantity, reason="Damaged", reduce_delivery=reduce_delivery)
    return ReturnItems(items=[item])


def to(state: UnitState, pools: tuple[Pool, ...], **orders: str) -> tuple[Pool, ...]:
    """Move all units of the lines into *state*, each into the fulfillment order named."""
    return apply(
        pools,
        [
            move(pool, pool.quantity, Account(state=state, place="A", fulfillment_order=orders[pool.line_id]))
            for pool in pools
            if pool.line_id in orders and pool.quantity > 0
        ],
    )


def grand_total(lines: tuple[Line, ...], pools: tuple[Pool, ...]) -> int:
    """Return the order's grand total."""
    return totals(lines, pools).grand_total_amount


def of(pools: tuple[Pool, ...], line: str) -> list[tuple[str, int, int, int]]:
    """Return state, quantity, amount and tax of a line's units."""
    return [
        (pool.account.state.value, pool.quantity, pool.amount, pool.tax)
        for pool in pools
        if pool.line_id == line and pool.account.state is not UnitState.SOURCE
    ]


def done(pools: tuple[Pool, ...], plan: CancelPlan) -> tuple[Pool, ...]:
    """Return the balances after a cancellation."""
    return apply(apply(pools, plan.give_back), plan.movements)


def test_g12_cancel_before_capture(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Cancelling X x 1 lowers the order by 24.75 to 68.75 and leaves no excess."""
    placing = Posting(debit=Books.CUSTOMER, credit=Books.ORDERED, amount=9350)
    authorised = Posting(debit=Books.GATEWAY, credit=Books.AUTHORISED, amount=9350, payment_id="P1")

    plan = plan_cancel(lines, placed, cancel(X=1), "managed", (), funds=funds_of([placing, authorised]))

    assert plan.balances.grand_total_amount == 2475
    assert (plan.balances.total_amount, plan.balances.total_tax_amount) == (2250, 225)
    assert plan.balances.total_adj_product_amt_with_tax == 2475
    assert plan.balances.total_adj_delivery_amt_with_tax == 0
    assert plan.balances.total_excess_funds_amount == 0
    assert plan.balances.total_refundable_amount == 0
    assert plan.per_line == (ChangedLine(line_id="X", quantity=1, amount=2250, tax=225, reason="unknown"),)
    assert plan.give_back == ()
    assert grand_total(lines, done(placed, plan)) == 6875
    assert of(done(placed, plan), "X") == [("open", 1, 2250, 225), ("cancelled", 1, 2250, 225)]


def test_g12_cancel_reduces_delivery(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """With the flag the delivery charge goes down by 3.00 + 0.30: 28.05 in all, 65.45 stay; its unit stays too."""
    item = CancelItem(line="X", quantity=1, reason="Too late", reduce_delivery=True)

    plan = plan_cancel(lines, placed, CancelItems(items=[item]), "managed", ())

    assert plan.balances.grand_total_amount == 2805
    assert (plan.balances.total_adjusted_delivery_amount, plan.balances.total_adjusted_delivery_tax_amount) == (300, 30)
    assert plan.per_line[1] == ChangedLine(line_id="delivery", quantity=0, amount=300, tax=30, reason="Too late")
    after = done(placed, plan)
    assert grand_total(lines, after) == 6545
    assert of(after, "delivery") == [("open", 1, 700, 70), ("cancelled", 0, 300, 30)]


@pytest.mark.parametrize(
    ("request_", "life_cycle", "error", "facts"),
    [
        pytest.param(
            cancel(X=3), "managed", QuantityUnavailable, {"line": "X", "available": 2, "asked": 3}, id="3 of 2"
        ),
        pytest.param(
            cancel(delivery=1), "managed", ChangeRefused, {"line": "delivery", "kind": "delivery"}, id="delivery"
        ),
        pytest.param(cancel(Z=1), "managed", ChangeRefused, {"line": "Z"}, id="unknown line"),
        pytest.param(cancel(X=1), "unmanaged", ChangeRefused, {"life_cycle": "unmanaged"}, id="unmanaged"),
    ],
)
def test_g12_refusals(
    *,
    lines: tuple[Line, ...],
    placed: tuple[Pool, ...],
    request_: CancelItems,
    life_cycle: str,
    error: type[QuantityUnavailable | ChangeRefused],
    facts: dict[str, object],
) -> None:
    """Too much, a delivery charge, an unknown line and an unmanaged order are refused, with the facts."""
    with pytest.raises(error) as caught:
        plan_cancel(lines, placed, request_, life_cycle, ())

    assert caught.value.facts == facts


def test_g13_cancel_after_capture(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """All captured at placing, Y cancelled: 33.00 excess, 33.00 refundable."""
    funds = funds_of(
        [
            Posting(debit=Books.CUSTOMER, credit=Books.ORDERED, amount=9350),
            Posting(debit=Books.GATEWAY, credit=Books.CAPTURED, amount=9350, payment_id="P1"),
        ]
    )

    plan = plan_cancel(lines, placed, cancel(Y=1), "managed", (), funds=funds)

    assert plan.balances.total_excess_funds_amount == 3300
    assert plan.balances.total_refundable_amount == 3300


def test_g15_refuse_allocated(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """With ``allocated: refuse`` nothing of X is available while it is in a fulfillment order."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1", Y="1-F1", delivery="1-F1")
    request = cancel(X=1).model_copy(update={"allocated": "refuse"})

    with pytest.raises(QuantityUnavailable) as caught:
        plan_cancel(lines, pools, request, "managed", {"1-F1"})

    assert caught.value.facts == {"line": "X", "available": 0, "asked": 1}


def test_g15_give_back(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """By default the fulfillment order gives one X back, then it is cancelled for 24.75; X stays Allocated."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1", Y="1-F1", delivery="1-F1")

    plan = plan_cancel(lines, pools, cancel(X=1), "managed", {"1-F1"})

    [back], [gone] = plan.give_back, plan.movements
    assert (back.quantity, back.amount, back.tax, back.target) == (1, 2250, 225, OPEN)
    assert (gone.quantity, gone.amount, gone.tax, gone.source, gone.target) == (1, 2250, 225, OPEN, CANCELLED)
    assert plan.balances.grand_total_amount == 2475
    left = quantities(pool for pool in done(pools, plan) if pool.line_id == "X")
    assert (left.quantity, left.allocated, left.cancelled) == (1, 1, 1)
    assert item_status(left) is ItemStatus.ALLOCATED


def test_g15_in_two_steps(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Giving one X back first shows Partially Allocated, 1 available; cancelling it then has the same figures."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1", Y="1-F1", delivery="1-F1")
    pools = apply(pools, [move(next(pool for pool in pools if of((pool,), "X")), 1, OPEN)])
    between = quantities(pool for pool in pools if pool.line_id == "X")

    plan = plan_cancel(lines, pools, cancel(X=1), "managed", ())

    assert (between.allocated, between.available_to_cancel) == (1, 1)
    assert item_status(between) is ItemStatus.PARTIALLY_ALLOCATED
    assert plan.balances.grand_total_amount == 2475
    assert item_status(quantities(pool for pool in done(pools, plan) if pool.line_id == "X")) is ItemStatus.ALLOCATED


def test_open_goes_before_reserved_and_the_newest_fulfillment_order_gives_first(
    lines: tuple[Line, ...], placed: tuple[Pool, ...]
) -> None:
    """Of 10 units - 1 open, 2 reserved, 3 in F2, 4 in F10 - cancelling 5 takes the open, the reserved, 2 of F10."""
    line = lines[1].model_copy(update={"quantity": 10, "line_amount": 30_000, "tax": 3_000})
    group = Account(state=UnitState.RESERVED, place="G")
    pools = apply((), [line.placed()])
    for target, quantity in (
        (group, 2),
        (Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F2"), 3),
        (Account(state=UnitState.ALLOCATED, place="A", fulfillment_order="1-F10"), 4),
    ):
        pools = apply(pools, [move(next(pool for pool in pools if pool.account == OPEN), quantity, target)])

    plan = plan_cancel([line], pools, cancel(Y=5), "managed", {"1-F2", "1-F10"})

    assert [(m.source.fulfillment_order, m.quantity) for m in plan.give_back] == [("1-F10", 2)]
    assert [(m.source, m.quantity) for m in plan.movements] == [(OPEN, 3), (group, 2)]


def test_what_cannot_be_stopped_is_not_available(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """A fulfillment order that is not stoppable keeps its units."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1")

    with pytest.raises(QuantityUnavailable) as caught:
        plan_cancel(lines, pools, cancel(X=1), "managed", ())

    assert caught.value.facts["available"] == 0


@pytest.mark.parametrize("allocated", [False, True], ids=["unallocated", "allocated"])
def test_cancelling_every_product_cancels_the_charges(
    lines: tuple[Line, ...], placed: tuple[Pool, ...], allocated: bool
) -> None:
    """When nothing is left to deliver, the delivery charge goes too: 93.50, and nothing stands."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1", Y="1-F1", delivery="1-F1") if allocated else placed

    plan = plan_cancel(lines, pools, cancel(X=2, Y=1), "managed", {"1-F1"})

    assert plan.balances.grand_total_amount == 9350
    assert grand_total(lines, done(pools, plan)) == 0
    assert {state for line in lines for state, *_ in of(done(pools, plan), line.id)} == {"cancelled"}
    assert plan.per_line[-1] == ChangedLine(line_id="delivery", quantity=1, amount=1000, tax=100, reason="unknown")


def test_an_allocated_charge_stays_while_a_product_is_with_it(
    lines: tuple[Line, ...], placed: tuple[Pool, ...]
) -> None:
    """Cancelling Y out of the fulfillment order leaves the delivery charge where it is."""
    pools = to(UnitState.ALLOCATED, placed, X="1-F1", Y="1-F1", delivery="1-F1")

    plan = plan_cancel(lines, pools, cancel(Y=1), "managed", {"1-F1"})

    assert of(done(pools, plan), "delivery") == [("allocated", 1, 1000, 100)]


def test_a_shipped_delivery_charge_is_not_lowered_by_a_cancellation(
    lines: tuple[Line, ...], placed: tuple[Pool, ...]
) -> None:
    """What is invoiced goes down by a return only; the refusal says so."""
    pools = to(UnitState.FULFILLED, placed, X="1-F1", delivery="1-F1")
    request = CancelItems(items=[CancelItem(line="Y", quantity=1, reduce_delivery=True)])

    with pytest.raises(ChangeRefused) as caught:
        plan_cancel(lines, pools, request, "managed", ())

    assert caught.value.facts == {"line": "delivery"}
    assert "return" in caught.value.detail


def test_g16_blind_return(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Returning X one by one gives back 24.75 each, shows Fulfilled, then Returned; a third is refused."""
    pools = to(UnitState.FULFILLED, placed, X="1-F1", Y="1-F1", delivery="1-F1")

    first = plan_return(lines, pools, give("X", 1), "managed")
    pools = apply(pools, first.movements)
    after_first = quantities(pool for pool in pools if pool.line_id == "X")
    second = plan_return(lines, pools, give("X", 1), "managed")
    pools = apply(pools, second.movements)
    after_second = quantities(pool for pool in pools if pool.line_id == "X")

    assert [plan.balances.grand_total_amount for plan in (first, second)] == [2475, 2475]
    assert first.balances.total_refundable_amount == 2475
    assert first.movements[0].target == Account(state=UnitState.RETURNED, place="A", fulfillment_order="1-F1")
    assert (after_first.quantity, item_status(after_first)) == (1, ItemStatus.FULFILLED)
    assert (after_second.quantity, item_status(after_second)) == (0, ItemStatus.RETURNED)
    assert grand_total(lines, pools) == 4400
    with pytest.raises(QuantityUnavailable) as caught:
        plan_return(lines, pools, give("X", 1), "managed")
    assert caught.value.facts == {"line": "X", "available": 0, "asked": 1}


def test_a_return_can_lower_the_delivery_charge(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Returning Y with the flag gives back 33.00 and 30/75 of the delivery charge: 4.00 + 0.40."""
    pools = to(UnitState.FULFILLED, placed, X="1-F1", Y="1-F1", delivery="1-F1")

    plan = plan_return(lines, pools, give("Y", 1, reduce_delivery=True), "managed")

    assert plan.balances.grand_total_amount == 3740
    assert grand_total(lines, apply(pools, plan.movements)) == 5610


def test_what_is_not_shipped_cannot_be_returned(lines: tuple[Line, ...], placed: tuple[Pool, ...]) -> None:
    """Open units are cancelled, not returned."""
    with pytest.raises(QuantityUnavailable):
        plan_return(lines, placed, give("X", 1), "managed")

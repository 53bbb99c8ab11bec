"""The ledger of units conserves quantity and money; plans keep what they promise."""

from dataclasses import dataclass

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orderloom.domain.changes import ChangeRefused, QuantityUnavailable, plan_cancel, plan_return
from orderloom.domain.order import ItemStatus, Line, Quantities, item_status, order_status, quantities, totals
from orderloom.domain.placing import CancelItem, CancelItems, ReturnItem, ReturnItems
from orderloom.domain.units import Account, Movement, Pool, UnitState, UnitsUnavailable, apply, move

OPEN = Account(state=UnitState.OPEN)
PLACES = (
    OPEN,
    Account(state=UnitState.RESERVED, place="G"),
    *(Account(state=UnitState.ALLOCATED, place="A", fulfillment_order=f"1-F{n}") for n in (1, 2, 10)),
    Account(state=UnitState.FULFILLED, place="A", fulfillment_order="1-F1"),
    Account(state=UnitState.RETURNED, place="A", fulfillment_order="1-F1"),
    Account(state=UnitState.CANCELLED),
)


@dataclass
class Standing:
    """An order, and where its units stand."""

    lines: list[Line]
    pools: tuple[Pool, ...]


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Orders of up to four product lines and a delivery charge, their units anywhere."""
    amounts = st.integers(0, 100_000)
    lines = [
        _line(position, draw(st.integers(1, 20)), draw(amounts), draw(st.integers(0, 20_000)))
        for position in range(1, draw(st.integers(2, 5)))
    ]
    lines.append(_line(len(lines) + 1, 1, draw(amounts), draw(st.integers(0, 20_000)), kind="delivery"))
    pools = apply((), [line.placed() for line in lines])
    for line in lines[:-1]:
        for target in draw(st.lists(st.sampled_from(PLACES[1:]), max_size=4)):
            [pool] = [pool for pool in pools if pool.line_id == line.id and pool.account == OPEN] or [None]
            if pool is not None and pool.quantity:
                pools = apply(pools, [move(pool, draw(st.integers(1, pool.quantity)), target)])
    return Standing(lines, pools)


def _line(position: int, quantity: int, amount: int, tax: int, kind: str = "product") -> Line:
    return Line.model_validate(
        {
            "id": str(position),
            "position": position,
            "kind": kind,
            "sku": f"S{position}" if kind == "product" else None,
            "delivery_group": "1",
            "quantity": quantity,
            "unit_price": -(-amount // quantity),
            "line_amount": -(-amount // quantity) * quantity,
            "adjustment": amount - -(-amount // quantity) * quantity,
            "tax": tax,
            "tax_category": "standard",
        }
    )


def whole(pools: tuple[Pool, ...]) -> dict[str, tuple[int, int, int]]:
    """Return quantity, amount and tax by line, over all accounts."""
    sums: dict[str, tuple[int, int, int]] = {}
    for pool in pools:
        quantity, amount, tax = sums.get(pool.line_id, (0, 0, 0))
        sums[pool.line_id] = quantity + pool.quantity, amount + pool.amount, tax + pool.tax
    return sums


def sound(standing: Standing, pools: tuple[Pool, ...]) -> None:
    """Demand that each line sums to zero over all accounts and that none but the source is below zero."""
    assert set(whole(pools).values()) <= {(0, 0, 0)}
    assert all(
        min(pool.quantity, pool.amount, pool.tax) >= 0 for pool in pools if pool.account.state is not UnitState.SOURCE
    )
    assert {line.id: line.quantity for line in standing.lines} == {
        line.id: quantities(pool for pool in pools if pool.line_id == line.id).ordered for line in standing.lines
    }


@given(standings())
def test_movements_conserve_units_and_money(standing: Standing) -> None:
    """However units have moved, every line's accounts sum to zero and none is overdrawn."""
    sound(standing, standing.pools)


@given(st.integers(1, 50), st.integers(0, 10**6), st.integers(0, 10**5), st.data())
def test_slices_of_a_pool_add_up(quantity: int, amount: int, tax: int, data: st.DataObject) -> None:
    """Taking a pool apart in any steps hands out exactly its money."""
    pools: tuple[Pool, ...] = (Pool(line_id="1", account=OPEN, quantity=quantity, amount=amount, tax=tax),)
    moved: list[Movement] = []
    while quantity:
        step = data.draw(st.integers(1, quantity))
        [pool] = [pool for pool in pools if pool.account == OPEN]
        moved.append(move(pool, step, Account(state=UnitState.CANCELLED)))
        pools = apply(pools, moved[-1:])
        quantity -= step

    assert (sum(m.amount for m in moved), sum(m.tax for m in moved)) == (amount, tax)
    assert all(m.amount >= 0 and m.tax >= 0 for m in moved)
    assert [pool for pool in pools if pool.account == OPEN] == []


@given(standings(), st.data())
def test_more_than_there_is_never_moves(standing: Standing, data: st.DataObject) -> None:
    """A pool gives at most what it has."""
    pool = data.draw(st.sampled_from([p for p in standing.pools if p.account.state is not UnitState.SOURCE]))

    with pytest.raises(UnitsUnavailable):
        move(pool, pool.quantity + data.draw(st.integers(1, 5)), OPEN)


@given(standings(), st.booleans(), st.booleans(), st.data())
def test_a_cancellation_does_what_its_preview_says(
    standing: Standing, reduce_delivery: bool, give_back: bool, data: st.DataObject
) -> None:
    """The order goes down by exactly the balances; preview twice says the same and changes nothing."""
    items = _items(standing, data)
    request = CancelItems(
        items=[CancelItem(line=line, quantity=n, reduce_delivery=reduce_delivery) for line, n in items.items()],
        allocated="give_back" if give_back else "refuse",
    )
    stoppable = {"1-F1", "1-F10"}
    available = {
        line: sum(
            pool.quantity
            for pool in standing.pools
            if pool.line_id == line
            and (
                pool.account.state in {UnitState.OPEN, UnitState.RESERVED}
                or (
                    give_back
                    and pool.account.state is UnitState.ALLOCATED
                    and pool.account.fulfillment_order in stoppable
                )
            )
        )
        for line in items
    }
    before = totals(standing.lines, standing.pools)
    if any(available[line] < n for line, n in items.items()):
        with pytest.raises(QuantityUnavailable) as caught:
            plan_cancel(standing.lines, standing.pools, request, "managed", stoppable)
        line = str(caught.value.facts["line"])
        assert caught.value.facts == {"line": line, "available": available[line], "asked": items[line]}
        return

    plan = plan_cancel(standing.lines, standing.pools, request, "managed", stoppable)

    after = apply(apply(standing.pools, plan.give_back), plan.movements)
    sound(standing, after)
    assert plan == plan_cancel(standing.lines, standing.pools, request, "managed", stoppable)
    lowered = before.grand_total_amount - totals(standing.lines, after).grand_total_amount
    assert plan.balances.grand_total_amount == lowered == sum(each.amount + each.tax for each in plan.per_line)
    cancelled = {line: _of(after, line).cancelled - _of(standing.pools, line).cancelled for line in items}
    assert cancelled == items
    assert sum(m.quantity for m in plan.give_back if m.line_id in items) <= sum(items.values())


@given(standings(), st.data())
def test_a_return_does_what_its_preview_says(standing: Standing, data: st.DataObject) -> None:
    """Shipped units come back at exactly the balances, or the error says how many there are."""
    items = _items(standing, data)
    request = ReturnItems(items=[ReturnItem(line=line, quantity=n, reason="Damaged") for line, n in items.items()])
    available = {line: _of(standing.pools, line).available_to_return for line in items}
    if any(available[line] < n for line, n in items.items()):
        with pytest.raises(QuantityUnavailable):
            plan_return(standing.lines, standing.pools, request, "managed")
        return

    plan = plan_return(standing.lines, standing.pools, request, "managed")

    after = apply(standing.pools, plan.movements)
    sound(standing, after)
    lowered = (
        totals(standing.lines, standing.pools).grand_total_amount - totals(standing.lines, after).grand_total_amount
    )
    assert plan.balances.grand_total_amount == lowered
    assert {line: available[line] - _of(after, line).available_to_return for line in items} == items


@given(standings(), st.booleans())
def test_cancelling_everything_leaves_nothing(standing: Standing, reduce_delivery: bool) -> None:
    """An order with nothing shipped, cancelled in full, comes to 0 and every unit of it is cancelled."""
    left = {line.id: _of(standing.pools, line.id) for line in standing.lines[:-1]}
    assume(all(q.fulfilled == 0 for q in left.values()) and any(q.quantity for q in left.values()))
    items = [
        CancelItem(line=line, quantity=q.quantity, reduce_delivery=reduce_delivery)
        for line, q in left.items()
        if q.quantity
    ]

    plan = plan_cancel(standing.lines, standing.pools, CancelItems(items=items), "managed", {"1-F1", "1-F2", "1-F10"})

    after = apply(apply(standing.pools, plan.give_back), plan.movements)
    assert totals(standing.lines, after).grand_total_amount == 0
    assert {pool.account.state for pool in after} == {UnitState.SOURCE, UnitState.CANCELLED}
    assert order_status(quantities(pool for pool in after if pool.line_id in left)).value == "cancelled"


@given(standings(), st.data())
def test_unmanaged_orders_never_change(standing: Standing, data: st.DataObject) -> None:
    """Whatever is asked of an unmanaged order is refused."""
    items = [CancelItem(line=line, quantity=n) for line, n in _items(standing, data).items()]

    with pytest.raises(ChangeRefused):
        plan_cancel(standing.lines, standing.pools, CancelItems(items=items), "unmanaged", ())


@given(standings())
def test_statuses_agree_with_quantities(standing: Standing) -> None:
    """A status never claims what the quantities deny."""
    for line in standing.lines:
        q = _of(standing.pools, line.id)
        status = item_status(q)

        assert q.open + q.reserved + q.in_fulfillment + q.fulfilled + q.cancelled == q.ordered
        assert (status is ItemStatus.CANCELLED) == (q.quantity == 0 and q.returned == 0)
        assert (status is ItemStatus.RETURNED) == (q.quantity == 0 and q.returned > 0)
        if status is ItemStatus.FULFILLED:
            assert q.in_fulfillment == q.available_to_cancel == 0
        if status is ItemStatus.ORDERED:
            assert q.allocated == 0


def _of(pools: tuple[Pool, ...], line: str) -> Quantities:
    return quantities(pool for pool in pools if pool.line_id == line)


def _items(standing: Standing, data: st.DataObject) -> dict[str, int]:
    products = [line for line in standing.lines if line.kind == "product"]
    chosen = data.draw(st.lists(st.sampled_from(products), min_size=1, unique_by=lambda line: line.id))
    return {line.id: data.draw(st.integers(1, line.quantity)) for line in chosen}

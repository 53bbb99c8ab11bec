"""Parts of an order: which units are routed together, what goes without a choice, and what an attempt comes to."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.order import Fulfilment, Line
from orderloom.domain.parts import Part, RoutedPart, parts_of, routing_of, without_choice
from orderloom.domain.routing import Assignment, Route, RoutingAnswer, RoutingOutcome, Short
from orderloom.domain.units import Account, Pool, UnitState


def line(id: str, sku: str, *, group: str = "1", fulfilment: Fulfilment = "ship") -> Line:
    """Return a product line; only what parts look at is given."""
    amounts: dict[str, Any] = dict.fromkeys(("unit_price", "line_amount", "adjustment", "tax"), 0)
    return Line(
        id=id,
        position=1,
        kind="product",
        sku=sku,
        delivery_group=group,
        quantity=9,
        tax_category="standard",
        fulfilment=fulfilment,
        **amounts,
    )


def pool(line_id: str, quantity: int, state: UnitState = UnitState.RESERVED) -> Pool:
    """Return units that wait."""
    return Pool(line_id=line_id, account=Account(state=state), quantity=quantity, amount=0, tax=0)


def part(group: str, quantity: int = 2, **more: Any) -> Part:
    """Return a part of SKU S that comes from stock."""
    return Part.model_validate({"delivery_group": group, "kind": "warehouse", "demand": {"S": quantity}, **more})


def found(part: Part, outcome: RoutingOutcome, quantity: int = 0) -> RoutedPart:
    """Return the part with *quantity* of it routed from A."""
    plan = (Assignment(location="A", sku="S", quantity=quantity),)
    routes = (Route(rank=1, locations=("A",), plan=plan, average_km=None),) if quantity else ()
    return RoutedPart(**part.model_dump(), answer=RoutingAnswer(outcome=outcome, routes=routes))


ROUTED, NO_STOCK = RoutingOutcome.ROUTED, RoutingOutcome.NO_STOCK


def test_what_has_no_choice_is_a_part_of_its_own() -> None:
    """Digital, drop-shipped by each supplier, picked up and sent units of two groups are six parts, in that order."""
    lines = {
        one.id: one
        for one in (
            line("book", "BOOK", fulfilment="digital"),
            line("sofa", "SOFA", fulfilment="dropship"),
            line("lamp", "LAMP", fulfilment="dropship"),
            line("mug", "MUG"),
            line("mug2", "MUG"),
            line("cup", "CUP", group="0-shop"),
            line("song", "SONG", group="0-shop", fulfilment="digital"),
        )
    }
    waiting = [pool(id, 2) for id in lines] + [pool("mug", 1, UnitState.OPEN)]

    parts = parts_of(lines, waiting, {"1": None, "0-shop": "store"}, {"SOFA": "maker", "LAMP": "lights"})

    assert [(one.kind, one.delivery_group, one.place, one.demand) for one in parts] == [
        ("digital", "0-shop", None, {"SONG": 2}),
        ("digital", "1", None, {"BOOK": 2}),
        ("dropship", "1", "lights", {"LAMP": 2}),
        ("dropship", "1", "maker", {"SOFA": 2}),
        ("pickup", "0-shop", "store", {"CUP": 2}),
        ("warehouse", "1", None, {"MUG": 5}),
    ]
    assert [one.stocked for one in parts] == [False, False, False, False, True, True]


@given(
    st.lists(
        st.tuples(st.sampled_from(("ship", "digital", "dropship")), st.sampled_from("abc"), st.integers(1, 9)),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([None, "store"]),
)
def test_no_unit_is_lost_between_parts(given_lines: list[tuple[Fulfilment, str, int]], pickup: str | None) -> None:
    """Whatever the lines, the parts hold each group's units by SKU exactly, and no part is empty."""
    lines = {
        str(at): line(str(at), f"S{at % 3}-{fulfilment}", group=group, fulfilment=fulfilment)
        for at, (fulfilment, group, _) in enumerate(given_lines)
    }
    waiting = [pool(str(at), quantity) for at, (_, _, quantity) in enumerate(given_lines)]
    wanted: Counter[tuple[str, str | None]] = Counter()
    for one in waiting:
        wanted[lines[one.line_id].delivery_group, lines[one.line_id].sku] += one.quantity

    parts = parts_of(lines, waiting, dict.fromkeys("abc", pickup), {f"S{n}-dropship": "maker" for n in range(3)})

    held: Counter[tuple[str, str | None]] = Counter()
    for one in parts:
        held.update({(one.delivery_group, sku): quantity for sku, quantity in one.demand.items()})
    assert held == wanted
    assert all(one.demand for one in parts)


def test_digital_units_go_from_nowhere_and_suppliers_send_all_or_nothing() -> None:
    """What has no choice is routed whole; a supplier that is not available is no eligible location."""
    digital = without_choice(part("1", kind="digital"), available=True)
    sent = without_choice(part("1", kind="dropship", place="maker"), available=True)
    refused = without_choice(part("1", kind="dropship", place="maker"), available=False)

    assert (digital.locations, digital.plan) == ((), (Assignment(location="", sku="S", quantity=2),))
    assert (sent.locations, sent.plan) == (("maker",), (Assignment(location="maker", sku="S", quantity=2),))
    assert (refused.plan, refused.whole) == ((), False)
    assert (refused.answer.outcome, refused.answer.short) == (
        RoutingOutcome.NO_ELIGIBLE_LOCATION,
        (Short(sku="S", quantity=2),),
    )


@pytest.mark.parametrize(
    ("parts", "complete", "outcome", "carried_out"),
    [
        pytest.param([found(part("a"), ROUTED, 2)], False, "ROUTED", ["a"], id="all of it"),
        pytest.param([found(part("a"), ROUTED, 2)], True, "ROUTED", ["a"], id="all of it, complete"),
        pytest.param([found(part("a"), ROUTED, 1)], False, "PARTIALLY_ROUTED", ["a"], id="some of it"),
        pytest.param([found(part("a"), ROUTED, 1)], True, "NO_STOCK", [], id="some of it, complete"),
        pytest.param(
            [found(part("a"), RoutingOutcome.SPLIT_LIMIT), found(part("b"), ROUTED, 2)],
            False,
            "PARTIALLY_ROUTED",
            ["b"],
            id="one group",
        ),
        pytest.param(
            [found(part("a"), ROUTED, 2), found(part("b"), RoutingOutcome.SPLIT_LIMIT)],
            True,
            "SPLIT_LIMIT",
            [],
            id="one group, complete",
        ),
        pytest.param(
            [found(part("a"), NO_STOCK), found(part("b"), RoutingOutcome.SPLIT_LIMIT)],
            False,
            "NO_STOCK",
            [],
            id="nothing",
        ),
    ],
)
def test_an_attempt_comes_to_what_its_parts_come_to(
    parts: list[RoutedPart], complete: bool, outcome: str, carried_out: list[str]
) -> None:
    """Parts go out each for itself, unless the order is to go out as a whole; then the first that fails says why."""
    routing = routing_of(parts, complete=complete)

    assert (routing.outcome.value, [one.delivery_group for one in routing.carried_out]) == (outcome, carried_out)


def test_splits_are_shipments_beyond_the_first_of_a_part() -> None:
    """Two groups from one location each are no split; a group from two locations is one."""
    plan = tuple(Assignment(location=at, sku="S", quantity=1) for at in "AB")
    split = RoutingAnswer(outcome=ROUTED, routes=(Route(rank=1, locations=("A", "B"), plan=plan, average_km=None),))
    both = routing_of([found(part("a"), ROUTED, 2), RoutedPart(**part("b").model_dump(), answer=split)], complete=False)

    assert (both.splits, both.locations) == (1, ["A", "B"])
    assert routing_of([found(part("a"), ROUTED, 2), found(part("b"), ROUTED, 2)], complete=False).splits == 0

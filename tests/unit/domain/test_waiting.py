"""Who gets stock that has come in."""

from hypothesis import given
from hypothesis import strategies as st

from orderloom.domain.waiting import Waiting, served


def waiting(order: str, quantities: dict[str, int], *, priority: int = 0, group: str = "g", partial: bool = False):
    return Waiting(order=order, group=group, priority=priority, quantities=quantities, partial=partial)


def names(found: list[Waiting]) -> list[str]:
    return [each.order for each in found]


def test_priority_goes_before_age_and_age_is_the_number() -> None:
    """Order 9 is older than order 10, and both stand behind a later one of higher priority."""
    queue = [waiting("10", {"x": 1}), waiting("9", {"x": 1}), waiting("11", {"x": 1}, priority=1)]

    assert names(served(queue, {("g", "x"): 2})) == ["11", "9"]


def test_an_order_gets_all_or_holds_up_nobody() -> None:
    """What is too little for the first serves the second, whole."""
    queue = [waiting("1", {"x": 3, "y": 1}), waiting("2", {"x": 2})]

    assert served(queue, {("g", "x"): 3, ("g", "y"): 0}) == [waiting("2", {"x": 2})]


def test_an_order_that_goes_out_in_parts_takes_what_is_there() -> None:
    """It gets less than it waits for, and the next one what is left."""
    queue = [waiting("1", {"x": 3, "y": 1}, partial=True), waiting("2", {"x": 1})]

    found = served(queue, {("g", "x"): 2, ("g", "y"): 0})

    assert found == [waiting("1", {"x": 2, "y": 0}, partial=True)]
    assert served(queue[:1], {("g", "x"): 0, ("g", "y"): 0}) == []


def test_what_groups_share_is_given_once() -> None:
    """One unit that two groups count is not given to an order of each."""
    queue = [waiting("1", {"x": 1}, group="a"), waiting("2", {"x": 1}, group="b")]

    assert names(served(queue, {("a", "x"): 1, ("b", "x"): 1})) == ["1"]


def test_a_reservation_that_needs_another_place_needs_nothing_free() -> None:
    """It is woken whenever what it is of comes in."""
    assert names(served([waiting("1", {"x": 0})], {("g", "x"): 0})) == ["1"]


QUEUES = st.lists(
    st.builds(
        waiting,
        st.integers(1, 200).map(str),
        st.dictionaries(st.sampled_from("xyz"), st.integers(0, 5), min_size=1),
        priority=st.integers(-2, 2),
        partial=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: each.order,
)
FREE = st.fixed_dictionaries({("g", sku): st.integers(-2, 12) for sku in "xyz"})


@given(QUEUES, FREE)
def test_no_more_is_given_than_is_free_and_nobody_is_passed_who_could_have_all(queue, free) -> None:
    """Of every SKU at most what is free; who got nothing could not have all after those before it."""
    found = {each.order: each for each in served(queue, free)}
    left = dict(free)
    for each in sorted(queue, key=lambda one: one.rank):
        fits = all(left[("g", sku)] >= quantity for sku, quantity in each.quantities.items() if quantity)
        if each.order not in found:
            assert not fits
            continue
        got = found[each.order].quantities
        assert each.partial or got == each.quantities
        for sku, quantity in got.items():
            assert quantity <= each.quantities[sku]
            left[("g", sku)] -= quantity
            assert quantity == 0 or left[("g", sku)] >= 0

"""Random reservations against counters that are counted anew from what every reservation holds."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain import shelves as decide
from orderloom.domain.channel import Promise
from orderloom.domain.reserving import (
    FulfillRecord,
    Place,
    RecordResult,
    ShelfLevel,
    ShelfUnits,
    TransferRecord,
)
from orderloom.domain.shelves import At, Counters, Held, Ledger, Shelves

MEMBERS = {"A": ("g", "h"), "B": ("g",), "C": ("h",), "D": ()}
"""Locations with their groups: A is in two, D in none."""
GROUPS = {"g": ("A", "B"), "h": ("A", "C")}
SKU = "S"

Kind = tuple[str, str]
PLACES: list[Kind] = [("location", name) for name in MEMBERS] + [("group", name) for name in GROUPS]
places = st.sampled_from(PLACES)
quantities = st.integers(1, 8)


def spot(kind: Kind) -> dict[str, str]:
    """Return the place as a request names it."""
    return {kind[0]: kind[1]}


operations = st.one_of(
    st.tuples(st.just("reserve"), st.lists(st.tuples(places, quantities), min_size=1, max_size=3), st.booleans()),
    st.tuples(st.just("set"), st.lists(st.tuples(places, st.integers(0, 8)), min_size=1, max_size=3), st.booleans()),
    st.tuples(
        st.just("transfer"),
        st.lists(st.tuples(places, places, quantities, st.sampled_from([None, "t"])), min_size=1, max_size=3),
        st.just(False),
    ),
    st.tuples(st.just("fulfill"), st.lists(st.tuples(places, quantities), min_size=1, max_size=2), st.just(False)),
    st.tuples(st.just("release"), st.lists(st.tuples(places, quantities), min_size=1, max_size=2), st.just(False)),
)
stocks = st.fixed_dictionaries({name: st.tuples(*[st.integers(0, 10)] * 3) for name in MEMBERS})


def shelves_of(stock: dict[str, tuple[int, int, int]], promise: Promise) -> Shelves:
    """Return counters of locations, and of groups as the sums of their members."""
    counters: dict[At, Counters] = {
        (Place("location", name), SKU): Counters(on_hand=on_hand, safety=min(safety, 2), future=future)
        for name, (on_hand, safety, future) in stock.items()
    }
    for group, members in GROUPS.items():
        of = [counters[Place("location", name), SKU] for name in members]
        counters[Place("group", group), SKU] = Counters(
            on_hand=sum(one.on_hand for one in of),
            safety=sum(one.safety for one in of),
            future=sum(one.future for one in of),
        )
    return Shelves(counters=counters, groups=MEMBERS, promise=promise)


def carry_out(ledger: Ledger, operation: tuple[str, list[tuple[object, ...]], bool]) -> list[RecordResult]:
    """Do one operation on one reservation."""
    kind, given, flag = operation
    rows: list[tuple[object, ...]] = given
    match kind:
        case "reserve":
            wanted = [ShelfUnits.model_validate({**spot(p), "sku": SKU, "quantity": q}) for p, q in rows]  # pyright: ignore
            return decide.reserve(ledger, wanted, partial=flag)
        case "set":
            levels = [ShelfLevel.model_validate({**spot(p), "sku": SKU, "quantity": q}) for p, q in rows]  # pyright: ignore
            return decide.set_levels(ledger, levels, partial=False, all_or_nothing=flag)
        case "transfer":
            moves = [
                TransferRecord.model_validate(
                    {"from": spot(a), "to": spot(b), "sku": SKU, "quantity": q, "all_or_nothing": t}  # pyright: ignore
                )
                for a, b, q, t in rows
            ]
            return decide.transfer(ledger, moves)
        case "fulfill":
            shipped = [FulfillRecord(location=p[1], sku=SKU, quantity=q) for p, q in rows if p[0] == "location"]  # pyright: ignore
            return decide.fulfill(ledger, shipped)
        case _:
            given_up = [ShelfUnits.model_validate({**spot(p), "sku": SKU, "quantity": q}) for p, q in rows]  # pyright: ignore
            return decide.release(ledger, given_up)


@settings(max_examples=300, deadline=None)
@given(
    stock=stocks,
    steps=st.lists(st.tuples(st.integers(0, 2), operations), max_size=25),
    promise=st.sampled_from(["ato", "atf"]),
)
def test_sums_hold_whatever_is_asked_for(
    stock: dict[str, tuple[int, int, int]],
    steps: list[tuple[int, tuple[str, list[tuple[object, ...]], bool]]],
    promise: Promise,
) -> None:
    """Counters are what the reservations hold; a group's are its members' and its own; nothing is oversold."""
    shelves = shelves_of(stock, promise)
    ledgers = [Ledger(shelves, {}) for _ in range(3)]
    before = {at: counters.on_hand for at, counters in shelves.counters.items()}
    for who, operation in steps:
        ledger = ledgers[who]
        held_before: Held = dict(ledger.held)
        results = carry_out(ledger, operation)
        if all(result.status == "refused" for result in results):
            assert +count(ledger.held) == +count(held_before)

        held = count({}) + sum((count(each.held) for each in ledgers), count({}))
        shipped = sum(
            (count({(p, s): q}) for each in ledgers for p, s, q, status in each.ended if status == "fulfilled"),
            count({}),
        )
        for name in MEMBERS:
            at = (Place("location", name), SKU)
            counters = shelves.counters[at]
            assert counters.reserved == held[at]
            assert counters.on_hand == before[at] - shipped[at]
            assert counters.available("atf") >= 0 or counters.reserved == 0
        for group, members in GROUPS.items():
            at = (Place("group", group), SKU)
            counters = shelves.counters[at]
            of = [shelves.counters[Place("location", name), SKU] for name in members]
            assert counters.reserved == held[at] + sum(one.reserved for one in of)
            assert counters.on_hand == sum(one.on_hand for one in of)
            assert counters.available(promise) >= 0 or counters.reserved == 0
        assert all(quantity >= 0 for ledger in ledgers for quantity in ledger.held.values())


@settings(max_examples=300, deadline=None)
@given(
    stock=stocks,
    cart=st.lists(st.tuples(places, quantities), min_size=1, max_size=4),
    wanted=st.integers(0, 12),
    promise=st.sampled_from(["ato", "atf"]),
)
def test_what_an_order_takes_over_is_conserved(
    stock: dict[str, tuple[int, int, int]], cart: list[tuple[Kind, int]], wanted: int, promise: Promise
) -> None:
    """The order has no more than it wants and all that the cart held for it; the counters hold that and no more."""
    shelves, group = shelves_of(stock, promise), Place("group", "g")
    ledger = Ledger(shelves, {})
    carry_out(ledger, ("reserve", list(cart), True))  # pyright: ignore
    held = count(ledger.held)
    within = sum(quantity for (place, _), quantity in held.items() if group in shelves.groups_at(place))

    kept = decide.take_over(ledger, group, {SKU: wanted})

    assert kept[SKU] == min(wanted, within)
    assert not any(ledger.held.values())
    assert sum(quantity for *_, quantity, _ in ledger.ended) == sum(held.values())
    assert sum(quantity for *_, quantity, status in ledger.ended if status == "ordered") == kept[SKU]
    assert {at: each.reserved for at, each in shelves.counters.items() if each.reserved} == (
        {(group, SKU): kept[SKU]} if kept[SKU] else {}
    )

    room = shelves.room(group, SKU)
    more = decide.hold_what_there_is(shelves, group, {SKU: wanted - kept[SKU]})
    assert more[SKU] == min(wanted - kept[SKU], room)
    assert shelves.counters[group, SKU].reserved == kept[SKU] + more[SKU]


def count(held: Held) -> Counter[At]:
    """Return quantities that can be added up."""
    return Counter(held)

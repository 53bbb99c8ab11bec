"""Orders of one priority exchange what they got: fewer splits where that is possible, and nobody pays for it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderloom.domain import waves
from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.geo import Position
from orderloom.domain.parts import Part
from orderloom.domain.routing import RoutingAnswer, RoutingQuestion
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Destination, Situation
from orderloom.domain.solver import find_routes
from orderloom.domain.waves import Member, Picture, Routed, route_together
from tests.property.test_waves import one_after_another

PLACES, SKUS = "ABC", "XY"
type Stock = dict[str, dict[str, int]]
type Plan = Counter[tuple[str, str]]


def _member(
    number: int, demand: Mapping[str, int], policy: RoutingPolicy, *, priority: int = 0, at: float = 0.0
) -> Member:
    situation = Situation(
        now=datetime(2026, 3, 2, tzinfo=UTC),
        channel="web",
        value=1,
        priority=priority,
        parts=(Part(delivery_group="1", kind="warehouse", demand=dict(sorted(demand.items()))),),
        destinations={"1": Destination(country="GB", position=Position(latitude=0.0, longitude=at))},
    )
    return Member(order=str(100_001 + number), group="all", policy=policy, situation=situation)


def _picture(stock: Stock, room: Mapping[str, int] | None = None) -> Picture:
    """Return locations in one group that has promised nothing else: A, B and C from west to east."""
    skus = sorted({sku for there in stock.values() for sku in there})
    places = tuple(
        LocationFacts(id=place, country="GB", groups=("all",), position=Position(latitude=0.0, longitude=float(at)))
        for at, place in enumerate(sorted(stock))
    )
    whole = {sku: sum(there.get(sku, 0) for there in stock.values()) for sku in skus}
    return Picture(locations={"all": places}, stock=stock, groups={"all": whole}, room=dict(room or {}))


def _always(*_: object) -> bool:
    return True


def _together(asked: list[Member], picture: Picture) -> list[Routed]:
    return route_together(asked, picture, _always, find_routes)


def _splits(routed: list[Routed]) -> list[int]:
    return [each.answer.routing.splits for each in routed]


def _plans(units: Mapping[str, int], left: Plan) -> Iterator[Plan]:
    """Yield every way to send so many units of each SKU from what is left."""
    ways = (
        [shares for shares in product(range(quantity + 1), repeat=len(PLACES)) if sum(shares) == quantity]
        for quantity in units.values()
    )
    for chosen in product(*ways):
        plan = +Counter(
            {
                (at, sku): n
                for sku, shares in zip(units, chosen, strict=True)
                for at, n in zip(PLACES, shares, strict=True)
            }
        )
        if plan <= left:
            yield plan


def _fewest(orders: Sequence[Mapping[str, int]], left: Plan) -> int:
    """Return the fewest splits with which all orders together get so many units: everything is tried."""
    if not orders:
        return 0
    return min(
        max(0, len({at for at, _ in plan}) - 1) + _fewest(orders[1:], left - plan) for plan in _plans(orders[0], left)
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(SKUS), st.integers(1, 2), min_size=1), min_size=2, max_size=3),
    st.fixed_dictionaries({at: st.fixed_dictionaries({sku: st.integers(0, 2) for sku in SKUS}) for at in PLACES}),
    st.sampled_from([None, 0, 1]),
)
def test_splits_are_between_the_fewest_and_one_after_another(
    demands: list[dict[str, int]], stock: Stock, limit: int | None
) -> None:
    """Beside all plans that give each order its units: never fewer splits than possible, never more than by turns."""
    asked = [_member(at, demand, RoutingPolicy(max_splits=limit)) for at, demand in enumerate(demands)]
    there: Plan = Counter({(at, sku): n for at, of in stock.items() for sku, n in of.items()})

    exchanged, by_turns = _together(asked, _picture(stock)), _together(one_after_another(asked), _picture(stock))

    sent: Plan = Counter()
    units: list[Counter[str]] = []
    for each in exchanged:
        units.append(Counter())
        for held in each.held:
            sent[held.location, held.sku] += held.quantity
            units[-1][held.sku] += held.quantity
    assert sent <= there
    assert _fewest(units, there) <= sum(_splits(exchanged)) <= sum(_splits(by_turns))
    assert [each.sent for each in exchanged] == [each.sent for each in by_turns]


STOCK = {"A": {"X": 1, "Y": 1}, "B": {"X": 1}}
"""The older order takes X from A by its id, and the younger one, which wants Y too, has to be split."""


def test_the_younger_order_is_not_split_for_the_older_ones_choice() -> None:
    """They exchange X: the older one sends it from B, and each is told of the stock that it chose from."""
    policy = RoutingPolicy()
    asked = [_member(0, {"X": 1}, policy), _member(1, {"X": 1, "Y": 1}, policy)]

    older, younger = _together(asked, _picture(STOCK))

    assert _splits(_together(one_after_another(asked), _picture(STOCK))) == [0, 1]
    assert [(it.location, it.sku) for it in older.held] == [("B", "X")]
    assert [(it.location, it.sku) for it in younger.held] == [("A", "X"), ("A", "Y")]
    assert [each.stock for each in younger.answer.seen.locations] == [{"X": 1, "Y": 1}, {"X": 1}]
    assert [each.stock for each in older.answer.seen.locations] == [{}, {"X": 1}]


def test_nobody_exchanges_with_another_priority() -> None:
    """The order of the higher priority keeps what it chose, though it would cost it nothing to give it away."""
    policy = RoutingPolicy()
    asked = [_member(0, {"X": 1}, policy, priority=1), _member(1, {"X": 1, "Y": 1}, policy)]

    routed = _together(asked, _picture(STOCK))

    assert routed[:1] == _together(asked[:1], _picture(STOCK))
    assert _splits(routed) == [0, 1]


@pytest.mark.parametrize("which", [0, 1])
def test_who_minds_something_more_than_splits_is_left_in_peace(which: int) -> None:
    """One of them ranks by distance first: splits are not what its policy wants less of at any price."""
    policies = [RoutingPolicy(), RoutingPolicy()]
    policies[which] = RoutingPolicy(objectives=("distance", "fewest_splits"))
    asked = [_member(0, {"X": 1}, policies[0]), _member(1, {"X": 1, "Y": 1}, policies[1])]

    assert _splits(_together(asked, _picture(STOCK))) == [0, 1]


def test_an_exchange_takes_nothing_that_was_not_taken() -> None:
    """Instead of A's X the older order would take B's, not the younger one's from C: a lower priority has it whole."""
    stock = {"A": {"X": 1, "Y": 1}, "B": {"X": 1, "Z": 1}, "C": {"X": 1}}
    policy = RoutingPolicy()
    older, younger = _member(0, {"X": 1}, policy), _member(1, {"X": 1, "Y": 1}, policy, at=2.0)
    lower = _member(2, {"X": 1, "Z": 1}, policy, priority=-1)

    routed = _together([older, younger, lower], _picture(stock))

    assert [sorted({it.location for it in each.held}) for each in routed] == [["A"], ["A", "C"], ["B"]]


def test_room_that_an_exchange_spares_is_for_nobody() -> None:
    """One fulfillment order less at A leaves its day as full for a lower priority as it was without the exchange."""
    policy = RoutingPolicy()
    stock = {"A": {"X": 1, "Y": 1, "Z": 1}, "B": {"X": 1}}
    asked = [
        _member(0, {"X": 1}, policy),
        _member(1, {"X": 1, "Y": 1}, policy),
        _member(2, {"Z": 1}, policy, priority=-1),
    ]

    exchanged = _together(asked, _picture(stock, room={"A": 2}))

    assert _splits(exchanged) == [0, 0, 0]
    assert exchanged[2].held == ()


def test_a_wave_tries_so_many_exchanges_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five pairs that would exchange two do, and each of these takes two routes: time is bounded by counting."""
    monkeypatch.setattr(waves, "EXCHANGES", 2)
    stock: Stock = {"A": {}, "B": {}}
    asked: list[Member] = []
    for pair in range(5):
        x, y = f"X{pair}", f"Y{pair}"
        stock["A"] |= {x: 1, y: 1}
        stock["B"] |= {x: 1}
        asked += [
            _member(2 * pair, {x: 1}, RoutingPolicy()),
            _member(2 * pair + 1, {x: 1, y: 1}, RoutingPolicy()),
        ]
    solved = 0

    def solve(question: RoutingQuestion) -> RoutingAnswer:
        nonlocal solved
        solved += 1
        return find_routes(question)

    routed = route_together(asked, _picture(stock), _always, solve)

    assert _splits(routed) == [0, 0, 0, 0, 0, 1, 0, 1, 0, 1]
    assert solved == len(asked) + 2 * 2

"""What exchanges save of the orders that `benchmark waves` routes, counted without a server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orderloom.benchmark.waves_report import SCENES, Scene, WavesPlan
from orderloom.benchmark.waves_world import GROUP, waves_orders, waves_world
from orderloom.domain import waves
from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.geo import Position
from orderloom.domain.parts import Part
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.domain.situation import Destination, Situation
from orderloom.domain.solver import find_routes
from orderloom.domain.waves import Member, Picture, route_together

PLAN = WavesPlan(orders=100)
SEED = PLAN.seed + 1


def _member(number: int, body: dict[str, Any], policy: RoutingPolicy) -> Member:
    demand = {line["sku"]: line["quantity"] for line in body["lines"]}
    [group] = body["delivery_groups"]
    situation = Situation(
        now=datetime(2026, 3, 2, tzinfo=UTC),
        channel=body["channel"],
        value=1,
        priority=body["priority"],
        parts=(Part(delivery_group="1", kind="warehouse", demand=dict(sorted(demand.items()))),),
        destinations={"1": Destination(country=group["country"], position=Position(**group["position"]))},
        open={"1": demand},
    )
    return Member(order=str(100_001 + number), group=GROUP, policy=policy, situation=situation)


def _always(*_: object) -> bool:
    return True


def _splits_and_units(scene: Scene) -> tuple[int, int]:
    world: Any = waves_world(PLAN, scene, SEED)
    [channel] = world.channels
    stock: dict[str, dict[str, int]] = {place.id: {} for place in world.locations}
    promised: dict[str, int] = {}
    for level in world.stock:
        stock[level.location][level.sku] = level.on_hand
        promised[level.sku] = promised.get(level.sku, 0) + level.on_hand
    places = tuple(
        LocationFacts(
            id=place.id,
            country=place.country,
            groups=(GROUP,),
            position=Position(latitude=place.latitude, longitude=place.longitude),
        )
        for place in world.locations
    )
    picture = Picture(locations={GROUP: places}, stock=stock, groups={GROUP: promised}, room={})
    bodies: Any = enumerate(waves_orders(PLAN, SEED))
    asked = [_member(number, body, channel.policy.routing) for number, body in bodies]
    routed = route_together(asked, picture, _always, find_routes)
    return sum(each.answer.routing.splits for each in routed), sum(each.sent for each in routed)


@pytest.mark.parametrize(
    ("scene", "units", "by_turns", "splits"),
    [(SCENES[0], 265, 77, 71), (SCENES[1], 166, 35, 32)],
    ids=["enough", "scarce"],
)
def test_the_same_units_go_out_with_fewer_splits(
    scene: Scene, units: int, by_turns: int, splits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred orders of three priorities, with as much stock as they want and with less."""
    exchanged = _splits_and_units(scene)
    monkeypatch.setattr(waves, "EXCHANGES", 0)

    assert (exchanged, _splits_and_units(scene)) == ((splits, units), (by_turns, units))

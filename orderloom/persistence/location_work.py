"""What routing is to know of the work of locations: how much more they take, and what they turned down lately."""

from collections.abc import Sequence
from datetime import timedelta

from orderloom.domain.calendar import business_day
from orderloom.domain.eligibility import LocationFacts
from orderloom.domain.rejections import FORGOTTEN, score
from orderloom.persistence.capacity import taken
from orderloom.persistence.rejections import recent_rejections
from orderloom.persistence.waiting import Reader


async def with_work(
    unit: Reader, locations: tuple[LocationFacts, ...], skus: Sequence[str]
) -> tuple[LocationFacts, ...]:
    """
    Return the locations with what is left of their capacity, and how much their rejections of *skus* still count.

    Nothing is read where no location has a capacity, and where the policy does not look at rejections.
    """
    room, counted = await _room(unit, locations), await _rejections(unit, locations, skus)
    if not room and not counted:
        return locations
    return tuple(
        each.model_copy(update={"capacity_left": room.get(each.id), "rejections": counted.get(each.id, 0.0)})
        for each in locations
    )


async def _room(unit: Reader, locations: Sequence[LocationFacts]) -> dict[str, int]:
    """Return by location with a capacity how many more it takes on the day that work given now belongs to."""
    capacity = {each.id: each.traits.capacity for each in locations if each.traits.capacity is not None}
    if not capacity:
        return {}
    days = {each.id: business_day(each.traits, unit.now) for each in locations if each.id in capacity}
    full = await taken(await unit.written(), days)
    return {location: max(0, most - full[location]) for location, most in capacity.items()}


async def _rejections(unit: Reader, locations: Sequence[LocationFacts], skus: Sequence[str]) -> dict[str, float]:
    policy = unit.order.policy.routing
    if not policy.looks_at_rejections:
        return {}
    since = unit.now - timedelta(seconds=FORGOTTEN * policy.rejections_half_life)
    names = [each.id for each in locations]
    found = await recent_rejections(await unit.written(), names, skus, since=since, now=unit.now)
    return {
        name: score((one for one in found if one.location == name), unit.now, policy.rejections_half_life)
        for name in {one.location for one in found}
    }

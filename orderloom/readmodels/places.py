"""The work of a location: how full its days are, and what it turned down lately."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from orderloom.domain.calendar import business_day
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import Frozen
from orderloom.domain.rejections import FORGOTTEN, Rejection, score
from orderloom.persistence.tables.inventory import locations
from orderloom.persistence.tables.places import location_capacity, location_rejections


class CapacityDay(Frozen):
    """One day of a location."""

    day: date
    works: bool
    capacity: int | None
    """Fulfillment orders that it takes; null: as many as come, and none are counted."""
    held: int
    """For proposals that are not answered yet."""
    assigned: int
    """Fulfillment orders of the day, shipped or not."""
    left: int | None


class CapacityView(Frozen):
    """A location's days, from its today on."""

    location: str
    taking: date
    """The day that work given now belongs to: the cut-off and closed days are considered."""
    days: tuple[CapacityDay, ...]


class RejectionsOfSku(Frozen):
    """What a location turned down of one SKU, as far as it still counts."""

    sku: str
    reports: int
    units: int
    reasons: tuple[str, ...]
    last_at: AwareDatetime
    score: float
    """Its rejections, each by its reason and faded by its age: what the objective ``rejections`` looks at."""


class RejectionsView(Frozen):
    """What a location turned down lately, what counts most first."""

    location: str
    half_life: float
    """Seconds after which a rejection counts half."""
    skus: tuple[RejectionsOfSku, ...]


async def traits_of(conn: AsyncConnection, location: str) -> LocationTraits | None:
    """Return what a location is like, or None when there is none."""
    found = (await conn.execute(select(locations.c.traits).where(locations.c.id == location))).one_or_none()
    return None if found is None else LocationTraits.model_validate(found.traits)


async def capacity_of(
    conn: AsyncConnection, location: str, traits: LocationTraits, now: datetime, days: int
) -> CapacityView:
    """Return the next *days* days of a location that is like *traits*."""
    today = traits.today(now)
    table = location_capacity.c
    query = select(table.day, table.held, table.assigned).where(
        table.location_id == location, table.day >= today, table.day < today + timedelta(days=days)
    )
    counted = {row.day: (row.held, row.assigned) for row in await conn.execute(query)}
    shown = (today + timedelta(days=number) for number in range(days))
    return CapacityView(
        location=location,
        taking=business_day(traits, now),
        days=tuple(_day(day, traits, *counted.get(day, (0, 0))) for day in shown),
    )


def _day(day: date, traits: LocationTraits, held: int, assigned: int) -> CapacityDay:
    most = traits.capacity
    left = None if most is None else max(0, most - held - assigned)
    works = traits.works_on(day)
    return CapacityDay(day=day, works=works, capacity=most, held=held, assigned=assigned, left=left)


async def rejections_of(conn: AsyncConnection, location: str, now: datetime, half_life: float) -> RejectionsView:
    """Return what still counts of what a location turned down."""
    table = location_rejections.c
    since = now - timedelta(seconds=FORGOTTEN * half_life)
    columns = (table.sku, table.quantity, table.reason, table.at, table.location_id.label("location"))
    query = (
        select(*columns)
        .where(table.location_id == location, table.at > since, table.at <= now, table.forgotten_at.is_(None))
        .order_by(table.at, table.id)
    )
    found: dict[str, list[tuple[Rejection, int]]] = {}
    for row in await conn.execute(query):
        one = Rejection(location=row.location, sku=row.sku, reason=row.reason, at=row.at)
        found.setdefault(row.sku, []).append((one, row.quantity))
    skus = [_of_sku(sku, rejected, now, half_life) for sku, rejected in found.items()]
    ranked = sorted(skus, key=lambda one: (-one.score, one.sku))
    return RejectionsView(location=location, half_life=half_life, skus=tuple(ranked))


def _of_sku(sku: str, rejected: Sequence[tuple[Rejection, int]], now: datetime, half_life: float) -> RejectionsOfSku:
    return RejectionsOfSku(
        sku=sku,
        reports=len(rejected),
        units=sum(quantity for _, quantity in rejected),
        reasons=tuple(sorted({one.reason.value for one, _ in rejected})),
        last_at=rejected[-1][0].at,
        score=score((one for one, _ in rejected), now, half_life),
    )

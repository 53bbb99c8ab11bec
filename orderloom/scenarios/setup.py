"""Sets a case's world up in the database: flows in force, channel, products, prices, locations and stock."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncEngine

from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.domain.money import Money
from orderloom.domain.routing_policy import Eligibility, RoutingPolicy, Wave
from orderloom.domain.sell_ahead import GivenSellAhead
from orderloom.persistence.world import Channel, Group, Location, Price, Product, Stock, load_world
from orderloom.persistence.world import World as StoredWorld
from orderloom.scenarios.base import seconds
from orderloom.scenarios.case import Case
from orderloom.scenarios.commands import Writer
from orderloom.scenarios.flows import put_in_force
from orderloom.scenarios.geography import position
from orderloom.scenarios.names import Namespace
from orderloom.scenarios.world import Product as GivenProduct
from orderloom.scenarios.world import SellAhead, World, rates, skus_of
from orderloom.scenarios.world import Stock as GivenStock

ALL = "all"
"""The group that holds every location when the world names none."""


async def set_up(engine: AsyncEngine, case: Case, names: Namespace, now: datetime) -> None:
    """Write the world of *case* under ids with its prefix."""
    async with engine.begin() as conn:
        release = await put_in_force(conn, case, now)
        await load_world(conn, _stored(case, names, release, now), now)


def _stored(case: Case, names: Namespace, release: str, start: datetime) -> StoredWorld:
    world, writer = case.world, Writer(case.world, names)
    inside = names.inside
    groups = world.groups or {ALL: [name for name in world.locations if name not in world.suppliers]}
    return StoredWorld(
        channels=[
            Channel(id=writer.channel, policy=policy(world, inside(_group(world, groups)), names), release=release)
        ],
        products=[_product(sku, world, names) for sku in skus_of(world, case.orders)],
        prices=[
            Price(
                channel=writer.channel,
                sku=inside(sku),
                price=Money(amount=writer.minor(price), currency=world.currency),
            )
            for sku, price in world.prices.items()
        ],
        sell_ahead=list(_sell_ahead(world, writer.channel, names, start)),
        locations=[_location(name, world, names) for name in world.locations],
        groups=[
            Group(id=inside(group), locations=[inside(one) for one in members]) for group, members in groups.items()
        ],
        stock=[
            _stock(inside(name), inside(sku), given)
            for name, location in world.locations.items()
            for sku, given in location.stock.items()
        ],
    )


def policy(world: World, group: str, names: Namespace) -> ChannelPolicy:
    """Return the channel's policy, with the location group's id."""
    given = world.policy
    return ChannelPolicy(
        currency=world.currency,
        location_group=group,
        reserve=given.reserve,
        promise=given.promise,
        when_short=given.when_short,
        exceptions=given.exceptions,
        remorse=seconds(given.remorse),
        price=given.price,
        routing=RoutingPolicy(
            max_splits=given.routing.max_splits,
            partial=given.routing.partial,
            eligible=_eligible(given.routing.eligible, names),
            objectives=given.routing.objectives,
            by_value=given.routing.by_value,
            rejections_half_life=seconds(given.routing.rejections_half_life),
            wave=_wave(given.routing.wave, names),
            max_attempts=given.routing.max_attempts,
            backoff=seconds(given.routing.backoff),
            backoff_factor=given.routing.backoff_factor,
            backoff_limit=seconds(given.routing.backoff_limit),
            when_abandoned=given.routing.when_abandoned,
        ),
        tax=TaxPolicy(rates={category: Decimal(rate) for category, rate in rates(world.tax).items()}),
        service_window=seconds(given.service_window),
    )


def _eligible(given: Eligibility, names: Namespace) -> Eligibility:
    """Return the rules with ids of locations and groups in place of their names."""
    inside = names.inside
    changed = {
        "groups": None if given.groups is None else tuple(map(inside, given.groups)),
        "exclude": tuple(map(inside, given.exclude)),
        "ship_from": {country: tuple(map(inside, only)) for country, only in given.ship_from.items()},
    }
    return given.model_copy(update=changed)


def _wave(given: Wave | None, names: Namespace) -> Wave | None:
    """Return the routing pool by its id: pools of the same name in two cases are two."""
    return None if given is None else given.model_copy(update={"pool": names.inside(given.pool)})


def _sell_ahead(world: World, channel: str, names: Namespace, start: datetime) -> Iterator[GivenSellAhead]:
    given: dict[str | None, SellAhead | None] = {None: world.policy.sell_ahead, **world.sell_ahead}
    for sku, policy in given.items():
        if policy is not None:
            yield GivenSellAhead(
                channel=channel,
                sku=None if sku is None else names.inside(sku),
                backorder=policy.backorder,
                limit=policy.limit,
                until=_date(policy.until, start),
                release_at=_date(policy.release_at, start),
            )


def _date(after: str | None, start: datetime) -> datetime | None:
    return None if after is None else start + timedelta(seconds=seconds(after))


def _group(world: World, groups: dict[str, list[str]]) -> str:
    return world.policy.group or next(iter(groups))


def _product(sku: str, world: World, names: Namespace) -> Product:
    given = world.products.get(sku, GivenProduct())
    return Product(
        sku=names.inside(sku),
        name=sku,
        tax_category=world.tax_categories.get(sku, "standard"),
        fulfilment=given.fulfilment,
        supplier=None if given.supplier is None else names.inside(given.supplier),
    )


def _location(name: str, world: World, names: Namespace) -> Location:
    given = world.locations[name]
    latitude, longitude = position(given) or (None, None)
    return Location(
        id=names.inside(name),
        name=name,
        kind=given.kind,
        country=given.country,
        latitude=latitude,
        longitude=longitude,
        traits=given.traits,
    )


def _stock(location: str, sku: str, given: GivenStock | int) -> Stock:
    if isinstance(given, int):
        return Stock(location=location, sku=sku, on_hand=given)
    return Stock(location=location, sku=sku, on_hand=given.on_hand, safety=given.safety, future=given.future)

"""The demo's world: 12 locations in 3 countries, 400 SKUs, one channel with a short temper."""

from decimal import Decimal

from orderloom.demo.geography import CITIES, location_of
from orderloom.demo.orders import CHANNEL, CURRENCY
from orderloom.demo.stock import SKUS, price_of, stock_levels
from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.domain.money import Money
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.world import Channel, Group, Location, Price, Product, Stock, World

GROUP = "EUROPE"
BACKOFF = 2.0
"""Seconds before an order that could not be routed is tried again."""
ATTEMPTS = 3


def demo_world(seed: int, release: str) -> World:
    """Return the world, with *release* in force for its channel; only the stock levels depend on *seed*."""
    return World(
        channels=[Channel(id=CHANNEL, policy=_policy(), release=release)],
        products=[Product(sku=sku, name=f"Product {sku}") for sku in SKUS],
        prices=[Price(channel=CHANNEL, sku=sku, price=Money(amount=price_of(sku), currency=CURRENCY)) for sku in SKUS],
        locations=[
            Location(
                id=location_of(city),
                name=f"Warehouse {city.name}",
                country=city.country,
                latitude=city.latitude,
                longitude=city.longitude,
            )
            for city in CITIES
        ],
        groups=[Group(id=GROUP, locations=[location_of(city) for city in CITIES])],
        stock=[Stock(location=location, sku=sku, on_hand=on_hand) for location, sku, on_hand in stock_levels(seed)],
    )


def _policy() -> ChannelPolicy:
    return ChannelPolicy(
        currency=CURRENCY,
        location_group=GROUP,
        routing=RoutingPolicy(max_attempts=ATTEMPTS, backoff=BACKOFF, when_abandoned="release"),
        tax=TaxPolicy(rates={"standard": Decimal("0.20")}),
    )

"""The demo's world: 12 locations in 3 countries, 400 SKUs, one channel with a short temper."""

from orderloom.demo.geography import CITIES, location_of
from orderloom.demo.orders import CHANNEL, CURRENCY
from orderloom.demo.stock import SKUS, price_of, stock_levels
from orderloom.domain.channel import ChannelPolicy, RoutingPolicy, TaxPolicy
from orderloom.persistence.world import World

GROUP = "EUROPE"
BACKOFF = 2.0
"""Seconds before an order that could not be routed is tried again."""
ATTEMPTS = 3


def demo_world(seed: int) -> World:
    """Return the world; only the stock levels depend on *seed*."""
    policy = ChannelPolicy(
        currency=CURRENCY,
        location_group=GROUP,
        routing=RoutingPolicy(max_attempts=ATTEMPTS, backoff=BACKOFF, when_abandoned="release"),
        tax=TaxPolicy.model_validate({"rates": {"standard": "0.20"}}),
    )
    return World.model_validate(
        {
            "channels": {CHANNEL: {"policy": policy}},
        }
    )

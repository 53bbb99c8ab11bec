"""The orders of a run are mixed by its seed, and a share of them is routed in waves."""

from collections import Counter
from random import Random

from orderloom.benchmark.world import CHANNEL, LOCATIONS
from orderloom.chaos.stories import POOLED, Story, chaos_orders, chaos_world


def _orders(seed: int) -> list[tuple[Story, str]]:
    return [(order.story, str(order.body["channel"])) for order in chaos_orders(Random(seed), 300)]


def test_orders_of_all_stories_are_in_the_pool_and_beside_it() -> None:
    """The same seed has the same orders; a fifth to two fifths of them come by the channel that routes in waves."""
    orders = _orders(7)

    assert orders == _orders(7)
    assert orders != _orders(8)
    by_channel = Counter(channel for _, channel in orders)
    assert set(by_channel) == {CHANNEL, POOLED}
    assert 60 <= by_channel[POOLED] <= 120
    assert {story for story, channel in orders if channel == POOLED} == set(Story)


def test_both_channels_sell_the_same_from_the_same_places() -> None:
    """They differ in the pool alone; one location has a capacity, so that waves hold some."""
    world = chaos_world("release")

    alone, pooled = world.channels
    unlike = pooled.policy.model_copy(update={"routing": pooled.policy.routing.model_copy(update={"wave": None})})
    assert (alone.id, pooled.id, unlike) == (CHANNEL, POOLED, alone.policy)
    assert alone.policy.routing.wave is None
    assert pooled.policy.routing.wave is not None
    prices = {
        channel: {price.sku: price.price for price in world.prices if price.channel == channel}
        for channel in (CHANNEL, POOLED)
    }
    assert prices[CHANNEL] == prices[POOLED] != {}
    assert [place.id for place in world.locations] == list(LOCATIONS)
    assert [place.id for place in world.locations if place.traits.capacity is not None] == ["FR-LYON"]

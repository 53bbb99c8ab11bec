"""The orders of a run, from its seed: what a channel sends, what is to become of each, and the world they are in."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import cast

from orderloom.benchmark.world import PLENTY, PRICE, SKUS, TOTAL, benchmark_world, checkout, standard_orders
from orderloom.domain.locations import LocationTraits
from orderloom.domain.model import Frozen, JsonObject
from orderloom.domain.order import OrderStatus
from orderloom.domain.routing_policy import Wave
from orderloom.persistence.world import World

ONLY_AT = {SKUS[-1]: "DE-BERLIN", SKUS[-2]: "PL-WARSAW"}
"""SKUs that one location has: an order of both must be split."""
EVERYWHERE = SKUS[: -len(ONLY_AT)]
LINE = PRICE * 120 // 100
"""What a line of one unit comes to, in cents."""
POOLED = "pooled"
"""The channel whose orders are routed in waves."""
IN_POOL = 30
"""Of a hundred orders so many come by it."""
INTERVAL = 1.0
"""Seconds that its orders wait for others: the least that a policy may say, so that waves are under way often."""
LIMITED = "FR-LYON"
"""A location with a capacity, which is enough: waves hold some of it."""


class Story(StrEnum):
    """What happens to an order."""

    STANDARD = "one shipment"
    SPLIT = "split"
    CANCELLED = "cancelled before it ships"
    TOO_LATE = "cancelled after it shipped"
    RETURNED = "one line returned"
    DECLINED = "declined, then cancelled"
    TIMED_OUT = "gateway timed out on capture"


class End(Frozen):
    """How an order must end, to the cent: no more, no less, and nothing twice."""

    status: OrderStatus
    shipments: int = 1
    """Each is invoiced and captured once."""
    captured: int = TOTAL
    refunded: int = 0
    reversed: int = 0
    notices: int = 1
    """What the gateway tells by webhook: one for each operation."""
    exceptions: tuple[str, ...] = ()


ENDS = {
    Story.STANDARD: End(status=OrderStatus.FULFILLED),
    Story.SPLIT: End(status=OrderStatus.FULFILLED, shipments=2, notices=2),
    Story.CANCELLED: End(status=OrderStatus.CANCELLED, shipments=0, captured=0, reversed=TOTAL),
    Story.TOO_LATE: End(status=OrderStatus.FULFILLED),
    Story.RETURNED: End(status=OrderStatus.FULFILLED, refunded=LINE, notices=2),
    Story.DECLINED: End(status=OrderStatus.CANCELLED, shipments=0, captured=0, exceptions=("payment.declined",)),
    Story.TIMED_OUT: End(status=OrderStatus.FULFILLED),
}

SHARES = {
    Story.STANDARD: 60,
    Story.SPLIT: 8,
    Story.CANCELLED: 8,
    Story.TOO_LATE: 5,
    Story.RETURNED: 8,
    Story.DECLINED: 6,
    Story.TIMED_OUT: 5,
}
"""Of a hundred orders."""


@dataclass(frozen=True)
class ChaosOrder:
    """One order to place. *checkout*: what the gateway is told that the channel's checkout did, if it did."""

    story: Story
    body: JsonObject
    checkout: JsonObject | None

    @property
    def external_id(self) -> str:
        """The channel's own number."""
        return str(self.body["external_id"])

    @property
    def end(self) -> End:
        """How it must end."""
        return ENDS[self.story]


def chaos_world(release: str) -> World:
    """Return a world with a second channel in a pool, and plenty of all everywhere, but of a few SKUs at one place."""
    world = benchmark_world(release)
    [alone] = world.channels
    routing = alone.policy.routing.model_copy(update={"wave": Wave(pool=POOLED, interval=INTERVAL)})
    policy = alone.policy.model_copy(update={"routing": routing})
    limited = {LIMITED: LocationTraits(capacity=PLENTY)}
    return world.model_copy(
        update={
            "channels": [alone, alone.model_copy(update={"id": POOLED, "policy": policy})],
            "prices": [*world.prices, *(price.model_copy(update={"channel": POOLED}) for price in world.prices)],
            "locations": [
                place.model_copy(update={"traits": limited.get(place.id, place.traits)}) for place in world.locations
            ],
            "stock": [level for level in world.stock if ONLY_AT.get(level.sku, level.location) == level.location],
        }
    )


def chaos_orders(random: Random, count: int) -> Iterator[ChaosOrder]:
    """Yield *count* orders, stories and channels well mixed."""
    stories = random.choices(list(SHARES), list(SHARES.values()), k=count)
    for story, body in zip(stories, standard_orders(random.randrange(2**32), "chaos", count), strict=True):
        yield _told(story, body, random)


def _told(story: Story, body: JsonObject, random: Random) -> ChaosOrder:
    skus = list(ONLY_AT) if story is Story.SPLIT else random.sample(EVERYWHERE, 2)
    lines = [line | {"sku": sku} for line, sku in zip(cast("list[JsonObject]", body["lines"]), skus, strict=True)]
    channel = POOLED if random.randrange(100) < IN_POOL else body["channel"]
    ordered: JsonObject = {**body, "channel": channel, "lines": [*lines]}
    if story is Story.DECLINED:
        [payment] = cast("list[JsonObject]", body["payments"])
        declined: JsonObject = {"method": "card", "amount": payment["amount"], "token": "tok_decline"}
        return ChaosOrder(story, {**ordered, "payments": [declined]}, None)
    token = "tok_timeout" if story is Story.TIMED_OUT else "tok_ok"
    return ChaosOrder(story, ordered, checkout(body) | {"token": token})

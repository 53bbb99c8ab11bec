"""What waves are measured with: orders of three priorities for scarce stock that is spread over a country."""

from collections import Counter
from collections.abc import Iterator
from random import Random

from orderloom.benchmark.waves_report import Scene, WavesPlan
from orderloom.domain.channel import ChannelPolicy
from orderloom.domain.model import JsonObject
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.world import Channel, Group, Location, Product, Stock, World

CHANNEL = "web"
CURRENCY = "EUR"
GROUP = "all"
POOL = "all"
URGENT = 2
"""The highest of the priorities from 0 on; one order in ten has it, two in ten the next one."""
SOUTH, NORTH, WEST, EAST = 47.5, 54.5, 6.5, 14.5
PRICE = 1_000


def waves_world(plan: WavesPlan, scene: Scene, seed: int) -> World:
    """Return a channel that reserves when it routes, and as much stock as the scene says of what the orders want."""
    random = Random(f"world {seed}")
    wanted = Counter[str]()
    for order in waves_orders(plan, seed):
        wanted.update(_demand(order))
    places = [f"L{number:02}" for number in range(plan.locations)]
    stock: Counter[tuple[str, str]] = Counter()
    for sku, units in sorted(wanted.items()):
        holders = random.sample(places, min(len(places), 4))
        for _ in range(round(units * scene.stock)):
            stock[random.choice(holders), sku] += 1
    policy = ChannelPolicy(
        currency=CURRENCY,
        location_group=GROUP,
        reserve="routing",
        price="given",
        routing=RoutingPolicy(objectives=("fewest_splits", "distance"), max_splits=scene.max_splits),
    )
    return World(
        channels=[Channel(id=CHANNEL, policy=policy)],
        products=[Product(sku=sku) for sku in _skus(plan)],
        locations=[
            Location(id=id, country="DE", latitude=random.uniform(SOUTH, NORTH), longitude=random.uniform(WEST, EAST))
            for id in places
        ],
        groups=[Group(id=GROUP, locations=places)],
        stock=[Stock(location=place, sku=sku, on_hand=units) for (place, sku), units in sorted(stock.items())],
    )


def waves_orders(plan: WavesPlan, seed: int) -> Iterator[JsonObject]:
    """Yield the orders: one to three SKUs each, one or two of either."""
    random = Random(f"orders {seed}")
    skus = _skus(plan)
    for number in range(plan.orders):
        demand = {sku: random.choice([1, 1, 2]) for sku in random.sample(skus, random.choice([1, 2, 2, 3]))}
        yield _order(f"w{seed}-{number}", demand, random)


def _skus(plan: WavesPlan) -> list[str]:
    return [f"SKU-{number:03}" for number in range(plan.skus)]


def _demand(order: JsonObject) -> dict[str, int]:
    lines = order["lines"]
    assert isinstance(lines, list)
    return {str(line["sku"]): int(str(line["quantity"])) for line in lines if isinstance(line, dict)}


def _order(external_id: str, demand: dict[str, int], random: Random) -> JsonObject:
    total: JsonObject = {"amount": PRICE * sum(demand.values()), "currency": CURRENCY}
    price: JsonObject = {"amount": PRICE, "currency": CURRENCY}
    return {
        "channel": CHANNEL,
        "external_id": external_id,
        "currency": CURRENCY,
        "priority": random.choices((0, 1, URGENT), (7, 2, 1))[0],
        "customer": {"reference": "customer-1", "name": "Customer"},
        "delivery_groups": [
            {
                "id": "1",
                "country": "DE",
                "position": {"latitude": random.uniform(SOUTH, NORTH), "longitude": random.uniform(WEST, EAST)},
            }
        ],
        "lines": [
            {"id": sku, "sku": sku, "quantity": quantity, "unit_price": price} for sku, quantity in demand.items()
        ],
        "payments": [{"method": "card", "amount": total, "authorization": {"reference": external_id, "amount": total}}],
    }

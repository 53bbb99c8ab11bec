"""What standard orders are placed in, and the orders themselves (design, section 2: two lines, one shipment)."""

from collections.abc import Iterator
from decimal import Decimal
from random import Random

from orderloom.domain.channel import ChannelPolicy, TaxPolicy
from orderloom.domain.model import JsonObject
from orderloom.domain.money import Money
from orderloom.domain.routing_policy import RoutingPolicy
from orderloom.persistence.world import Channel, Group, Location, Price, Product, Stock, World

CHANNEL = "web"
CURRENCY = "EUR"
GROUP = "all"
LOCATIONS = {"DE-BERLIN": (52.52, 13.40), "FR-LYON": (45.76, 4.84), "PL-WARSAW": (52.23, 21.01)}
SKUS = tuple(f"SKU-{number:03d}" for number in range(200))
HOT, HOT_QUANTITY = SKUS[0], 2
"""The SKU that everyone wants at once, and how much of it."""
PRICE = 1_000
"""Of every SKU, in cents; 20 % tax comes on top."""
TOTAL = 2 * PRICE * 120 // 100
"""What every order comes to, in cents."""
PLENTY = 1_000_000


def benchmark_world(release: str) -> World:
    """Return three locations that have plenty of everything, and one channel with *release* in force."""
    policy = ChannelPolicy(
        currency=CURRENCY,
        location_group=GROUP,
        routing=RoutingPolicy(max_attempts=3, backoff=2.0, when_abandoned="release"),
        tax=TaxPolicy(rates={"standard": Decimal("0.20")}),
    )
    return World(
        channels=[Channel(id=CHANNEL, policy=policy, release=release)],
        products=[Product(sku=sku, name=f"Product {sku}") for sku in SKUS],
        prices=[Price(channel=CHANNEL, sku=sku, price=Money(amount=PRICE, currency=CURRENCY)) for sku in SKUS],
        locations=[
            Location(id=location, name=location, country=location[:2], latitude=latitude, longitude=longitude)
            for location, (latitude, longitude) in LOCATIONS.items()
        ],
        groups=[Group(id=GROUP, locations=list(LOCATIONS))],
        stock=[Stock(location=location, sku=sku, on_hand=PLENTY) for location in LOCATIONS for sku in SKUS],
    )


def standard_orders(seed: int, series: str, count: int) -> Iterator[JsonObject]:
    """Yield *count* bodies of standard orders; *series* keeps their numbers apart from those of other series."""
    random = Random(seed)
    for number in range(count):
        yield _order(f"{series}-{number}", random)


def hot_orders(seed: int, series: str, count: int) -> Iterator[JsonObject]:
    """Yield *count* orders that all want the same SKU: one line, and the total of a standard order."""
    line: JsonObject = {"id": "1", "sku": HOT, "quantity": HOT_QUANTITY, "unit_price": _money(PRICE)}
    for order in standard_orders(seed, series, count):
        yield {**order, "lines": [line]}


def checkout(order: JsonObject) -> JsonObject:
    """Return what the gateway is told that the channel's checkout did for *order*; the time is the caller's to add."""
    return {
        "reference": f"auth-{order['external_id']}",
        "kind": "authorization",
        "token": "tok_ok",
        "amount": TOTAL,
        "currency": CURRENCY,
    }


def _order(external_id: str, random: Random) -> JsonObject:
    latitude, longitude = random.choice(list(LOCATIONS.values()))
    total = _money(TOTAL)
    return {
        "channel": CHANNEL,
        "external_id": external_id,
        "currency": CURRENCY,
        "customer": {"reference": f"customer-{random.randrange(500)}", "name": "Standard Customer"},
        "delivery_groups": [
            {
                "id": "1",
                "country": "DE",
                "position": {"latitude": latitude + random.random(), "longitude": longitude + random.random()},
                "recipient": {
                    "name": "Standard Customer",
                    "line1": "1 Example Street",
                    "postal_code": "00000",
                    "city": "Example",
                    "country": "DE",
                },
            }
        ],
        "lines": [
            {"id": str(position), "sku": sku, "quantity": 1, "unit_price": _money(PRICE)}
            for position, sku in enumerate(random.sample(SKUS, 2), start=1)
        ],
        "payments": [
            {
                "method": "card",
                "amount": total,
                "authorization": {"reference": f"auth-{external_id}", "amount": total},
            }
        ],
    }


def _money(amount: int) -> JsonObject:
    return {"amount": amount, "currency": CURRENCY}

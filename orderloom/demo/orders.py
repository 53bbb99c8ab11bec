"""The demo's 200 orders, from a fixed seed: what a channel would send, and what is to become of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from orderloom.demo.geography import CITIES, City
from orderloom.demo.stock import COMMON, LEFT_ONLY, NEVER, RESTOCKED, RIGHT_ONLY, price_of
from orderloom.domain.model import JsonObject

CHANNEL = "web"
CURRENCY = "EUR"
SEED = 20261123
"""Printed by the demo, so that a run can be repeated."""


class Story(StrEnum):
    """What happens to an order, and how it must end."""

    ONE_SHIPMENT = "one shipment"
    FORCED_SPLIT = "forced split"
    RESTOCKED = "routed after a restock"
    NEVER_ROUTABLE = "never routable"
    DECLINED = "authorisation declined"
    GATEWAY_TIMEOUT = "gateway timed out on capture"
    CANCELLED_EARLY = "cancelled before allocation"
    CANCELLED_LATE = "cancelled after allocation"
    RETURNED = "returned"


SHARES: dict[Story, int] = {
    Story.ONE_SHIPMENT: 136,
    Story.FORCED_SPLIT: 16,
    Story.RESTOCKED: 8,
    Story.NEVER_ROUTABLE: 6,
    Story.DECLINED: 8,
    Story.GATEWAY_TIMEOUT: 6,
    Story.CANCELLED_EARLY: 4,
    Story.CANCELLED_LATE: 6,
    Story.RETURNED: 10,
}
"""How many of the 200 orders have which story."""

LAST = 50
"""So many of the plainest orders are placed last."""


@dataclass(frozen=True)
class DemoOrder:
    """One order to place. ``checkout``: what the gateway is told that the channel's checkout did, if it did."""

    story: Story
    body: JsonObject
    checkout: JsonObject | None


def demo_orders(seed: int = SEED) -> list[DemoOrder]:
    """Return all orders in the order in which they are placed: the stories well mixed."""
    random = Random(seed)
    stories = [story for story, share in SHARES.items() for _ in range(share)]
    # The last ones have nothing to wait for: all stories end at about the same time.
    quick, stories = stories[:LAST], stories[LAST:]
    random.shuffle(stories)
    stories += quick
    restocked, never = iter(RESTOCKED), iter(NEVER)
    return [_order(number, story, random, restocked, never) for number, story in enumerate(stories, start=1)]


def _skus(story: Story, random: Random, restocked: Iterator[str], never: Iterator[str]) -> list[str]:
    match story:
        case Story.FORCED_SPLIT:
            return [random.choice(LEFT_ONLY), random.choice(RIGHT_ONLY)]
        case Story.RESTOCKED:
            return [random.choice(COMMON), next(restocked)]
        case Story.NEVER_ROUTABLE | Story.CANCELLED_EARLY:
            return [random.choice(COMMON), next(never)]
        case _:
            return random.sample(COMMON, random.randint(1, 3))


def _order(number: int, story: Story, random: Random, restocked: Iterator[str], never: Iterator[str]) -> DemoOrder:
    city = random.choice(CITIES)
    lines = [
        # Of a returned order one unit comes back, and one stays.
        _line(str(position), sku, 2 if story is Story.RETURNED else random.randint(1, 2))
        for position, sku in enumerate(_skus(story, random, restocked, never), start=1)
    ]
    lines.append({"id": "delivery", "kind": "delivery", "quantity": 1, "unit_price": _money(490)})
    total = sum(_authorised(line) for line in lines)
    payment, checkout = _payment(number, story, total)
    body: JsonObject = {
        "channel": CHANNEL,
        "external_id": f"WEB-{number:04d}",
        "currency": CURRENCY,
        "customer": {"reference": f"customer-{random.randint(1, 120)}", "name": "Demo Customer"},
        "delivery_groups": [_delivery_group(city)],
        "lines": list(lines),
        "payments": [payment],
    }
    return DemoOrder(story, body, checkout)


def _money(amount: int) -> JsonObject:
    return {"amount": amount, "currency": CURRENCY}


def _line(id: str, sku: str, quantity: int) -> JsonObject:
    return {"id": id, "sku": sku, "quantity": quantity, "unit_price": _money(price_of(sku))}


def _authorised(line: JsonObject) -> int:
    price, quantity = line["unit_price"], line["quantity"]
    assert isinstance(price, dict)
    assert isinstance(quantity, int)
    amount = price["amount"]
    assert isinstance(amount, int)
    # What the order costs with 20 % tax; a cent more a line, for rounding: what is left over is reversed.
    return amount * quantity * 120 // 100 + 1


def _payment(number: int, story: Story, total: int) -> tuple[JsonObject, JsonObject | None]:
    payment: JsonObject = {"method": "card", "amount": _money(total)}
    if story is Story.DECLINED:
        return payment | {"token": "tok_decline"}, None
    reference = f"auth-{number:04d}"
    checkout: JsonObject = {
        "reference": reference,
        "kind": "authorization",
        "token": "tok_timeout" if story is Story.GATEWAY_TIMEOUT else "tok_ok",
        "amount": total,
        "currency": CURRENCY,
    }
    payment["authorization"] = {"reference": reference, "amount": _money(total)}
    return payment, checkout


def _delivery_group(city: City) -> JsonObject:
    return {
        "id": "1",
        "country": city.country,
        "position": {"latitude": city.latitude, "longitude": city.longitude},
        "recipient": {
            "name": "Demo Customer",
            "line1": "1 Example Street",
            "postal_code": "00000",
            "city": city.name,
            "country": city.country,
        },
    }

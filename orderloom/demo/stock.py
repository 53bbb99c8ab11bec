"""The demo's 400 SKUs, their prices, and where they are in stock."""

from random import Random

from orderloom.demo.geography import CITIES, location_of

SKUS = tuple(f"SKU-{number:04d}" for number in range(1, 401))
COMMON = SKUS[:360]
"""In stock at several locations."""
RESTOCKED = SKUS[360:370]
"""Out of stock until the demo restocks them."""
NEVER = SKUS[370:380]
"""Never in stock."""
LEFT_ONLY = SKUS[380:390]
"""Only in Berlin."""
RIGHT_ONLY = SKUS[390:]
"""Only in Paris: together with one of Berlin's, an order must be split."""


def price_of(sku: str) -> int:
    """Return the net price of *sku* in cents: between 5.00 and 84.80 EUR, by its number."""
    return 500 + 20 * int(sku.removeprefix("SKU-"))


def stock_levels(seed: int) -> list[tuple[str, str, int]]:
    """Return (location, SKU, on hand) for everything that is in stock at the start."""
    random = Random(seed)
    levels: list[tuple[str, str, int]] = []
    for sku in COMMON:
        cities = random.sample(CITIES, random.randint(6, 9))
        levels += [(location_of(city), sku, random.randint(20, 60)) for city in cities]
    levels += [("DE-BERLIN", sku, 100) for sku in LEFT_ONLY]
    levels += [("FR-PARIS", sku, 100) for sku in RIGHT_ONLY]
    return levels

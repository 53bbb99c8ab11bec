"""Routing questions for measuring: families of them, drawn from a seed, that are hard in different ways."""

from collections.abc import Callable, Mapping
from math import hypot
from random import Random

from orderloom.domain.routing import FEWEST_SPLITS, Candidate, Cost, RoutingQuestion

WIDTH, HEIGHT = 4000.0, 2500.0
"""Kilometres of the country."""

type Place = tuple[float, float]
type Stock = dict[str, int]


def _even(random: Random, demand: Stock, count: int) -> list[tuple[Place, Stock]]:
    """Every location has any SKU with the same chance, thin in one question and rich in the next."""
    chance = random.choice([0.2, 0.4, 0.7])
    return [
        (_place(random), {sku: random.randint(1, 10) for sku in demand if random.random() < chance})
        for _ in range(count)
    ]


def _clustered(random: Random, demand: Stock, count: int) -> list[tuple[Place, Stock]]:
    """Cities with shops, each of which has mostly two of five departments; one location in twenty is a warehouse."""
    cities = [_place(random) for _ in range(max(3, count // 8))]
    department = {sku: random.randrange(5) for sku in demand}
    drawn: list[tuple[Place, Stock]] = []
    for number in range(count):
        city = random.choice(cities)
        place = (city[0] + random.gauss(0, 30), city[1] + random.gauss(0, 30))
        if number % 20 == 0:
            stock = {sku: random.randint(1, 60) for sku in demand if random.random() < 0.6}
        else:
            own = random.sample(range(5), 2)
            stock = {
                sku: random.randint(1, 6)
                for sku in demand
                if random.random() < (0.7 if department[sku] in own else 0.1)
            }
        drawn.append((place, stock))
    return drawn


def _scarce(random: Random, demand: Stock, count: int) -> list[tuple[Place, Stock]]:
    """Every SKU lies in a few locations, a few units in each: sales are nearly over, and it takes many shipments."""
    stock: list[Stock] = [{} for _ in range(count)]
    for sku in demand:
        for number in random.sample(range(count), min(count, random.randint(3, max(4, count // 5)))):
            stock[number][sku] = random.randint(1, 4)
    return [(_place(random), each) for each in stock]


def _tied(random: Random, demand: Stock, count: int) -> list[tuple[Place, Stock]]:
    """Every location has two of a SKU or none, and lies on one of three rings: very many routes are equally good."""
    places = [(WIDTH / 2 + ring, HEIGHT / 2) for ring in (100.0, 200.0, 300.0)]
    return [(random.choice(places), {sku: 2 for sku in demand if random.random() < 0.5}) for _ in range(count)]


FAMILIES: Mapping[str, Callable[[Random, Stock, int], list[tuple[Place, Stock]]]] = {
    "even": _even,
    "clustered": _clustered,
    "scarce": _scarce,
    "tied": _tied,
}
"""By name, how locations and their stock are drawn for a demand."""


def question(family: str, locations: int, lines: int, seed: str) -> RoutingQuestion:
    """
    Return the question that *family* and *seed* decide; it has an answer.

    Every other one asks for the cheapest shipping after the fewest locations, the others for the nearest.
    """
    random = Random(f"{family} {locations} {lines} {seed}")
    demand = {f"S{number:03}": random.choice([1, 1, 2, 2, 3, 4]) for number in range(lines)}
    drawn = FAMILIES[family](random, demand, locations)
    for sku, quantity in demand.items():
        for _ in range(quantity - sum(stock.get(sku, 0) for _, stock in drawn)):
            stock = random.choice(drawn)[1]
            stock[sku] = stock.get(sku, 0) + 1
    target = (WIDTH / 2, HEIGHT / 2)
    by_cost = random.random() < 0.5
    return RoutingQuestion(
        demand=demand,
        objectives=(FEWEST_SPLITS, "shipping_cost") if by_cost else (FEWEST_SPLITS,),
        locations=tuple(
            _candidate(random, number, hypot(place[0] - target[0], place[1] - target[1]), stock, by_cost=by_cost)
            for number, (place, stock) in enumerate(drawn)
        ),
    )


def _candidate(random: Random, number: int, km: float, stock: Stock, *, by_cost: bool) -> Candidate:
    shipping = Cost(opening=random.choice([399, 499, 599]) + round(km / 10), per_unit=random.choice([20, 40, 60]))
    return Candidate(
        location=f"L{number:04}", distance_km=round(km, 3), stock=stock, costs=(Cost(), shipping) if by_cost else ()
    )


def _place(random: Random) -> Place:
    return random.uniform(0, WIDTH), random.uniform(0, HEIGHT)

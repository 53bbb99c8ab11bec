"""
Finds the fewest locations that hold all that is demanded. Reads the stock that it is given; reserves nothing.

The answer carries a quantity plan and says why (reference 6a to 6c).
"""

from collections.abc import Sequence
from enum import StrEnum
from math import fsum
from typing import Annotated

from pydantic import Field

from orderloom.domain.covering import Covering
from orderloom.domain.model import Frozen


class RoutingOutcome(StrEnum):
    """What came of looking for a route."""

    ROUTED = "ROUTED"
    NO_STOCK = "NO_STOCK"
    """All locations together have too little: see ``short``."""
    SPLIT_LIMIT = "SPLIT_LIMIT"
    """It takes more locations than allowed: see ``fewest_possible``."""
    NO_ELIGIBLE_LOCATION = "NO_ELIGIBLE_LOCATION"
    NOT_PROVEN = "NOT_PROVEN"
    """The search was given up before a route within the limit was found or excluded."""


class Candidate(Frozen):
    """A location that may fulfill."""

    location: str
    distance_km: float | None = None
    """None when a position is unknown."""
    stock: dict[str, int]
    """By SKU: what is available there."""


class RoutingQuestion(Frozen):
    """What is demanded, and where it may come from."""

    demand: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    locations: tuple[Candidate, ...]
    """Each location once."""
    max_splits: int | None = None
    """Locations - 1; None is no limit."""
    alternatives: Annotated[int, Field(ge=1)] = 10
    """How many routes to return, best first."""
    max_nodes: Annotated[int, Field(ge=1)] = 20_000
    """Bounds the search; a node takes some microseconds."""


class Assignment(Frozen):
    """A quantity of a SKU that a location is to send."""

    location: str
    sku: str
    quantity: int


class Route(Frozen):
    """A set of locations, and what each sends."""

    locations: tuple[str, ...]
    """By id."""
    plan: tuple[Assignment, ...]
    """By SKU; within it most inventory first, then distance, then location."""
    average_km: float | None
    """Mean distance of the locations; None when one of them is unknown."""


class Short(Frozen):
    """A SKU of which too little is there, and how much is missing."""

    sku: str
    quantity: int


class RoutingAnswer(Frozen):
    """Routes with the fewest locations, best first, and how sure that is."""

    outcome: RoutingOutcome
    routes: tuple[Route, ...] = ()
    found: int = 0
    """How many routes are equally few; ``routes`` holds the best of them."""
    proven: bool = True
    """It is certain that fewer locations cannot do; for NOT_PROVEN and an incomplete search it is not."""
    complete: bool = True
    """All routes with the fewest locations were found, so the first is the nearest of all."""
    lower_bound: int | None = None
    """It takes at least this many locations."""
    fewest_possible: int | None = None
    """The smallest number of locations known to do, allowed or not."""
    short: tuple[Short, ...] = ()
    nodes: int = 0
    """Work done."""


MAX_ROUTES = 10_000
"""No more equally good sets of locations than this are collected."""


def find_routes(question: RoutingQuestion) -> RoutingAnswer:
    """Return the routes with the fewest locations, ranked by average distance (unknown last), then location ids."""
    if not question.locations:
        return RoutingAnswer(outcome=RoutingOutcome.NO_ELIGIBLE_LOCATION)
    if short := _short(question):
        return RoutingAnswer(outcome=RoutingOutcome.NO_STOCK, short=short)
    skus = sorted(question.demand)
    by_id = sorted(question.locations, key=lambda candidate: candidate.location)
    stock = [[candidate.stock.get(sku, 0) for sku in skus] for candidate in by_id]
    limit = len(by_id) if question.max_splits is None else question.max_splits + 1
    covering = Covering([question.demand[sku] for sku in skus], stock, question.max_nodes)
    found = covering.smallest(limit, MAX_ROUTES)
    routes = _ranked([[by_id[index] for index in cover] for cover in found.covers], question.alternatives)
    return RoutingAnswer(
        outcome=_outcome(bool(routes), found.lower_bound, limit),
        routes=tuple(_route(route, question.demand) for route in routes),
        found=len(found.covers),
        proven=found.fewest == found.lower_bound,
        complete=found.complete,
        lower_bound=found.lower_bound,
        fewest_possible=found.fewest,
        nodes=found.nodes,
    )


def _short(question: RoutingQuestion) -> tuple[Short, ...]:
    there = {
        sku: sum(max(0, candidate.stock.get(sku, 0)) for candidate in question.locations) for sku in question.demand
    }
    return tuple(
        Short(sku=sku, quantity=quantity - there[sku])
        for sku, quantity in sorted(question.demand.items())
        if there[sku] < quantity
    )


def _outcome(routed: bool, lower_bound: int, limit: int) -> RoutingOutcome:
    if routed:
        return RoutingOutcome.ROUTED
    return RoutingOutcome.SPLIT_LIMIT if lower_bound > limit else RoutingOutcome.NOT_PROVEN


def _average(route: Sequence[Candidate]) -> float | None:
    known = [candidate.distance_km for candidate in route if candidate.distance_km is not None]
    return fsum(known) / len(known) if len(known) == len(route) else None


def _ranked(routes: list[list[Candidate]], count: int) -> list[list[Candidate]]:
    def rank(route: list[Candidate]) -> tuple[bool, float, list[str]]:
        average = _average(route)
        return average is None, average or 0.0, [candidate.location for candidate in route]

    return sorted(routes, key=rank)[:count]


def _route(route: list[Candidate], demand: dict[str, int]) -> Route:
    plan = [assignment for sku, quantity in sorted(demand.items()) for assignment in _assign(sku, quantity, route)]
    locations = tuple(candidate.location for candidate in route)
    return Route(locations=locations, plan=tuple(plan), average_km=_average(route))


def _assign(sku: str, quantity: int, route: list[Candidate]) -> list[Assignment]:
    """Take *quantity* where most of it is, then where it is nearest, then by location id (reference 6a)."""

    def preference(candidate: Candidate) -> tuple[int, bool, float, str]:
        distance = candidate.distance_km
        return -candidate.stock.get(sku, 0), distance is None, distance or 0.0, candidate.location

    assignments: list[Assignment] = []
    for candidate in sorted(route, key=preference):
        taken = min(quantity, candidate.stock.get(sku, 0))
        if taken > 0:
            assignments.append(Assignment(location=candidate.location, sku=sku, quantity=taken))
            quantity -= taken
    return assignments

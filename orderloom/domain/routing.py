"""
Finds the best locations for all that is demanded. Reads the stock that it is given; reserves nothing.

The answer carries a quantity plan and says why (reference 6a to 6c). What is best is said by objectives, of which an
earlier one outweighs all later ones; ``fewest_splits`` alone is the default.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from orderloom.domain.model import Frozen

FEWEST_SPLITS = "fewest_splits"
"""The objective that counts locations. The asker gives no costs for it."""


class RoutingOutcome(StrEnum):
    """What came of looking for a route."""

    ROUTED = "ROUTED"
    PARTIALLY_ROUTED = "PARTIALLY_ROUTED"
    """A part goes out; the rest waits for the next attempt."""
    NO_STOCK = "NO_STOCK"
    """All locations together have too little: see ``short``."""
    SPLIT_LIMIT = "SPLIT_LIMIT"
    """It takes more locations than allowed: see ``fewest_possible``."""
    NO_ELIGIBLE_LOCATION = "NO_ELIGIBLE_LOCATION"
    NOT_PROVEN = "NOT_PROVEN"
    """The search was given up before a route within the limit was found or excluded."""


class Cost(Frozen):
    """What choosing a location costs by one objective: whole metres, minor units, grams, ranks."""

    opening: Annotated[int, Field(ge=0)] = 0
    """Once."""
    per_unit: Annotated[int, Field(ge=0)] = 0
    """For each unit that it sends."""


class Candidate(Frozen):
    """A location that may fulfill."""

    location: str
    distance_km: float | None = None
    """None when a position is unknown."""
    stock: dict[str, int]
    """By SKU: what is available there."""
    costs: tuple[Cost, ...] = ()
    """One for each objective, in their order; none at all is nothing by every objective."""


class JointLimit(Frozen):
    """What a location group can still give: its locations together send no more, whatever each of them has."""

    group: str
    locations: tuple[str, ...]
    """Those of it that may fulfill."""
    most: dict[str, Annotated[int, Field(ge=0)]]
    """By SKU."""


class RoutingQuestion(Frozen):
    """What is demanded, where it may come from, and what is best."""

    demand: Annotated[dict[str, Annotated[int, Field(ge=1)]], Field(min_length=1)]
    locations: tuple[Candidate, ...]
    """Each location once."""
    limits: tuple[JointLimit, ...] = ()
    """What some of them send together at most."""
    objectives: Annotated[tuple[str, ...], Field(min_length=1)] = (FEWEST_SPLITS,)
    """Each once, the weightiest first; a value is the sum of the costs of the locations that send something."""
    max_splits: int | None = None
    """Locations - 1; None is no limit."""
    partial: bool = False
    """Route as many units as there are and the limit allows, and say what is short."""
    alternatives: Annotated[int, Field(ge=1)] = 10
    """How many routes to return, best first: the best of all, then others with as many locations and units."""
    seconds: Annotated[float, Field(gt=0)] = 2.0
    """How long the search may take, where there is a clock."""
    max_nodes: Annotated[int, Field(ge=1)] = 200_000
    """Bounds the search the same on every machine; a node takes some microseconds to some hundred."""

    @model_validator(mode="after")
    def _each_has_all_costs(self) -> Self:
        if any(len(each.costs) not in {0, len(self.objectives)} for each in self.locations):
            raise ValueError("a location has as many costs as there are objectives, or none")
        return self


class Assignment(Frozen):
    """A quantity of a SKU that a location is to send."""

    location: str
    sku: str
    quantity: int


class Objective(Frozen):
    """An objective, and the value that it has for a route."""

    name: str
    value: int


class Route(Frozen):
    """A set of locations, and what each sends."""

    rank: int
    """From 1, the best."""
    locations: tuple[str, ...]
    """By id."""
    plan: tuple[Assignment, ...]
    """By SKU; within it by the objectives' costs of a unit, then most inventory first, then distance, then location."""
    average_km: float | None
    """Mean distance of the locations; None when one of them is unknown."""
    objectives: tuple[Objective, ...] = ()


class Short(Frozen):
    """A SKU of which too little is there, and how much is missing."""

    sku: str
    quantity: int


class RoutingAnswer(Frozen):
    """The best routes, best first, and how sure that is."""

    outcome: RoutingOutcome
    routes: tuple[Route, ...] = ()
    proven: bool = True
    """It is certain that nothing is better: by number of locations, and by every objective of the first route."""
    complete: bool = True
    """It is certain that no better route with as many locations is missing among those returned."""
    lower_bound: int | None = None
    """All that is demanded takes at least this many locations."""
    fewest_possible: int | None = None
    """The smallest number of locations known to do, allowed or not."""
    fewest_without_limits: int | None = None
    """A number of locations that would do if they shared no limit; None when none is below ``lower_bound``."""
    objectives: tuple[Objective, ...] = ()
    """Of the first route."""
    short: tuple[Short, ...] = ()
    """What is missing; of a partial route, what the first route does not send."""
    nodes: int = 0
    """Work done."""
    seconds: float = 0.0
    """Time taken, where there was a clock."""


type Elapsed = Callable[[], float]
"""Tells the seconds since a question was asked."""

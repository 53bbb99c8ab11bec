"""
Routing policies: where goods may come from, what makes one route better than another, and how often routing is tried.

A policy is a document with a name and a version. Once published it never changes; an order keeps the policy that was
in force at its channel when it was placed.
"""

import json
from hashlib import sha256
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from orderloom.domain.model import Frozen, Identifier

Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""

Names = Annotated[tuple[Identifier, ...], Field(min_length=1, max_length=1_000)]

Objective = Literal["fewest_splits", "distance", "shipping_cost", "carbon", "stock_balance", "priority", "rejections"]
"""
What a route is to have as little as possible of: locations; metres; minor units; grams of CO2 equivalent; scarcity of
what is taken; ranks of locations; recent rejections.
"""

Splits = Annotated[int, Field(strict=True, ge=0, le=100)]
"""Locations - 1."""


Name = Annotated[Identifier, StringConstraints(pattern=r"^[^:]+$")]
"""What people call a policy; ``name:version`` says one version of it."""

YEAR = 366 * 86_400.0
"""Seconds. A time that nobody can wait for is a slip of the pen, and one that is longer still is no date."""


class Eligibility(Frozen):
    """Which locations may send something of an order. What is left out asks for nothing."""

    types: Names | None = None
    """Kinds of location, such as ``warehouse``."""
    countries: Literal["destination"] | Annotated[tuple[Country, ...], Field(min_length=1)] | None = None
    """Where the location must be; ``destination``: in the country that the goods go to."""
    groups: Names | None = None
    """The location must be in one of these groups, beside the channel's own."""
    exclude: Annotated[tuple[Identifier, ...], Field(max_length=1_000)] = ()
    """Locations that send nothing."""
    ship_from: Annotated[dict[Country, Names], Field(max_length=250)] = {}
    """By country of destination, the only locations that send there; other countries are free."""
    capacity: bool = True
    """A location whose day is full sends nothing."""
    holidays: bool = False
    """A location that does not work today sends nothing."""
    cut_off: bool = False
    """A location whose cut-off has passed today sends nothing."""
    when: Annotated[str, StringConstraints(min_length=1, max_length=2_048)] | None = None
    """A condition in CEL over ``order`` and ``location``."""


class ValueStep(Frozen):
    """A split limit for orders below a value: cheap goods are not worth many shipments."""

    below: Annotated[int, Field(strict=True, ge=1)]
    """Minor units of the order's currency, tax included."""
    max_splits: Splits


class Wave(Frozen):
    """Orders are routed together with others that compete for the same stock, not each by itself."""

    pool: Identifier
    """The routing pool: orders of any channel that name it are routed together."""
    interval: Annotated[float, Field(ge=1, le=3_600)] = 60.0
    """Seconds that an order waits for others after it has become due."""


class RoutingPolicy(Frozen):
    """How routes are looked for, and how often."""

    name: Name = "default"
    version: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}\.[0-9]{1,9}\.[0-9]{1,9}$")] = "1.0.0"
    eligible: Eligibility = Eligibility()
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1, max_length=7)] = ("fewest_splits",)
    """In this order, each without losing anything of those before it; then mean distance and ids of locations."""
    max_splits: Splits | None = None
    """None is no limit."""
    by_value: Annotated[tuple[ValueStep, ...], Field(max_length=20)] = ()
    """From the lowest value up; the first that is above the order's value holds, if it is stricter than the limit."""
    partial: bool = False
    """Send what can be sent now and let the rest wait, unless the order is to ship complete."""
    rejections_half_life: Annotated[float, Field(ge=60, le=YEAR)] = 7 * 86_400.0
    """Seconds after which a rejection counts half."""
    wave: Wave | None = None
    """In which pool orders wait to be routed together; None: each is routed by itself as soon as it is due."""
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    """Attempts in all, before routing is abandoned."""
    backoff: Annotated[float, Field(ge=0, le=YEAR)] = 3600.0
    """Seconds before the second attempt."""
    backoff_factor: Annotated[float, Field(ge=1, le=100)] = 2.0
    """Each later wait is this much longer."""
    backoff_limit: Annotated[float, Field(ge=0, le=YEAR)] = 86_400.0
    """No wait is longer, in seconds."""
    when_abandoned: Literal["keep", "release"] = "keep"
    """What becomes of the reservation."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise PydanticCustomError("policy.objective_twice", "name each objective once")
        below = [step.below for step in self.by_value]
        if below != sorted(set(below)):
            raise PydanticCustomError("policy.by_value", "by_value goes from the lowest value up, each once")
        return self

    @property
    def label(self) -> str:
        """Return the policy's name for people."""
        return f"{self.name}:{self.version}"

    @property
    def hash(self) -> str:
        """
        Return 32 hexadecimal digits over what the policy says beyond the defaults.

        A rule that is added to the language later, and that a policy does not use, leaves its hash as it was.
        """
        said = self.model_dump(mode="json", exclude_defaults=True)
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def looks_at_rejections(self) -> bool:
        """Return whether it matters what locations turned down lately."""
        return "rejections" in self.objectives or "rejections" in (self.eligible.when or "")

    def splits_for(self, value: int) -> int | None:
        """Return the split limit for an order of this *value* in minor units; None is no limit."""
        step = next((step.max_splits for step in self.by_value if value < step.below), None)
        limits = [limit for limit in (self.max_splits, step) if limit is not None]
        return min(limits, default=None)
